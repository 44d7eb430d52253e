// Forms of settings: a preset's values come into view, the estimate and the code follow what is typed.
(() => {
  'use strict';
  const form = document.querySelector('form[data-estimate]');
  if (!form) return;
  const QUIET = 300;
  const PRIVATE = new Set(['csrf_token', '_key', '_from', '_name']);
  // a field called dataset hides form.dataset
  const address = form.getAttribute('data-estimate');
  const base = form.querySelector('[name=_base]');
  let timer = 0;
  let asked = 0;

  const controls = () => [...form.querySelectorAll('[data-presets]')];
  const valueOf = (control) => (control.type === 'checkbox' ? String(control.checked) : control.value.trim());

  function put(control, value) {
    if (control.type === 'checkbox') control.checked = value === 'true';
    else control.value = value;
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

  async function ask() {
    const turn = ++asked;
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (typeof value === 'string' && !PRIVATE.has(name)) query.append(name, value);
    }
    try {
      const reply = await fetch(`${address}?${query}`);
      if (!reply.ok || turn !== asked) return;
      const found = await reply.json();
      show(found.estimate);
      for (const [key, text] of Object.entries(found.snippets)) {
        const place = document.querySelector(`[data-snippet="${key}"]`);
        if (place) place.textContent = text;
      }
    } catch {
      // the estimate is a courtesy: the form works without it
    }
  }

  function show(costs) {
    const place = form.querySelector('[data-costs]');
    if (!place) return;
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

  for (const control of controls()) control.dataset.start = valueOf(control);
  form.addEventListener('change', (event) => {
    if (event.target.name === '_preset') choose(event.target.value);
  });
  form.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(ask, QUIET);
  });
})();
