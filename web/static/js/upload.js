// Uploads: a place to drop a file, a bar while it is sent, a way to stop. The form works without it.
// Large files are sent in pieces (tus 1.0): after a lost connection the upload goes on where it was, and so it
// does when the same file is chosen again within a day. Then the form is sent with the upload's id for the file.
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
  const words = (name) => form.getAttribute(`data-${name}`);
  const PIECE = Number(words('piece'));
  const LONGEST_PAUSE = 30000;
  let request = null;
  let pieces = null; // the upload in pieces that is on: its address, and whether it was stopped

  for (const note of form.querySelectorAll('[data-scripted]')) note.hidden = false;
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
    request = pieces = null;
    button.disabled = false;
    stop.hidden = true;
    said.textContent = message;
    bar.hidden = true;
  }

  function tell(loaded, total) {
    const percent = Math.floor((100 * loaded) / total);
    bar.value = percent;
    said.textContent = words('sending').replace('{percent}', percent);
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
      if (pieces) localStorage.removeItem(pieces.key);
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

  function sendForm(content) {
    request = new XMLHttpRequest();
    request.open('POST', location.pathname);
    request.upload.addEventListener('progress', (event) => {
      if (!pieces && event.lengthComputable) tell(event.loaded, event.total);
    });
    request.addEventListener('load', finished);
    request.addEventListener('error', () => done(words('lost')));
    request.addEventListener('abort', () => done(''));
    request.send(content);
  }

  // ---- in pieces
  class Refused extends Error {} // an answer that trying again does not change; its message is the server's

  async function refusal(status, body) {
    try {
      return new Refused(JSON.parse(body).detail);
    } catch {
      return new Refused(`${words('lost')} (${status})`);
    }
  }

  const passing = (status) => status === 409 || status === 429 || (status >= 500 && status !== 507);

  async function ask(address, options) {
    const reply = await fetch(address, { credentials: 'same-origin', redirect: 'error', ...options });
    if (reply.ok || reply.status === 404) return reply;
    if (passing(reply.status)) throw new Error(String(reply.status));
    throw await refusal(reply.status, await reply.text());
  }

  const coded = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  const nameOf = (chosen) => coded(new TextEncoder().encode(chosen.name));

  // Where the upload is: of one that is known still, or of a new one.
  async function locate(chosen) {
    if (pieces.address) {
      const reply = await ask(pieces.address, { method: 'HEAD' });
      const offset = Number(reply.headers.get('Upload-Offset'));
      if (reply.ok && Number(reply.headers.get('Upload-Length')) === chosen.size) return offset;
    }
    // The first bytes go ahead, so that what can be no dataset is refused before the rest is sent.
    const head = new Uint8Array(await chosen.slice(0, 1500).arrayBuffer());
    const told = [`filename ${nameOf(chosen)}`, `head ${coded(head)}`];
    if (form.elements.kind?.value) told.push(`kind ${btoa(form.elements.kind.value)}`);
    const headers = { 'Upload-Length': String(chosen.size), 'Upload-Metadata': told.join(',') };
    const reply = await ask(words('pieces'), { method: 'POST', headers });
    if (!reply.ok) throw await refusal(reply.status, await reply.text());
    pieces.address = new URL(reply.headers.get('Location')).pathname;
    localStorage.setItem(pieces.key, pieces.address);
    return 0;
  }

  function sendPiece(chosen, offset) {
    return new Promise((resolve, reject) => {
      request = new XMLHttpRequest();
      request.open('PATCH', pieces.address);
      request.setRequestHeader('Content-Type', 'application/offset+octet-stream');
      request.setRequestHeader('Upload-Offset', String(offset));
      request.upload.addEventListener('progress', (event) => tell(offset + event.loaded, chosen.size));
      request.addEventListener('error', () => reject(new Error('network')));
      request.addEventListener('abort', () => reject(new Error('stopped')));
      request.addEventListener('load', async () => {
        if (request.status === 204) resolve(Number(request.getResponseHeader('Upload-Offset')));
        else if (passing(request.status) || request.status === 404) reject(new Error(String(request.status)));
        else reject(await refusal(request.status, request.responseText));
      });
      request.send(chosen.slice(offset, offset + PIECE));
    });
  }

  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  async function sendPieces(chosen) {
    const mine = pieces;
    let offset = null;
    let wait = 500;
    while (offset === null || offset < chosen.size) {
      try {
        offset = offset === null ? await locate(chosen) : await sendPiece(chosen, offset);
        if (mine.stopped) return;
        tell(offset, chosen.size);
        wait = 500;
      } catch (fault) {
        if (mine.stopped) return;
        if (fault instanceof Refused) {
          done(fault.message);
          return;
        }
        said.textContent = words('again');
        await pause(wait);
        if (mine.stopped) return;
        wait = Math.min(2 * wait, LONGEST_PAUSE);
        offset = null;
      }
    }
    const content = new FormData(form);
    content.delete('file');
    content.set('upload', mine.address.split('/').pop());
    sendForm(content);
  }

  function callOff() {
    const mine = pieces;
    mine.stopped = true;
    localStorage.removeItem(mine.key);
    if (mine.address) fetch(mine.address, { method: 'DELETE', credentials: 'same-origin' }).catch(() => {});
  }

  form.addEventListener('submit', (event) => {
    if (!file.files.length || request || pieces) return;
    event.preventDefault();
    sent.hidden = bar.hidden = stop.hidden = false;
    button.disabled = true;
    const chosen = file.files[0];
    if (chosen.size <= PIECE) {
      sendForm(new FormData(form));
      return;
    }
    const key = `aigc-upload ${chosen.name} ${chosen.size} ${chosen.lastModified}`;
    pieces = { key, address: localStorage.getItem(key), stopped: false };
    sendPieces(chosen);
  });
  stop.addEventListener('click', () => {
    if (pieces) callOff();
    request?.abort();
    done('');
  });
})();
