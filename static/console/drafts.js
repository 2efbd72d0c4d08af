// What is typed into a form that has a data-draft outlives a reload of this tab, an ended session
// and a server that does not answer. It is forgotten once the form was taken.
"use strict";
(() => {
  const drafted = "form[data-draft]";
  const draftOf = (form) => `draft:${form.dataset.draft}`;
  const kept = (form) => form.querySelectorAll("textarea, input:not([type=hidden]):not([type=checkbox])");

  function restore() {
    for (const form of document.querySelectorAll(drafted)) {
      const draft = JSON.parse(sessionStorage.getItem(draftOf(form)) || "{}");
      for (const field of kept(form)) if (!field.value && draft[field.name]) field.value = draft[field.name];
    }
  }

  document.addEventListener("input", (event) => {
    const form = event.target.closest(drafted);
    if (!form) return;
    const values = Object.fromEntries([...kept(form)].map((field) => [field.name, field.value]));
    sessionStorage.setItem(draftOf(form), JSON.stringify(values));
  });

  document.addEventListener("htmx:after:swap", restore);
  document.addEventListener("htmx:after:request", (event) => {
    const form = event.detail.ctx.sourceElement.closest(drafted);
    if (form && event.detail.ctx.response?.status === 200) sessionStorage.removeItem(draftOf(form));
  });

  // A form without htmx was answered if a page of the console comes next: after a refusal that
  // shows what was typed. The sign-in page, an error and a way back in the history do not count.
  document.addEventListener("submit", (event) => {
    const form = event.target.closest(drafted);
    if (form && !form.hasAttribute("hx-post")) sessionStorage.setItem("sent", draftOf(form));
  });
  const sent = sessionStorage.getItem("sent");
  const cameBack = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
  if (sent && document.querySelector(".rail") && !cameBack) sessionStorage.removeItem(sent);
  sessionStorage.removeItem("sent");

  restore();
})();
