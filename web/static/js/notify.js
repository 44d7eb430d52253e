// "Notify me": the browser says when a long job has ended, also while the tab is hidden. Nobody is asked unasked.
(() => {
  'use strict';
  const part = document.getElementById('live');
  if (!part || !('Notification' in window)) return;

  function show() {
    const button = document.getElementById('notify');
    if (!button) return;
    const on = 'called' in part.dataset;
    button.hidden = false;
    button.dataset.word ??= button.textContent;
    button.setAttribute('aria-pressed', String(on));
    if (on) button.textContent = button.dataset.on;
    else if (Notification.permission === 'denied' && 'asked' in part.dataset) button.textContent = button.dataset.denied;
    else button.textContent = button.dataset.word;
  }

  function tell() {
    if (!part.dataset.live && 'called' in part.dataset) {
      delete part.dataset.called;
      const note = new Notification(document.title, { tag: location.pathname });
      note.addEventListener('click', () => {
        window.focus();
        note.close();
      });
    }
    show();
  }

  document.addEventListener('click', async (event) => {
    if (!event.target.closest('#notify')) return;
    if ('called' in part.dataset) delete part.dataset.called;
    else if ((await Notification.requestPermission()) === 'granted') part.dataset.called = '';
    part.dataset.asked = '';
    show();
  });
  document.addEventListener('aigc:updated', tell);
  show();
})();
