// The palette: all that can be pressed on this page, by its words. keys.js loads it.
"use strict";
(() => {
  const { $$, make, there, typing, press } = window.runsite;
  const palette = document.getElementById("palette");
  const field = palette.querySelector("input");
  const list = palette.querySelector("ul");

  const words = (element) =>
    (element.getAttribute("aria-label") || element.dataset.label || element.textContent || element.title).trim().replace(/\s+/g, " ");

  function choices(text) {
    const wanted = text.toLowerCase();
    const found = $$("[data-key]").filter((element) => there(element) && !typing(element))
      .map((element) => ({ label: words(element), key: element.dataset.key, run: () => press(element) }))
      .filter(({ label }) => label && label.toLowerCase().includes(wanted));
    const go = palette.dataset.go + encodeURIComponent(text.trim());
    if (text.trim()) found.push({ label: `Search for “${text.trim()}”`, key: "", run: () => location.assign(go) });
    return found;
  }

  function fill() {
    list.replaceChildren(...choices(field.value).map(({ label, key, run }) => {
      const line = document.createElement("li");
      const button = make("button", { type: "button", textContent: label });
      if (key && key !== "Escape") button.append(" ", make("kbd", { textContent: key }));
      button.addEventListener("click", () => { palette.close(); run(); });
      line.append(button);
      return line;
    }));
  }

  function openPalette() {
    if (palette.open) return;
    field.value = "";
    fill();
    palette.showModal();
    field.focus();
  }

  field.addEventListener("input", fill);
  palette.addEventListener("keydown", (event) => {
    const buttons = $$("button", list);
    const at = buttons.indexOf(document.activeElement);
    if (event.key === "Enter" && event.target === field) {
      event.preventDefault();
      buttons[0]?.click();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      (buttons[next] || field).focus();
    }
  });

  window.runsite.openPalette = openPalette;
  openPalette();
})();
