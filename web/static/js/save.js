// Pictures to take away that only a browser can make: a chart's drawing, or all samples of a job, as one PNG.
(() => {
  'use strict';
  const SCALE = 2;
  const GAP = 12;
  const CAPTION = 22;
  const LEAST = 224;

  function load(address) {
    return new Promise((done, failed) => {
      const image = new Image();
      image.onload = () => done(image);
      image.onerror = () => failed(new Error(address));
      image.src = address;
    });
  }

  function canvasOf(width, height) {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const pen = canvas.getContext('2d');
    pen.fillStyle = '#fff';
    pen.fillRect(0, 0, width, height);
    return [canvas, pen];
  }

  function save(canvas, name) {
    return new Promise((done) => {
      canvas.toBlob((blob) => {
        const link = document.createElement('a');
        link.href = URL.createObjectURL(blob);
        link.download = name;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 1000);
        done();
      }, 'image/png');
    });
  }

  async function chart(address, name) {
    const image = await load(address);
    const [canvas, pen] = canvasOf(image.width * SCALE, image.height * SCALE);
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    await save(canvas, name);
  }

  // The oldest first, in a sheet about as wide as it is high, each with its step beneath.
  async function sheet(name) {
    const figures = [...document.querySelectorAll('[data-shots] > figure')].reverse();
    const images = await Promise.all(figures.map((figure) => load(figure.querySelector('img').src)));
    const across = Math.ceil(Math.sqrt(images.length));
    const size = Math.max(...images.map((image) => image.naturalWidth));
    const times = Math.max(1, Math.ceil(LEAST / size));
    const width = size * times;
    const high = Math.max(...images.map((image) => image.naturalHeight)) * times;
    const rows = Math.ceil(images.length / across);
    const [canvas, pen] = canvasOf(GAP + across * (width + GAP), GAP + rows * (high + CAPTION + GAP));
    pen.imageSmoothingEnabled = false;
    pen.font = '14px system-ui, sans-serif';
    images.forEach((image, place) => {
      const x = GAP + (place % across) * (width + GAP);
      const y = GAP + Math.floor(place / across) * (high + CAPTION + GAP);
      pen.drawImage(image, x, y, image.naturalWidth * times, image.naturalHeight * times);
      pen.fillStyle = '#16191d';
      pen.fillText(figures[place].querySelector('figcaption').textContent, x, y + high + CAPTION - 6);
    });
    await save(canvas, name);
  }

  document.addEventListener('click', async (event) => {
    const button = event.target.closest('[data-png], [data-sheet]');
    if (!button) return;
    button.setAttribute('aria-busy', 'true');
    try {
      if ('sheet' in button.dataset) await sheet(button.dataset.file);
      else await chart(button.dataset.png, button.dataset.file);
    } finally {
      button.removeAttribute('aria-busy');
    }
  });

  function reveal() {
    for (const button of document.querySelectorAll('[data-png], [data-sheet]')) button.hidden = false;
  }
  document.addEventListener('aigc:updated', reveal);
  reveal();
})();
