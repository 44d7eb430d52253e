// What every page has: tabs, copying, dialogs, local times, ticking clocks, keys. Pages work without it.
(() => {
  'use strict';
  const root = document.documentElement;
  root.classList.add('scripted');

  // ---- times: the server writes UTC, the reader sees local time
  const FORMATS = {
    full: { dateStyle: 'medium', timeStyle: 'short' },
    time: { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  };
  const formatters = {};
  const formatter = (kind) =>
    (formatters[kind] ??= new Intl.DateTimeFormat(root.lang, FORMATS[kind] ?? FORMATS.full));

  function localise() {
    for (const el of document.querySelectorAll('time[data-local]')) {
      const text = formatter(el.dataset.local).format(new Date(el.dateTime));
      if (el.textContent !== text) {
        el.title = el.dateTime;
        el.textContent = text;
      }
    }
  }

  function fill(template, values) {
    return template.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  // The server's words for a duration; clocks stay out of what it sends, so that unchanged parts stay unchanged.
  function inWords(seconds, units) {
    const [short, medium, long] = units.split('|');
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 60) return fill(short, { seconds: whole });
    if (whole < 3600) return fill(medium, { minutes: Math.floor(whole / 60), seconds: whole % 60 });
    return fill(long, { hours: Math.floor(whole / 3600), minutes: Math.floor((whole % 3600) / 60) });
  }

  function tick() {
    for (const el of document.querySelectorAll('[data-since]')) {
      const seconds = (Date.now() - Date.parse(el.dataset.since)) / 1000 + Number(el.dataset.past || 0);
      const text = inWords(seconds, el.dataset.units);
      if (el.textContent !== text) el.textContent = text;
    }
  }

  // ---- tabs: without JavaScript all panels are shown
  function initTabs(list) {
    const tabs = [...list.querySelectorAll('[role=tab]')];
    const pick = (chosen) => {
      for (const tab of tabs) {
        const on = tab === chosen;
        tab.setAttribute('aria-selected', String(on));
        tab.tabIndex = on ? 0 : -1;
        const panel = document.getElementById(tab.getAttribute('aria-controls'));
        panel.hidden = !on;
        panel.setAttribute('role', 'tabpanel');
        panel.setAttribute('aria-labelledby', tab.id);
      }
    };
    list.hidden = false;
    pick(tabs.find((tab) => tab.getAttribute('aria-selected') === 'true') ?? tabs[0]);
    list.addEventListener('click', (event) => tabs.includes(event.target) && pick(event.target));
    list.addEventListener('keydown', (event) => {
      const at = tabs.indexOf(document.activeElement);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
      if (at < 0 || to === undefined) return;
      const tab = tabs.at(to % tabs.length);
      pick(tab);
      tab.focus();
      event.preventDefault();
    });
  }

  // ---- copy buttons
  async function copy(button) {
    const text = button.parentElement.querySelector('pre').textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(button.parentElement.querySelector('pre'));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand('copy');
    }
    const before = [...button.childNodes];
    button.textContent = document.body.dataset.copied;
    setTimeout(() => button.replaceChildren(...before), 1500);
  }

  document.addEventListener('click', (event) => {
    const target = event.target.closest('[data-copy], [data-dialog], [data-close]');
    if (!target) {
      for (const menu of document.querySelectorAll('details.menu[open]')) {
        if (!menu.contains(event.target)) menu.open = false;
      }
      return;
    }
    if ('copy' in target.dataset) copy(target);
    if ('close' in target.dataset) target.closest('dialog').close();
    const dialog = target.dataset.dialog && document.getElementById(target.dataset.dialog);
    if (dialog) {
      event.preventDefault();
      dialog.showModal();
    }
  });

  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    const menu = document.querySelector('details.menu[open]');
    if (menu) {
      menu.open = false;
      menu.querySelector('summary').focus();
    }
  });

  // ---- a form is sent once; coming back from the cache makes it usable again
  // A form's fields hide its own properties (a field called dataset hides form.dataset): attributes do not.
  const sent = new Set();
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (!form.hasAttribute('data-once')) return;
    if (sent.has(form)) {
      event.preventDefault();
      return;
    }
    sent.add(form);
    event.submitter?.classList.add('busy');
  });
  addEventListener('pageshow', () => {
    sent.clear();
    for (const button of document.querySelectorAll('.btn.busy')) button.classList.remove('busy');
  });

  // ---- keys: / search, n new job, ? help; they can be switched off on the help page
  const KEYS = 'aigc-keys';
  const keysOn = () => localStorage.getItem(KEYS) !== 'off';
  const toggle = document.querySelector('[data-keys]');
  if (toggle) {
    toggle.checked = keysOn();
    toggle.addEventListener('change', () => localStorage.setItem(KEYS, toggle.checked ? 'on' : 'off'));
  }
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keysOn()) return;
    if (event.target.closest('input, select, textarea, dialog, [contenteditable]')) return;
    if (event.key === '/') {
      const search = document.querySelector('[data-search]');
      if (search) search.focus();
      else location.assign('/jobs');
      event.preventDefault();
    } else if (event.key === 'n') location.assign('/jobs/new');
    else if (event.key === '?') location.assign('/docs#keys');
  });

  function refresh() {
    localise();
    tick();
  }
  for (const list of document.querySelectorAll('[role=tablist]')) initTabs(list);
  for (const button of document.querySelectorAll('[data-copy]')) button.hidden = false;
  document.addEventListener('aigc:updated', refresh);
  refresh();
  setInterval(tick, 1000);
  document.getElementById('problems')?.focus();
})();
