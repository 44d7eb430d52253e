// Uploads: a place to drop a file, a bar while it is sent, a way to stop. The form works without it.
(() => {
  'use strict';
  const form = document.querySelector('form[data-upload]');
  if (!form) return;
  const file = form.querySelector('input[type=file]');
  const place = form.querySelector('[data-drop]');
  const sent = form.querySelector('[data-sent]');
  const bar = sent.querySelector('progress');
  const said = sent.querySelector('[data-said]');
  const stop = form.querySelector('[data-stop]');
  const button = form.querySelector('.btn.primary');
  let request = null;

  for (const name of ['dragenter', 'dragover']) {
    place.addEventListener(name, (event) => {
      event.preventDefault();
      place.classList.add('over');
    });
  }
  for (const name of ['dragleave', 'drop']) place.addEventListener(name, () => place.classList.remove('over'));
  place.addEventListener('drop', (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) file.files = event.dataTransfer.files;
  });

  function done(message) {
    request = null;
    button.disabled = false;
    stop.hidden = true;
    said.textContent = message;
    bar.hidden = true;
  }

  function progress(event) {
    if (!event.lengthComputable) return;
    const percent = Math.floor((100 * event.loaded) / event.total);
    bar.value = percent;
    said.textContent = form.getAttribute('data-sending').replace('{percent}', percent);
  }

  // The same words beside the fields; the chosen file stays chosen.
  function tellFields(page) {
    for (const told of form.querySelectorAll('.err')) told.remove();
    for (const field of form.querySelectorAll('.field.wrong')) field.classList.remove('wrong');
    for (const told of page.querySelectorAll('.field .err')) {
      const control = told.parentElement.querySelector('input, select, textarea');
      const own = control && document.getElementById(control.id);
      if (!own) continue;
      own.closest('.field').classList.add('wrong');
      own.setAttribute('aria-invalid', 'true');
      own.setAttribute('aria-describedby', control.getAttribute('aria-describedby'));
      own.closest('.field').querySelector('.help, label').after(told);
    }
  }

  // The reply is a whole page: the dataset's after a redirect, or this form with its errors.
  function finished() {
    const here = new URL(request.responseURL).pathname;
    if (request.status < 400 && here !== location.pathname) {
      location.assign(request.responseURL);
      return;
    }
    const page = new DOMParser().parseFromString(request.responseText, 'text/html');
    const fresh = page.getElementById('problems') ?? page.querySelector('main h1');
    document.getElementById('problems')?.remove();
    if (fresh) form.parentElement.before(fresh);
    tellFields(page);
    document.title = page.title;
    done('');
    fresh?.focus();
  }

  form.addEventListener('submit', (event) => {
    if (!file.files.length || request) return;
    event.preventDefault();
    request = new XMLHttpRequest();
    request.open('POST', location.pathname);
    request.upload.addEventListener('progress', progress);
    request.addEventListener('load', finished);
    request.addEventListener('error', () => done(form.getAttribute('data-lost')));
    request.addEventListener('abort', () => done(''));
    sent.hidden = bar.hidden = stop.hidden = false;
    button.disabled = true;
    request.send(new FormData(form));
  });
  stop.addEventListener('click', () => request?.abort());
})();
