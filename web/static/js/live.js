// Keeps the part of a page marked data-live current. It asks for that part again and again with the tag it
// has; 304 means nothing changed. A new part is merged into the old one node by node, so that focus, text
// selection, scrolling and opened details survive. It stops when the part says so (no data-live any more),
// rests while the tab is hidden, and asks less and less often while the server does not answer.
(() => {
  'use strict';
  const LONGEST = 30000;
  const HIDDEN = 10000;
  const part = document.getElementById('live');
  if (!part || !part.dataset.live) return;
  const say = document.getElementById('say');
  let tag = '';
  let wait = 0;
  let timer = 0;
  let asking = false;
  let toast = null;

  // ---- merging; what the reader opened or asked for is not the server's to change
  const OWN = new Set(['open', 'data-called']);
  const identity = (node) => (node.nodeType === 1 && node.id ? node.id : null);
  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && identity(a) === identity(b);

  function mergeAttributes(old, fresh) {
    for (const { name } of [...old.attributes]) {
      if (!OWN.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (!OWN.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  }

  function merge(old, fresh) {
    if (old.nodeType !== 1) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    if ('still' in old.dataset || ('since' in old.dataset && old.dataset.since === fresh.dataset.since)) return;
    if (old.nodeName === 'TIME' && old.dateTime === fresh.dateTime) return;
    mergeAttributes(old, fresh);
    mergeChildren(old, fresh);
  }

  function mergeChildren(old, fresh) {
    const named = new Map([...old.children].filter(identity).map((child) => [child.id, child]));
    let at = old.firstChild;
    for (const next of [...fresh.childNodes]) {
      const known = identity(next) && named.get(next.id);
      if (known && known !== at && alike(known, next)) {
        // a row that moved up, or rows before it that went away
        while (at && at !== known && !(identity(at) && fresh.querySelector(`#${CSS.escape(at.id)}`))) {
          const gone = at;
          at = at.nextSibling;
          gone.remove();
        }
        if (at !== known) old.insertBefore(known, at);
        at = known;
      }
      if (at && alike(at, next)) {
        merge(at, next);
        at = at.nextSibling;
      } else {
        old.insertBefore(next, at);
      }
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  }

  const atEnd = (log) => log.scrollTop + log.clientHeight >= log.scrollHeight - 4;

  function update(html) {
    const fresh = new DOMParser().parseFromString(html, 'text/html').getElementById('live');
    if (!fresh) return;
    const follow = document.getElementById('log-follow')?.checked ?? true;
    const followed = [...part.querySelectorAll('[data-follow]')].map((log) => [log, follow && atEnd(log)]);
    const before = part.dataset.state;
    merge(part, fresh);
    for (const [log, was] of followed) if (was) log.scrollTop = log.scrollHeight;
    if (part.dataset.title) document.title = part.dataset.title;
    if (say && part.dataset.state !== before) say.textContent = part.dataset.word ?? '';
    document.dispatchEvent(new CustomEvent('aigc:updated'));
  }

  // ---- asking
  function lost(is) {
    if (is && !toast) {
      toast = document.createElement('p');
      toast.className = 'toast';
      toast.setAttribute('role', 'status');
      document.body.append(toast);
      toast.textContent = part.dataset.lost;
    } else if (!is && toast) {
      toast.remove();
      toast = null;
    }
  }

  function plan(after) {
    clearTimeout(timer);
    if (!part.dataset.live) return;
    // a hidden tab rests, unless its reader wants to be called back
    if (!document.hidden) timer = setTimeout(ask, after);
    else if ('called' in part.dataset) timer = setTimeout(ask, Math.max(after, HIDDEN));
  }

  async function ask() {
    if (asking) return;
    asking = true;
    const usual = Number(part.dataset.every) || 5000;
    try {
      const reply = await fetch(part.dataset.live, {
        headers: tag ? { 'If-None-Match': tag } : {},
        cache: 'no-store',
        signal: AbortSignal.timeout(15000),
      });
      if (reply.redirected || reply.status === 401 || reply.status === 404) {
        location.reload();
        return;
      }
      if (reply.status === 200) {
        const html = await reply.text();
        tag = reply.headers.get('ETag') ?? '';
        update(html);
      } else if (reply.status !== 304) {
        throw new Error(String(reply.status));
      }
      lost(false);
      wait = usual;
    } catch {
      lost(true);
      wait = Math.min(LONGEST, Math.max(usual, wait * 2));
    } finally {
      asking = false;
    }
    plan(wait);
  }

  document.addEventListener('visibilitychange', () => plan(0));
  document.addEventListener('change', (event) => {
    if (event.target.id !== 'log-follow' || !event.target.checked) return;
    for (const log of part.querySelectorAll('[data-follow]')) log.scrollTop = log.scrollHeight;
  });
  for (const log of part.querySelectorAll('[data-follow]')) log.scrollTop = log.scrollHeight;
  plan(Number(part.dataset.every) || 5000);
})();
