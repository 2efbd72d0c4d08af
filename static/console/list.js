// The list of runs: kept current in place, and walked by keys. Without it the list is a page like
// any other, to be reloaded.
"use strict";
(() => {
  const EVERY = 3000; // ms
  const live = document.querySelector("#list-live");

  // --- rows that have not ended change where they stand; nothing is put above them ---

  let asking = false;

  async function look() {
    if (!live || asking || document.hidden || live.getAttribute("aria-pressed") !== "true") return;
    asking = true;
    try {
      const response = await fetch(live.dataset.url, { headers: { "HX-Request": "true" } });
      if (response.status === 401) live.setAttribute("aria-pressed", "false"); // and asks no more
      if (!response.ok) throw new Error(response.status);
      patch(new DOMParser().parseFromString(await response.text(), "text/html"));
      say("Live", "");
    } catch { // said on the page, and tried again
      say("Not live", "lost");
    } finally {
      asking = false;
    }
  }

  function say(text, state) {
    if (live.textContent !== text) live.textContent = text;
    live.dataset.state = state;
  }

  function patch(fresh) {
    for (const row of fresh.querySelectorAll("tr[data-row]")) {
      const shown = document.getElementById(row.id);
      if (!shown) continue;
      shown.dataset.status = row.dataset.status;
      [...row.cells].forEach((cell, index) => replace(shown.cells[index], cell));
    }
    for (const part of fresh.querySelectorAll("#facets > a")) {
      replace(document.querySelector(`#facets > a[href="${CSS.escape(part.getAttribute("href"))}"]`), part);
    }
    replace(document.querySelector("#new-runs"), fresh.querySelector("#new-runs"));
  }

  // What is focused, ticked or has not changed stays as it is.
  function replace(shown, fresh) {
    if (!shown || shown.contains(document.activeElement) || shown.querySelector("input")) return;
    if (shown.className !== fresh.className) shown.className = fresh.className;
    if (shown.innerHTML !== fresh.innerHTML) shown.replaceChildren(...fresh.childNodes);
  }

  if (live) {
    live.addEventListener("click", () => {
      live.setAttribute("aria-pressed", live.getAttribute("aria-pressed") !== "true");
      say("Live", "");
      look();
    });
    document.addEventListener("visibilitychange", look);
    setInterval(look, EVERY);
  }

  // --- back from a run: its row has the focus ---

  const link = (row) => row?.querySelector(".main a");
  addEventListener("pageshow", () => { // the browser takes the focus away when it scrolls to the row
    const came = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (came) link(came)?.focus();
  });

  // --- selecting: one by one, with Shift up to the last one, all of the page, or all matching ---

  const bulk = document.querySelector("#bulk");
  const picks = () => [...document.querySelectorAll(".runs input[name=run]")];
  let last = null;

  function picked() {
    const number = picks().filter((pick) => pick.checked).length;
    document.querySelector("#picked").textContent = number && !bulk.all.checked ? `${number} selected` : "";
    bulk.toggleAttribute("data-some", Boolean(number) || bulk.all.checked);
    const every = document.querySelector("#pick-all");
    every.checked = number === picks().length;
    every.indeterminate = Boolean(number) && !every.checked;
  }

  document.addEventListener("click", (event) => {
    const pick = event.target.closest(".runs input[name=run]");
    if (!pick) return;
    const all = picks();
    if (event.shiftKey && last) {
      const [from, to] = [all.indexOf(last), all.indexOf(pick)].sort((a, b) => a - b);
      for (const between of all.slice(from, to + 1)) between.checked = pick.checked;
    }
    last = pick;
    picked();
  });

  if (bulk) {
    bulk.all.addEventListener("change", picked);
    document.querySelector("#pick-all").addEventListener("change", (event) => {
      for (const pick of picks()) pick.checked = event.target.checked;
      picked();
    });
    addEventListener("pageshow", picked); // the browser may have kept what was ticked
  }

  // --- the choices of the form take effect at once ---

  document.addEventListener("change", (event) => {
    if (event.target.matches(".filters > .filter > select")) event.target.form.requestSubmit();
  });
})();
