// Forms of settings: a preset's values come into view; the estimate, the code and the columns of the chosen table follow
// what is typed.
(() => {
  'use strict';
  const form = document.querySelector('form[data-estimate]');
  if (!form) return;
  const QUIET = 300;
  const PRIVATE = new Set(['_key', '_from']);
  // a field called dataset hides form.dataset
  const address = form.getAttribute('data-estimate');
  const base = form.querySelector('[name=_base]');
  const texts = [...document.querySelectorAll('#f-json, #f-yaml')];
  let timer = 0;
  let asked = 0;

  const controls = () => [...form.querySelectorAll('[data-presets]')];
  const valueOf = (control) => (control.type === 'checkbox' ? String(control.checked) : control.value.trim());

  function put(control, value) {
    if (control.type === 'checkbox') control.checked = value === 'true';
    else control.value = value;
    // what was typed as text stays, whether it is offered or not
    if (value && control.tagName === 'SELECT' && control.value !== value) control.append(new Option(value, value, false, true));
  }

  // Values that were left alone follow the preset; those that were changed stay.
  function choose(preset) {
    for (const control of controls()) {
      const presets = JSON.parse(control.dataset.presets);
      const before = presets[base.value] ?? control.dataset.start;
      if (valueOf(control) === before && preset in presets) put(control, presets[preset]);
    }
    base.value = preset;
  }

  // All sides show the same job: what is typed on one of them is put into the others.
  async function ask(side) {
    const turn = ++asked;
    const body = new URLSearchParams();
    for (const [name, value] of new FormData(side)) {
      if (typeof value === 'string' && !PRIVATE.has(name)) body.append(name, value);
    }
    try {
      const reply = await fetch(address, { method: 'POST', body });
      if (!reply.ok || turn !== asked) return;
      const found = await reply.json();
      for (const text of texts) {
        const here = text.form === side || side === form;
        document.getElementById(text.id.replace('f-', 'e-')).textContent = here ? found.faults.join(' ') : '';
      }
      if (found.faults.length) return;
      note(found.notes);
      if (offer(found.columns, side === form)) return void ask(side);
      if (side !== form) fill(found.fields);
      for (const text of texts) {
        if (text.form !== side) text.value = found.texts[text.id.slice(2)];
      }
      show(found.estimate);
      for (const [key, text] of Object.entries(found.snippets)) {
        const place = document.querySelector(`[data-snippet="${key}"]`);
        if (place) place.textContent = text;
      }
    } catch {
      // the estimate is a courtesy: the form works without it
    }
  }

  // Settings that name a column offer those of the chosen table; one that the table does not have is let go, unless it
  // was typed as text. True where that changed a value.
  function offer(columns, here) {
    let changed = false;
    for (const [name, choices] of Object.entries(columns)) {
      const control = form.querySelector(`[data-column][name="${name}"]`);
      if (!control) continue;
      const list = document.createElement('select');
      list.append(...choices.map(([value, label]) => new Option(label, value)));
      const known = choices.some(([value]) => value === control.value);
      if (known || !here) put(list, control.value);
      else changed = true;
      if (values(control) === values(list)) continue;
      for (const { name: key, value } of control.attributes) {
        if (key !== 'value' && key !== 'autocomplete') list.setAttribute(key, value);
      }
      control.replaceWith(list);
    }
    return changed;
  }

  const values = (list) => JSON.stringify([...(list.options ?? [])].map((one) => one.value));

  function note(notes) {
    const place = form.querySelector('[data-notes]');
    const told = notes.map(([sentence, address]) => {
      const item = document.createElement('p');
      const link = document.createElement('a');
      item.className = 'alert wait';
      link.href = address;
      link.textContent = place?.dataset.link;
      item.append(`${sentence} `, link);
      return item;
    });
    place?.replaceChildren(...told);
  }

  function fill(fields) {
    const wanted = new Set(fields._after.split(' ').filter(Boolean));
    const boxes = [...form.querySelectorAll('input[type=checkbox][name=_after]')];
    for (const box of boxes) box.checked = wanted.has(box.value);
    const others = [...wanted].filter((id) => !boxes.some((box) => box.value === id)).join(' ');
    for (const [name, value] of Object.entries({ ...fields, _after: others })) {
      for (const control of form.querySelectorAll(`[name="${name}"]`)) {
        if (control.type === 'radio') control.checked = control.value === value;
        else if (control.name !== '_after' || control.type !== 'checkbox') put(control, value);
      }
    }
    base.value = fields._preset;
  }

  function show(costs) {
    for (const place of document.querySelectorAll('[data-costs]')) {
      place.replaceChildren(
        ...costs.map(([label, value]) => {
          const item = document.createElement('span');
          const figure = document.createElement('b');
          figure.textContent = value;
          item.append(`${label}: `, figure);
          return item;
        }),
      );
    }
  }

  for (const control of controls()) control.dataset.start = valueOf(control);
  form.addEventListener('change', (event) => {
    if (event.target.name === '_preset') choose(event.target.value);
  });
  for (const side of [form, ...texts.map((text) => text.form)]) {
    side.addEventListener('input', () => {
      clearTimeout(timer);
      timer = setTimeout(() => ask(side), QUIET);
    });
  }
})();
