// Talking with an assistant without loading the page anew: a turn is added as it comes, its sentences one after the
// other. The address keeps the jobs of the dialogue, so that loading it again shows the same.
(() => {
  'use strict';
  const PAUSE = 120;
  const AGAIN = 500;
  const SOON = 150;
  const dialogue = document.querySelector('[data-dialogue]');
  const form = document.querySelector('form#ask');
  const said = document.querySelector('[data-said]');
  if (!dialogue || !form) return;
  const calm = matchMedia('(prefers-reduced-motion: reduce)');
  const pause = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

  async function part(address, body) {
    const reply = await fetch(address, { method: body ? 'POST' : 'GET', body, headers: { Accept: 'text/html', 'X-Part': '1' } });
    if (!reply.ok) throw new Error(String(reply.status));
    const holder = document.createElement('template');
    holder.innerHTML = await reply.text(); // our own server's, escaped there
    return holder.content.querySelector('[data-turn]');
  }

  function remember() {
    const turns = [...dialogue.querySelectorAll('[data-turn]')].map((one) => one.dataset.turn);
    document.querySelectorAll('form').forEach((each) => {
      if (!each.matches('[data-ask], [data-judge]')) return;
      each.querySelectorAll('input[name=turn]').forEach((one) => one.remove());
      turns.forEach((turn) => {
        const field = document.createElement('input');
        Object.assign(field, { type: 'hidden', name: 'turn', value: turn });
        each.append(field);
      });
    });
    const query = new URLSearchParams(turns.map((turn) => ['turn', turn]));
    const writer = form.elements.writer?.value;
    if (writer) query.set('writer', writer);
    history.replaceState(null, '', turns.length || writer ? `${dialogue.dataset.dialogue}?${query}` : dialogue.dataset.dialogue);
  }

  async function reveal(turn, shown) {
    const sentences = [...turn.querySelectorAll('.sentence')];
    said.textContent = sentences.map((one) => one.textContent).join(' ');
    if (calm.matches) return;
    const fresh = sentences.slice(shown);
    fresh.forEach((one) => one.classList.add('coming'));
    for (const one of fresh) {
      await pause(PAUSE);
      one.classList.remove('coming');
    }
  }

  async function arrive(turn) {
    dialogue.append(turn);
    remember();
    turn.scrollIntoView({ block: 'nearest' });
    await settle(turn);
  }

  async function settle(turn) {
    let current = turn;
    let shown = 0;
    while (current.dataset.waiting) {
      shown = current.querySelectorAll('.sentence').length;
      await pause(shown || current.querySelector('.coming-now') ? SOON : AGAIN);
      try {
        const fresh = await part(current.dataset.waiting);
        current.replaceWith(fresh);
        current = fresh;
      } catch {
        // It is asked for again.
      }
    }
    remember();
    await reveal(current, shown);
  }

  async function ask(source, question) {
    const body = new FormData(source);
    body.set('question', question);
    if (form.elements.writer) body.set('writer', form.elements.writer.value);
    const button = form.querySelector('button');
    button.disabled = true;
    said.textContent = form.dataset.asking;
    try {
      const turn = await part(form.getAttribute('action'), body);
      form.elements.question.value = '';
      form.elements._key.value = crypto.randomUUID ? crypto.randomUUID().replaceAll('-', '') : String(Date.now());
      await arrive(turn);
    } catch {
      said.textContent = form.dataset.failed;
      const told = document.createElement('p');
      told.className = 'alert bad';
      told.textContent = form.dataset.failed;
      form.prepend(told);
      setTimeout(() => told.remove(), 8000);
    } finally {
      button.disabled = false;
    }
  }

  document.addEventListener('submit', (event) => {
    const source = event.target;
    if (source.matches('[data-ask]')) {
      const question = event.submitter?.name === 'question' ? event.submitter.value : form.elements.question.value;
      if (!question.trim()) return; // the server says what is missing
      event.preventDefault();
      form.querySelectorAll('.alert').forEach((one) => one.remove());
      ask(source, question);
    } else if (source.matches('[data-judge]')) {
      event.preventDefault();
      const body = new FormData(source, event.submitter);
      const old = source.closest('[data-turn]');
      part(source.action, body).then((fresh) => {
        const place = event.submitter?.value;
        old.replaceWith(fresh);
        remember();
        (fresh.querySelector('.better textarea') ?? fresh.querySelector('.thumbs button')).focus();
        if (place === 'none') fresh.querySelector('.thumbs button').focus();
      }).catch(() => source.submit());
    }
  });
  document.addEventListener('click', (event) => {
    const cite = event.target.closest('.cite');
    if (!cite) return;
    const source = document.getElementById(cite.hash.slice(1));
    source?.closest('.sources').setAttribute('open', '');
    source?.querySelector('details').setAttribute('open', '');
  });
  form.elements.question.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  dialogue.querySelectorAll('[data-waiting]').forEach((turn) => settle(turn));
})();
