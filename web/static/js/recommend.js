// Picking items by title: what is found follows the typing, what is ticked moves to the list of picked ones.
(() => {
  'use strict';
  const PAUSE = 150;

  function wire(form) {
    const find = form.querySelector('input[name=find]');
    const found = form.querySelector('[data-found]');
    const picked = form.querySelector('[data-picked]');
    const said = form.querySelector('[data-said]');
    let timer = 0;
    let asked = 0;

    const ids = () => [...picked.querySelectorAll('input:checked')].map((box) => box.value);

    async function look() {
      const mine = ++asked;
      const query = new URLSearchParams([['find', find.value], ...ids().map((id) => ['item', id])]);
      try {
        const reply = await fetch(`${form.dataset.recommend}?${query}`, { headers: { Accept: 'text/html' } });
        if (!reply.ok || mine !== asked) return;
        found.innerHTML = await reply.text(); // our own server's, escaped there
        said.textContent = said.dataset.words.replace('{count}', found.querySelectorAll('input').length);
      } catch {
        // The button "Find" still works.
      }
    }

    find.addEventListener('input', () => {
      clearTimeout(timer);
      timer = setTimeout(look, PAUSE);
    });
    find.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      event.preventDefault();
      clearTimeout(timer);
      look();
    });
    form.addEventListener('change', (event) => {
      const box = event.target;
      if (box.name !== 'item') return;
      const row = box.closest('li');
      if (found.contains(box) && box.checked) {
        picked.append(row);
        box.focus();
      } else if (picked.contains(box) && !box.checked) {
        row.remove();
        find.focus();
        look();
      }
    });
    form.querySelector('[value=find]').addEventListener('click', (event) => {
      event.preventDefault();
      look();
    });
  }

  document.querySelectorAll('form[data-recommend]').forEach(wire);
})();
