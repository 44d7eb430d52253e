// Draws curves with uPlot in the place of the server's plain drawing, and adds points as they come. A chart
// names the jobs whose figures it shows (data-chart) and the figures (data-names): one curve for each of both.
(() => {
  'use strict';
  const HEIGHT = 260;
  const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [14, 4], [4, 2], [1, 3], [14, 3, 3, 3]];
  const TONES = ['--acc', '--wait', '--ok', '--bad', '--tone4', '--tone5', '--tone6', '--muted'];
  const POINTS = 2000;
  const part = document.getElementById('live') ?? document.querySelector('main');
  if (!part || !window.uPlot) return;
  const charts = new Map();
  const points = new Map();
  let attempt = part.dataset.attempt;
  let pulling = false;
  let again = false;
  let smooth = 0;
  let log = false;

  // light-dark() must be resolved before it reaches a canvas
  function colour(name) {
    const probe = document.createElement('i');
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  const jobsOf = (box) => box.dataset.chart.split(',');
  const namesOf = (box) => box.dataset.names.split(',');
  const boxes = () => [...part.querySelectorAll('[data-chart]')];

  // An average that forgets, without the pull of its start towards zero.
  function smoothed(values) {
    if (!smooth) return values;
    let sum = 0;
    let weight = 0;
    return values.map((value) => {
      if (value == null) return value;
      sum = sum * smooth + value * (1 - smooth);
      weight = weight * smooth + (1 - smooth);
      return sum / weight;
    });
  }

  function columns(box) {
    const names = namesOf(box);
    const tables = jobsOf(box).map((job) => {
      const own = (points.get(job) ?? []).filter((point) => names.some((name) => point.values[name] != null));
      const values = names.map((name) => smoothed(own.map((point) => point.values[name] ?? null)));
      return [own.map((point) => point.step), ...values];
    });
    const joined = tables.length > 1 ? uPlot.join(tables) : tables[0];
    if (!log) return joined;
    // a logarithm has no place for zero and less
    return [joined[0], ...joined.slice(1).map((column) => column.map((value) => (value > 0 ? value : null)))];
  }

  function draw(box) {
    const titles = box.dataset.titles.split('|');
    const axis = {
      stroke: colour('--muted'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { stroke: colour('--line'), width: 1 },
    };
    const series = titles.map((label, index) => ({
      label,
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
      scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
      axes: [{ ...axis, label: box.dataset.x, labelSize: 20, size: 36 }, { ...axis, size: 54 }],
      legend: { show: false },
      series: [{ label: box.dataset.x }, ...series],
    };
    charts.set(box, new uPlot(options, columns(box), box));
  }

  function show() {
    for (const box of charts.keys()) {
      if (box.isConnected) continue;
      charts.get(box).destroy();
      charts.delete(box);
    }
    for (const box of boxes()) {
      if (!jobsOf(box).some((job) => points.get(job)?.length)) continue;
      if (charts.has(box)) charts.get(box).setData(columns(box));
      else {
        draw(box);
        sizes.observe(box);
      }
    }
  }

  async function fetchPoints(job) {
    const own = points.get(job) ?? [];
    points.set(job, own);
    try {
      const after = own.length ? own.at(-1).step : -1;
      const reply = await fetch(`/api/v1/jobs/${job}/metrics?after=${after}&max_points=${POINTS}`);
      if (reply.ok) own.push(...(await reply.json()).data);
    } catch {
      // the next change asks again
    }
  }

  async function pull() {
    const jobs = new Set(boxes().flatMap(jobsOf));
    if (!jobs.size) return;
    if (pulling) {
      again = true;
      return;
    }
    pulling = true;
    if (part.dataset.attempt !== attempt) {
      // a new attempt goes back to its checkpoint and reports the steps after it again
      attempt = part.dataset.attempt;
      points.clear();
    }
    await Promise.all([...jobs].map(fetchPoints));
    pulling = false;
    show();
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
  document.addEventListener('input', (event) => {
    if (event.target.matches('[data-smooth]')) {
      smooth = Number(event.target.value) / 100;
      event.target.nextElementSibling.textContent = smooth ? `${event.target.value} %` : '';
    } else if (event.target.matches('[data-log]')) log = event.target.checked;
    else return;
    for (const box of charts.keys()) draw(box);
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => [...charts.keys()].forEach(draw));
  document.addEventListener('aigc:updated', pull);
  pull();
})();
