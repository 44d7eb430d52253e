// Ticked rows of the list: how many there are, and whether the button can do something with them.
(() => {
  'use strict';
  const FEWEST = 2;
  const MOST = 8;

  function refresh() {
    const count = document.querySelectorAll('input[name=ids]:checked').length;
    for (const button of document.querySelectorAll('[data-picked]')) {
      button.disabled = count < FEWEST || count > MOST;
      button.dataset.word ??= button.textContent;
      button.textContent = count ? `${button.dataset.word} (${count})` : button.dataset.word;
    }
  }

  document.addEventListener('change', (event) => event.target.name === 'ids' && refresh());
  document.addEventListener('aigc:updated', refresh);
  addEventListener('pageshow', refresh);
  refresh();
})();
