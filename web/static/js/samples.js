// A slider over the samples of a job, step by step; it follows the newest until someone moves it.
(() => {
  'use strict';
  const part = document.getElementById('live');
  if (!part) return;
  let slider = null;
  let caption = null;
  let follow = true;

  const shots = () =>
    [...part.querySelectorAll('[data-shots] figure')].sort((a, b) => step(a) - step(b));
  const step = (figure) => Number(figure.querySelector('img').dataset.step);

  function build(place) {
    slider = Object.assign(document.createElement('input'), { type: 'range', min: 0, step: 1 });
    caption = document.createElement('output');
    const label = document.createElement('label');
    label.className = 'slider';
    const word = document.createElement('span');
    word.textContent = place.dataset.label;
    label.append(word, slider, caption);
    place.replaceChildren(label);
    slider.addEventListener('input', () => {
      follow = Number(slider.value) === Number(slider.max);
      show();
    });
  }

  function show() {
    const all = shots();
    const chosen = all[Number(slider.value)];
    for (const figure of all) figure.hidden = figure !== chosen;
    caption.textContent = chosen ? String(step(chosen)) : '';
    slider.setAttribute('aria-valuetext', `${caption.textContent}`);
  }

  function refresh() {
    const place = part.querySelector('[data-samples]');
    const count = shots().length;
    if (!place || count < 2) return;
    if (!slider || !slider.isConnected) build(place);
    slider.max = String(count - 1);
    if (follow) slider.value = slider.max;
    show();
  }

  document.addEventListener('aigc:updated', refresh);
  refresh();
})();
