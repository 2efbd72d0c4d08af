// What every page of the console does beyond links and forms. Without it every page can still be
// read, and every form still works.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (name, properties) => Object.assign(document.createElement(name), properties);

  // --- clocks: the server's time, and frozen while the page is not live ---

  const ahead = Number(document.body.dataset.now || Date.now()) - Date.now();
  const now = () => Date.now() + ahead;

  function lasted(ms) {
    const seconds = Math.max(ms, 0) / 1000;
    if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
    if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
    const whole = Math.round(seconds);
    const two = (n) => String(n).padStart(2, "0");
    if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
    return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`;
  }

  function ago(seconds) {
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]])
      if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
    return seconds < 10 ? "just now" : `${Math.floor(seconds)} s ago`;
  }

  const say = (node, text) => { if (node.textContent !== text) node.textContent = text; };

  function tick() {
    for (const time of $$("[data-until]")) { // a deadline passes whether we are connected or not
      const left = Math.max(Math.floor((Number(time.dataset.until) - now()) / 1000), 0);
      say(time, `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`);
    }
    if (document.body.classList.contains("stale")) return;
    for (const time of $$("[data-since]")) say(time, lasted(now() - Number(time.dataset.since)));
    for (const time of $$("[data-ago]")) say(time, ago(now() / 1000 - Number(time.dataset.ago)));
    document.dispatchEvent(new CustomEvent("tick", { detail: now() }));
  }

  // --- notes about requests that failed; what was typed stays where it is ---

  function toast(text, link) {
    const box = $("#toast");
    const close = make("button", { type: "button", textContent: "Close", onclick: () => box.replaceChildren() });
    box.replaceChildren(make("p", { textContent: text }), ...(link ? [link, " "] : []), close);
  }

  function again({ detail: { ctx: { sourceElement } } }) {
    if (!sourceElement.matches("form")) return null;
    const onclick = () => {
      $("#toast").replaceChildren();
      $("[data-send]:not(:disabled)", sourceElement)?.click();
    };
    return make("button", { type: "button", textContent: "Try again", onclick });
  }

  function signIn() {
    const href = `/console/login/?next=${encodeURIComponent(location.pathname + location.search)}`;
    return make("a", { href, className: "button", textContent: "Sign in again" });
  }

  document.addEventListener("htmx:response:error", (event) => {
    const { response: { status: code, headers }, text } = event.detail.ctx;
    if (code === 422) return;
    if (code === 401) return toast("Your session has ended. What you typed is kept.", signIn());
    const told = headers.get("content-type")?.startsWith("text/plain") ? text : "This page is out of date: reload it and send it again.";
    const what = { 403: told, 404: "This no longer exists." }[code] ?? `The server could not do this (${code}).`;
    const id = headers.get("x-request-id");
    toast(`${what} What you typed is kept.${id ? ` Request ${id}` : ""}`, code >= 500 && again(event));
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx) toast("The server could not be reached. What you typed is kept.", again(event));
  });

  document.addEventListener("htmx:after:request", (event) => {
    if (event.detail.ctx.response?.status === 200) $("#toast").replaceChildren();
  });

  // --- small things ---

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.target.closest("form")?.querySelector("[data-send]:not(:disabled)")?.click();
    }
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { copy, copyFrom, fill, value, valueFrom } = button.dataset;
    if (copy || copyFrom) copyText(button, copy || $(copyFrom).textContent);
    if (fill) {
      const field = $(fill);
      field.value = value || $(valueFrom).content.textContent;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.focus();
      field.setSelectionRange(0, 0);
      field.scrollTop = 0;
    }
  });

  async function copyText(button, text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // not a secure context: the old way
      const field = make("textarea", { value: text });
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1200);
  }

  function focusMarked() { // once: what is swapped in later must not bring the focus back
    const marked = $("[data-focus]");
    marked?.removeAttribute("data-focus");
    marked?.focus({ preventScroll: marked.matches(".note") });
  }

  document.addEventListener("htmx:after:swap", (event) => {
    if (event.target.id === "live") return; // a frame asks for no focus
    focusMarked();
    tick();
  });

  // For the scripts of single pages.
  window.runsite = { $, $$, make, now, lasted, say, tick, copyText, toast, signIn };

  focusMarked();
  tick();
  setInterval(tick, 1000);
})();
