// The desk: one output as a form and as JSON, checked while it is typed; a deadline that passes.
// Without this all of it still works: each way of answering keeps what was typed there, and the
// server puts them together (runs/console/parts.py, which reads a form by the same rules).
"use strict";
(() => {
  const { $$, now, say } = window.runsite;
  const ABSENT = undefined;
  // Numbers keep the digits they were written with, where the browser can do that.
  const exact = (key, value, context) =>
    typeof value === "number" && context?.source && String(value) !== context.source && JSON.rawJSON
      ? JSON.rawJSON(context.source) : value;
  const digits = (value) => (JSON.isRawJSON?.(value) ? Number(value.rawJSON) : value);

  function parse(text) {
    try { return JSON.parse(text, exact); } catch { return ABSENT; }
  }

  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && !JSON.isRawJSON?.(value);
  const isNumber = (value) => typeof digits(value) === "number";
  const steps = (name) => name.split("/").slice(1).map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  const nullOf = (field) => field.form.elements[`${field.name}~null`];

  // --- one field: what it shows of a value, and the value that was typed ---

  function shown(field, value) {
    const { kind, items } = field.dataset;
    if (value === ABSENT || (value === null && nullOf(field))) return "";
    if (kind === "json") return JSON.stringify(value);
    if (kind === "choice") return [...field.options].find((option) => option.value && same(parse(option.value), value))?.value ?? "";
    if (kind === "list") {
      const fit = items === "text" ? (item) => typeof item === "string" && !/[\r\n]/.test(item) : isNumber;
      return Array.isArray(value) && value.every(fit) ? value.map((item) => (items === "text" ? item : JSON.stringify(item))).join("\n") : "";
    }
    if (kind === "text") return typeof value === "string" && !value.includes("\r") ? value : "";
    return isNumber(value) ? JSON.stringify(value) : "";
  }

  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

  function typed(field) {
    const { kind, items } = field.dataset;
    const text = field.value;
    if (nullOf(field)?.checked) return null;
    if (kind === "list" && !text && field.matches("[data-required]")) return [];
    if (!text) return ABSENT;
    if (kind === "list") return text.split("\n").map((line) => (items === "text" ? line : parse(line) ?? line));
    return kind === "text" ? text : parse(text) ?? text; // no number: said when it is sent
  }

  const untouched = (field, value) => field.value === shown(field, value) && Boolean(nullOf(field)?.checked) === (value === null && Boolean(nullOf(field)));

  // --- a form and its JSON ---

  const fieldsOf = (answer) => $$(".by-form [data-kind]", answer);

  function at(value, path) {
    for (const step of path) value = isObject(value) && Object.hasOwn(value, step) ? value[step] : ABSENT;
    return value;
  }

  function put(value, path, part) {
    if (!path.length) return part;
    const [step, ...rest] = path;
    const copy = isObject(value) ? value : {};
    const inner = put(Object.hasOwn(copy, step) ? copy[step] : ABSENT, rest, part);
    if (inner === ABSENT) delete copy[step];
    else Object.defineProperty(copy, step, { value: inner, enumerable: true, configurable: true, writable: true });
    return Object.keys(copy).length || isObject(value) ? copy : ABSENT;
  }

  function formToText(answer) {
    const area = answer.querySelector("[data-output]");
    if (area.value.trim() && parse(area.value) === ABSENT) return; // a text is not overwritten
    let value = parse(area.value);
    const changed = fieldsOf(answer).filter((field) => !untouched(field, at(value, steps(field.name))));
    for (const field of changed) value = put(value, steps(field.name), typed(field));
    if (changed.length && value !== ABSENT) area.value = JSON.stringify(value, null, 2);
  }

  function textToForm(answer) {
    const value = parse(answer.querySelector("[data-output]").value);
    if (value === ABSENT) return; // nothing that a form could show
    for (const field of fieldsOf(answer)) {
      const own = at(value, steps(field.name));
      field.value = shown(field, own);
      if (nullOf(field)) nullOf(field).checked = own === null;
    }
  }

  // --- JSON checked live; plain text is never wrong ---

  function check(area) {
    const line = area.closest(".field").querySelector(".check");
    const text = area.value.trim();
    const mode = area.closest(".answer").querySelector("[name^='mode-']:checked")?.value ?? "text";
    let found = "";
    if (text && parse(text) !== ABSENT) found = "Valid JSON.";
    else if (text && mode === "json") found = "Not JSON yet.";
    else if (text) found = "Plain text: sent as it is.";
    line.toggleAttribute("data-good", found.startsWith("Valid"));
    say(line, found);
  }

  document.addEventListener("input", ({ target }) => { if (target.matches(".desk [data-output]")) check(target); });
  document.addEventListener("change", ({ target }) => {
    if (!target.matches(".desk [name^='mode-']")) return;
    const answer = target.closest(".answer");
    if (target.value === "form") textToForm(answer);
    else if (answer.dataset.mode === "form") formToText(answer);
    answer.dataset.mode = target.value;
    check(answer.querySelector("[data-output]"));
    target.dispatchEvent(new Event("input", { bubbles: true })); // the draft holds both ways
  });

  function settle() {
    for (const answer of $$(".desk .answer")) {
      answer.dataset.mode ??= answer.querySelector("[name^='mode-']:checked")?.value ?? "text";
      check(answer.querySelector("[data-output]"));
    }
  }

  // --- the deadline ---

  function expire() {
    for (const time of $$(".desk [data-until]")) {
      if (Number(time.dataset.until) > now()) continue;
      const form = time.closest("form");
      time.closest(".left").textContent = "Expired";
      form.querySelector("[data-send]").disabled = true;
      form.querySelector(".expired").textContent = "Expired: the run takes no outputs any more. What you typed is kept here, to be copied.";
    }
  }

  document.addEventListener("htmx:after:swap", settle);
  document.addEventListener("DOMContentLoaded", () => { settle(); expire(); });
  setInterval(expire, 1000);
})();
