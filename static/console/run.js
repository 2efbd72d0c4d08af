// A run's page: where its time went, its steps on a time axis, and texts fetched when they are
// asked for. Lengths are data here and are set through CSSOM: the policy allows no inline style.
"use strict";
(() => {
  const { $, $$, make, lasted, say, copyText, toast } = window.runsite;
  const head = () => $("#run-head");
  let clock = Number(document.body.dataset.now); // the server's time, as far as the page is live

  // --- the split ---

  // Whole percents that add up to 100; runs/console/split.py does it the same way.
  function percents(amounts) {
    const total = amounts.reduce((sum, amount) => sum + amount, 0);
    if (!total) return amounts.map((_, i) => (i ? 0 : 100));
    const exact = amounts.map((amount) => (amount * 100) / total);
    const whole = exact.map(Math.floor);
    const byRest = whole.map((_, i) => i).sort((a, b) => exact[b] - whole[b] - (exact[a] - whole[a]));
    for (const i of byRest.slice(0, 100 - whole.reduce((sum, n) => sum + n, 0))) whole[i] += 1;
    return whole;
  }

  function split() {
    const box = $(".split");
    if (!box) return;
    const parts = $$("[data-ms]", box);
    const grown = Math.max(clock - Number(box.dataset.at), 0);
    const amounts = parts.map((part) => Number(part.dataset.ms) + ("grows" in part.dataset ? grown : 0));
    const total = amounts.reduce((sum, amount) => sum + amount, 0) || 1;
    const whole = percents(amounts);
    let x = 0;
    $$("rect", box).forEach((rect, i) => {
      rect.setAttribute("x", x);
      rect.setAttribute("width", (amounts[i] * 100) / total);
      x += (amounts[i] * 100) / total;
    });
    if (!$("[data-grows]", box)) return;
    parts.forEach((part, i) => {
      say($("dd", part).firstChild, `${lasted(amounts[i])} `);
      say($("small", part), `${whole[i]} %`);
    });
  }

  // --- the time axis: milliseconds since the run's creation, without the idle times that are folded ---

  const LABEL = 76; // px of a label of the axis
  const FOLDED = 0.04; // what is left of a folded time, as a share of the rest
  const axis = $(".axis");

  function scale() {
    const data = head().dataset;
    const total = Math.max((data.ended ? Number(data.ended) : clock) - Number(data.created), 1);
    const folds = JSON.parse(data.folds).map(([a, b]) => [a, b ?? total]).filter(([a, b]) => b - a > total / 5);
    const folded = folds.reduce((sum, [a, b]) => sum + b - a, 0);
    const left = Math.max((total - folded) * FOLDED, 1);
    const seen = (t) => folds.reduce(
      (sum, [a, b]) => sum - Math.min(Math.max(t - a, 0), b - a) * (1 - left / (b - a)), t);
    const [lo, hi] = axis.dataset.range ? axis.dataset.range.split("-").map(Number) : [0, total];
    const at = (t) => (seen(t) - seen(lo)) / (seen(hi) - seen(lo));
    return { at, folds, lo, hi, total };
  }

  function nice(least) { // 1, 2 or 5 times a power of ten
    const size = 10 ** Math.floor(Math.log10(least));
    return size * [1, 2, 5, 10].find((n) => n * size >= least);
  }

  function ticks({ at, folds, lo, hi }) {
    const most = Math.max($("#ticks").clientWidth / LABEL, 1);
    const room = hi - lo - folds.reduce((sum, [a, b]) => sum + Math.max(Math.min(b, hi) - Math.max(a, lo), 0), 0);
    const step = nice(Math.max(room / most, 1));
    const labels = folds.filter(([a, b]) => b > lo && a < hi).map(([a, b]) => [(at(a) + at(b)) / 2, `⋯ ${lasted(b - a)} idle`, "fold"]);
    const inFold = (t) => folds.find(([a, b]) => t > a && t < b);
    const beyond = (t, by) => Math.ceil(inFold(t + by)[1] / by) * by; // a folded hour has many seconds
    for (let t = Math.ceil(lo / step) * step; t <= hi; t = inFold(t + step) ? beyond(t, step) : t + step) {
      if (labels.some(([x]) => Math.abs(x - at(t)) * most < 1)) continue;
      labels.push([at(t), step < 1000 ? `${t} ms` : `${t / 1000} s`, ""]);
    }
    const marks = labels.map(([x, text, kind]) => {
      const mark = make("span", { className: kind, textContent: text });
      mark.style.setProperty("--x", x.toFixed(4));
      return mark;
    });
    $("#ticks").replaceChildren(...marks);
  }

  function segment(bar, kind, from, to) {
    const piece = $(`.${kind}`, bar) || bar.appendChild(make("span"));
    piece.className = kind;
    piece.style.setProperty("--x", from.toFixed(4));
    piece.style.setProperty("--w", Math.max(to - from, 0).toFixed(4));
  }

  function bars() {
    if (!axis || !head()) return;
    const now = scale();
    ticks(now);
    for (const line of $$(".steps .step-line")) {
      const bar = $(".bar", line);
      const { s, a, e } = line.dataset;
      if (a) segment(bar, "waits", now.at(Number(a)), now.at(Number(s)));
      segment(bar, "works", now.at(Number(s)), now.at(e ? Number(e) : now.total));
    }
  }

  function zoom(lo, hi) {
    const { total } = scale();
    const [from, to] = [Math.max(Math.round(lo), 0), Math.min(Math.round(hi), Math.ceil(total))];
    axis.dataset.range = from <= 0 && to >= total ? "" : `${from}-${Math.max(to, from + 1)}`;
    const url = new URL(location.href);
    if (axis.dataset.range) url.searchParams.set("range", axis.dataset.range);
    else url.searchParams.delete("range");
    history.replaceState(history.state, "", url);
    bars();
  }

  const zooms = {
    in: ({ lo, hi }) => zoom(lo + (hi - lo) / 4, hi - (hi - lo) / 4),
    out: ({ lo, hi }) => zoom(lo - (hi - lo) / 2, hi + (hi - lo) / 2),
    all: ({ total }) => zoom(0, total),
  };

  let dragFrom = null;
  const share = (event) => {
    const box = $("#ticks").getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  };
  function timeAt(x) { // the inverse of the scale, which is steady: by halving
    const { at, lo, hi } = scale();
    let [a, b] = [lo, hi];
    for (let n = 0; n < 40; n += 1) [a, b] = at((a + b) / 2) < x ? [(a + b) / 2, b] : [a, (a + b) / 2];
    return a;
  }
  $("#ticks")?.addEventListener("pointerdown", (event) => {
    dragFrom = share(event);
    event.target.setPointerCapture?.(event.pointerId);
  });
  $("#ticks")?.addEventListener("pointercancel", () => { dragFrom = null; });
  $("#ticks")?.addEventListener("pointerup", (event) => {
    if (dragFrom === null) return; // it was pressed elsewhere
    const [a, b] = [dragFrom, share(event)].sort((x, y) => x - y);
    dragFrom = null;
    if (b - a > 0.01) zoom(timeAt(a), timeAt(b));
  });

  // --- what is fetched when it is asked for ---

  async function fetched(url, headers = {}) {
    const response = await fetch(url, { headers }).catch(() => null);
    if (response?.ok) return response.text();
    toast(response ? `Could not load this (${response.status}).` : "The server could not be reached.");
    return null;
  }

  document.addEventListener("toggle", async (event) => {
    const details = event.target;
    if (!details.open || !details.matches(".step > details") || $(".step-body", details)) return;
    const html = await fetched($(".step-foot a", details).href, { "HX-Request": "true" });
    if (html !== null && !$(".step-body", details)) $(".step-foot", details).insertAdjacentHTML("beforebegin", html);
  }, true);

  document.addEventListener("click", async (event) => {
    const zoomer = event.target.closest("[data-zoom]");
    if (zoomer) zooms[zoomer.dataset.zoom](scale());
    const copier = event.target.closest("[data-copy-url]");
    if (copier) {
      const text = await fetched(copier.dataset.copyUrl);
      if (text !== null) copyText(copier, text);
    }
    const all = event.target.closest("[data-all]");
    if (all && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const note = all.closest(".rest");
      const text = await fetched(all.href);
      if (text === null) return;
      (note.previousElementSibling.querySelector("pre") || note.previousElementSibling).textContent = text;
      note.remove();
    }
  });

  // In the compact view a step is a line until somebody opens it; frames bring them open.
  const seen = new WeakSet();
  function close() {
    for (const details of $$(".compact details")) {
      if (!seen.has(details)) details.open = details.closest(".chosen") !== null;
      seen.add(details);
    }
  }

  function draw() {
    split();
    bars();
    close();
  }
  document.addEventListener("tick", (event) => {
    clock = event.detail;
    draw();
  });
  draw();
})();
