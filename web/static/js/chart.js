// Draws the curves of a job with uPlot in the place of the server's plain drawing, and adds points as they come.
(() => {
  'use strict';
  const HEIGHT = 260;
  const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
  const TONES = ['--acc', '--wait', '--ok', '--bad'];
  const part = document.getElementById('live');
  if (!part || !window.uPlot) return;
  const charts = new Map();
  let points = [];
  let attempt = part.dataset.attempt;
  let pulling = false;
  let again = false;

  // light-dark() must be resolved before it reaches a canvas
  function colour(name) {
    const probe = document.createElement('i');
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  function columns(names) {
    const own = points.filter((point) => names.some((name) => point.values[name] != null));
    return [own.map((point) => point.step), ...names.map((name) => own.map((point) => point.values[name] ?? null))];
  }

  function draw(box) {
    const names = box.dataset.names.split(',');
    const titles = box.dataset.titles.split('|');
    const axis = {
      stroke: colour('--muted'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { stroke: colour('--line'), width: 1 },
    };
    const series = names.map((_, index) => ({
      label: titles[index],
      stroke: colour(TONES[index % TONES.length]),
      dash: DASHES[index % DASHES.length],
      width: 2,
      spanGaps: true,
      points: { show: false },
    }));
    charts.get(box)?.destroy();
    box.replaceChildren();
    const options = {
      width: box.clientWidth,
      height: HEIGHT,
      scales: { x: { time: false } },
      axes: [{ ...axis, label: box.dataset.x, labelSize: 20, size: 36 }, { ...axis, size: 54 }],
      legend: { show: false },
      series: [{ label: box.dataset.x }, ...series],
    };
    charts.set(box, new uPlot(options, columns(names), box));
  }

  function show() {
    for (const box of charts.keys()) {
      if (box.isConnected) continue;
      charts.get(box).destroy();
      charts.delete(box);
    }
    for (const box of part.querySelectorAll('[data-chart]')) {
      if (charts.has(box)) charts.get(box).setData(columns(box.dataset.names.split(',')));
      else {
        draw(box);
        sizes.observe(box);
      }
    }
  }

  async function pull() {
    const box = part.querySelector('[data-chart]');
    if (!box) return;
    if (pulling) {
      again = true;
      return;
    }
    pulling = true;
    if (part.dataset.attempt !== attempt) {
      // a new attempt goes back to its checkpoint and reports the steps after it again
      attempt = part.dataset.attempt;
      points = [];
    }
    try {
      const after = points.length ? points.at(-1).step : -1;
      const reply = await fetch(`/api/v1/jobs/${box.dataset.chart}/metrics?after=${after}&max_points=2000`);
      if (reply.ok) points.push(...(await reply.json()).data);
    } catch {
      // the next change asks again
    }
    pulling = false;
    if (points.length) show();
    if (again) {
      again = false;
      pull();
    }
  }

  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const chart = charts.get(target);
      if (chart && chart.width !== target.clientWidth) chart.setSize({ width: target.clientWidth, height: HEIGHT });
    }
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => [...charts.keys()].forEach(draw));
  document.addEventListener('aigc:updated', pull);
  pull();
})();
