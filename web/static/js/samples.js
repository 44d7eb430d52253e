// A slider over samples, step by step; it follows the newest until someone moves it. Without it they are a list.
(() => {
  'use strict';
  const part = document.querySelector('main');
  let slider = null;
  let caption = null;
  let follow = true;

  // the page lists the newest first, a slider has it at its end
  const shots = () => [...part.querySelectorAll('[data-shots] > [data-shot]')].reverse();

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
    for (const shot of all) shot.hidden = shot !== chosen;
    caption.textContent = chosen?.dataset.shot ?? '';
    slider.setAttribute('aria-valuetext', caption.textContent);
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
