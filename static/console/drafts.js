// What is typed into a form that has a data-draft outlives a reload, an ended session and a server
// that does not answer: this browser keeps it for a day, until the form was taken or somebody
// signs out.
"use strict";
(() => {
  const { $$ } = window.runsite;
  const drafted = "form[data-draft]";
  const PREFIX = "draft:";
  const DAY = 24 * 3600 * 1000;
  const store = localStorage;
  const keyOf = (form) => PREFIX + form.dataset.draft;
  const fields = (form) => [...form.elements].filter((field) => field.name && field.matches("textarea, select, input:not([type=hidden])"));
  const ticks = (field) => field.matches("[type=checkbox], [type=radio]");
  const nameOf = (field) => (ticks(field) ? `${field.name}=${field.value}` : field.name);
  const valueOf = (field) => (ticks(field) ? field.checked : field.value);
  const first = (field) => {
    if (ticks(field)) return field.defaultChecked;
    return field.matches("select") ? [...field.options].find((option) => option.defaultSelected)?.value ?? "" : field.defaultValue;
  };

  const read = (key) => JSON.parse(store.getItem(key) || "{}");

  function save(form) {
    // Only what differs from the page: the rest is the server's to fill, perhaps anew.
    const typed = fields(form).filter((field) => valueOf(field) !== first(field));
    const values = Object.fromEntries(typed.map((field) => [nameOf(field), valueOf(field)]));
    const at = Date.now();
    try {
      store.setItem(keyOf(form), JSON.stringify({ at, values }));
    } catch { return; } // the browser keeps no more
    const line = form.querySelector("[data-drafted]");
    if (line) line.textContent = `Draft saved ${new Date(at).toISOString().slice(11, 19)} UTC`;
  }

  // A form that the server has filled with what was typed is newer than its draft.
  function restore() {
    for (const form of $$(`${drafted}:not([data-typed])`)) {
      const { values = {} } = read(keyOf(form));
      for (const field of fields(form)) {
        const kept = values[nameOf(field)];
        if (kept === undefined || valueOf(field) !== first(field)) continue;
        if (ticks(field)) field.checked = kept;
        else field.value = kept;
      }
    }
  }

  document.addEventListener("input", (event) => {
    const form = event.target.closest(drafted);
    if (form) save(form);
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest(drafted);
    if (form && ticks(event.target)) save(form);
  });

  // A form that was taken is no longer there.
  document.addEventListener("htmx:after:swap", (event) => {
    const form = event.detail.ctx?.sourceElement?.closest(drafted);
    const gone = form && !$$(drafted).some((one) => keyOf(one) === keyOf(form));
    if (gone && event.detail.ctx.response?.status === 200) store.removeItem(keyOf(form));
    restore();
  });

  // A form without htmx was answered if a page of the console comes next: after a refusal that
  // shows what was typed. The sign-in page, an error and a way back in the history do not count.
  document.addEventListener("submit", (event) => {
    const form = event.target.closest(drafted);
    if (form && !form.hasAttribute("hx-post")) sessionStorage.setItem("sent", keyOf(form));
    if (event.target.action.endsWith("/logout/")) drafts().forEach((key) => store.removeItem(key));
  });
  const drafts = () => Object.keys(store).filter((key) => key.startsWith(PREFIX));
  const sent = sessionStorage.getItem("sent");
  const cameBack = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
  if (sent && document.querySelector(".rail") && !cameBack) store.removeItem(sent);
  sessionStorage.removeItem("sent");
  for (const key of drafts()) if (!(Date.now() - read(key).at < DAY)) store.removeItem(key);

  restore();
})();
