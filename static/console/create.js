// The form for a new run: settings go back to what is inherited, and pairs of metadata are added.
"use strict";
(() => {
  const form = document.querySelector("#run-form");

  const changed = (field) => field.dispatchEvent(new Event("input", { bubbles: true }));

  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.reset) {
      const field = document.getElementById(button.dataset.reset);
      field.value = "";
      changed(field);
      field.focus();
    }
    if (button?.hasAttribute("data-add-pair")) {
      const row = form.querySelector(".spare");
      row?.classList.remove("spare");
      row?.querySelector("input").focus();
      button.disabled = !form.querySelector(".spare");
    }
  });

  form.addEventListener("input", () => {
    const keys = [...form.querySelectorAll("[name^=metadata_key_]")];
    const used = keys.filter((key) => key.value).length;
    document.querySelector("#pairs-used").textContent = `${used} of ${keys.length} pairs`;
  });

  // The preview brings along what each empty field stands for under the assistant chosen now.
  document.addEventListener("htmx:after:swap", () => {
    for (const item of document.querySelectorAll("#inherited li")) {
      const field = document.getElementById(item.dataset.for);
      if (field.options) field.options[0].textContent = item.textContent;
      else field.placeholder = item.textContent;
    }
  });
})();
