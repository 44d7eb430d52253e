// Ticked rows of the list: how many there are, and which buttons can do something with that many.
(() => {
  'use strict';

  function refresh() {
    const count = document.querySelectorAll('input[name=ids]:checked').length;
    for (const button of document.querySelectorAll('[data-picked]')) {
      const [fewest, most] = button.dataset.picked.split(' ').map(Number);
      button.disabled = count < fewest || count > most;
      button.dataset.word ??= button.textContent;
      button.textContent = count ? `${button.dataset.word} (${count})` : button.dataset.word;
    }
  }

  document.addEventListener('change', (event) => event.target.name === 'ids' && refresh());
  document.addEventListener('aigc:updated', refresh);
  addEventListener('pageshow', refresh);
  refresh();
})();
