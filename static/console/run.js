// A run's page: where its time went. Lengths are data here, and drawn by script: no inline style.
"use strict";
(() => {
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const { lasted, say } = window.runsite;

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

  function split(now) {
    const box = $(".split");
    if (!box) return;
    const parts = $$("[data-ms]", box);
    const grown = Math.max(now - Number(box.dataset.at), 0);
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

  const draw = (now) => split(now);
  document.addEventListener("tick", (event) => draw(event.detail));
  draw(Number(document.body.dataset.now));
})();
