// Keys: each element says in data-key which key presses it ("c", "g r", "X" for Shift+X).
// Of two with one key the later has it: the page's own search before the one of every page.
// Nothing here does what no link or button does.
"use strict";
(() => {
  const { $, $$, make } = window.runsite;
  const single = document.documentElement.dataset.shortcuts !== "off";
  const typing = (element) => element.closest(
    "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  // A link works where a narrow window hides it, too.
  const there = (element) => element.matches("a[href]") || (element.checkVisibility() && !element.disabled);
  const named = (key) => $$("[data-key]").findLast((element) => element.dataset.key === key && there(element));

  function press(element) {
    if (element.dataset.asks && !confirm(element.dataset.asks)) return;
    if (typing(element)) {
      element.focus();
      element.select?.();
    } else element.click();
  }

  // --- rows of a list: one of them has the focus, on its link ---

  const linkOf = (row) => row.querySelector(".main a, a");

  function move(by) {
    const rows = $$("[data-row]").filter(there);
    const at = rows.indexOf(document.activeElement.closest("[data-row]"));
    const row = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1)];
    if (row) linkOf(row).focus();
    return Boolean(row);
  }

  function inRow(event) {
    const row = document.activeElement.closest("[data-row]");
    const by = { j: 1, k: -1, ...(row && { ArrowDown: 1, ArrowUp: -1 }) }[event.key];
    if (by) return move(by);
    if (event.key !== "x" || !row) return false;
    row.querySelector("input[type=checkbox]")?.click();
    return true;
  }

  // --- the dispatcher ---

  let prefix = "";
  let forget;

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "k" && palette) {
      event.preventDefault();
      return openPalette();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if ($("dialog[open]")) return;
    if (event.key === "Escape") {
      if (typing(event.target)) return event.target.blur();
      return named("Escape")?.click();
    }
    if (!single || typing(event.target)) return;
    const key = prefix + event.key;
    prefix = "";
    clearTimeout(forget);
    const element = named(key);
    if (element) {
      event.preventDefault();
      press(element);
    } else if (inRow(event)) event.preventDefault();
    else if (event.key === "g") {
      prefix = "g ";
      forget = setTimeout(() => { prefix = ""; }, 1500);
    }
  });

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener && document.getElementById(opener.dataset.dialog);
    if (dialog) {
      event.preventDefault();
      fetched(dialog, opener.href);
      dialog.showModal();
    }
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  });

  // What a dialog shows is a part of the page that its opener leads to without a script.
  async function fetched(dialog, url) {
    const place = dialog.querySelector("[data-from]");
    if (!place || place.hasChildNodes()) return;
    const page = new DOMParser().parseFromString(await (await fetch(url)).text(), "text/html");
    place.replaceChildren(...$$(place.dataset.from, page));
  }

  // --- the palette: its script is loaded when it is first asked for ---

  const palette = $("#palette");

  function openPalette() {
    const { runsite } = window;
    if (runsite.openPalette) return runsite.openPalette();
    Object.assign(runsite, { there, typing, press });
    document.head.append(make("script", { src: palette.dataset.script }));
  }
})();
