// What the console's pages do beyond links and forms. Loaded before htmx, so that no event of
// the socket is missed. Without it every page can still be read, and every form still works.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

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
    const live = $("#live[hx-ws\\:connect]");
    for (const time of $$("[data-until]")) { // a deadline passes whether we are connected or not
      const left = Math.max(Math.floor((Number(time.dataset.until) - now()) / 1000), 0);
      say(time, `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`);
    }
    if (live && (state === "reconnecting" || state === "offline")) {
      const left = Math.ceil((Number($("#retry").dataset.at) - Date.now()) / 1000);
      say($("#retry"), left > 0 ? `Retry now (in ${left} s)` : "Retry now");
    }
    if (live && state !== "live") return;
    for (const time of $$("[data-since]")) say(time, lasted(now() - Number(time.dataset.since)));
    for (const time of $$("[data-ago]")) say(time, ago(now() / 1000 - Number(time.dataset.ago)));
    document.dispatchEvent(new CustomEvent("tick", { detail: now() }));
  }

  // --- connection ---

  const words = {
    connecting: "Connecting…", live: "Live", reconnecting: "Reconnecting…", offline: "Offline",
    finished: "Finished", signin: "Sign in again", gone: "Deleted", paused: "Paused", full: "Too many pages open",
  };
  const OFFLINE_AFTER = 15000; // ms without a connection
  let state = "off";
  let lostAt = 0; // when the connection was lost, and at which event
  let lostEvent = 0;
  let line = null; // the connection of htmx's socket extension
  let paused = false;

  function show(next) {
    state = next;
    const pill = $("#pill");
    if (!pill) return;
    pill.dataset.state = next;
    say(pill, next === "reconnecting" && line?.attempt > 1 ? `Reconnecting (try ${line.attempt})` : words[next]);
    $("#retry").hidden = next !== "reconnecting" && next !== "offline";
    document.body.classList.toggle("stale", next !== "live" && next !== "finished");
  }

  const cursor = () => Number($("#cursor").dataset.number);

  function stand(connection, number) {
    const shown = $("#cursor");
    shown.dataset.number = number;
    say(shown, String(number));
    // Every way back in, a tab shown again too, connects with this address.
    const url = new URL(connection.url);
    url.searchParams.set("after", number);
    connection.url = url.href;
  }

  document.addEventListener("htmx:ws:before:connection", (event) => {
    line = event.detail.connection;
    nextTry();
    show(lostAt ? (navigator.onLine && Date.now() - lostAt < OFFLINE_AFTER ? "reconnecting" : "offline") : "connecting");
  });
  document.addEventListener("htmx:ws:after:connection", () => {
    show("live");
    if (lostAt) setTimeout(caughtUp, 500); // what was missed comes first, in few frames
    lostAt = 0;
  });

  function caughtUp() {
    if (state !== "live" || cursor() === lostEvent) return;
    say($("#caught"), `Caught up to event ${cursor()}`);
    setTimeout(() => say($("#caught"), ""), 5000);
  }

  // The extension tries again after this long, give or take a third.
  function nextTry() {
    const { reconnectDelay, reconnectMaxDelay } = line.config;
    const wait = line.attempt ? Math.min(reconnectDelay * 2 ** (line.attempt - 1), reconnectMaxDelay) : 0;
    $("#retry").dataset.at = Date.now() + wait;
  }

  function lost() {
    if (!lostAt) [lostAt, lostEvent] = [Date.now(), cursor()];
  }

  // A connection in place of the one there was, from where the page stands.
  function connect() {
    lost();
    if (line) {
      clearTimeout(line.timer);
      document.removeEventListener("visibilitychange", line.visibilityHandler);
      line.socket?.close(1000);
    }
    const old = $("#live");
    const url = new URL(old.getAttribute("hx-ws:connect"), location.href);
    url.searchParams.set("after", cursor());
    const fresh = document.createElement("div");
    fresh.id = old.id;
    fresh.setAttribute("hx-swap", "none");
    fresh.setAttribute("hx-ws:connect", url.pathname + url.search);
    old.replaceWith(fresh);
    window.htmx.process(fresh);
  }

  // The network has gone or come back, which a socket may not notice for minutes.
  for (const change of ["offline", "online"])
    addEventListener(change, () => { if (/live|ing$|offline/.test(state)) connect(); });

  function pause() {
    paused = !paused;
    say($("#pause"), paused ? "Resume" : "Pause");
    if (paused) {
      line?.socket?.close(1000);
      show("paused");
    } else {
      lostAt = Date.now();
      connect();
    }
  }

  document.addEventListener("htmx:ws:close", (event) => {
    lost();
    if (paused) return show("paused");
    const how = { 4001: "finished", 4401: "signin", 4404: "gone", 4429: "full" }[event.detail.code];
    if (how) return ended(how);
    show(document.hidden ? "paused" : "reconnecting");
  });

  function ended(how) {
    show(how);
    if (how === "signin") toast("Your session has ended.", signIn());
    if (how === "gone") {
      toast("This run was deleted, or is in another project than yours. What is shown is kept.");
      for (const button of $$("#cancel, .desk [data-send]")) button.disabled = true;
    }
    for (const button of $$("#follow, #jump, #pause")) button.remove();
  }

  document.addEventListener("htmx:ws:before:message:incoming", (event) => {
    const frame = JSON.parse(event.detail.message.data);
    if (frame.after === cursor()) return;
    event.detail.cancelled = true;
    // Older than the page: it has this already. Newer: something is missing, so ask from here.
    if (frame.number > cursor()) connect();
  });
  document.addEventListener("htmx:ws:after:message:incoming", (event) => {
    stand(event.detail.connection, JSON.parse(event.detail.message.data).number);
    settled();
  });

  // htmx starts from a timer, which may fire before the file of its socket extension is there;
  // the socket would then never open. By now every deferred file has run.
  document.addEventListener("DOMContentLoaded", () => window.htmx?.process(document.body));

  // --- after each change of the page ---

  let status = $("#run-head")?.dataset.status;

  function settled() {
    const head = $("#run-head");
    if (!head) return;
    if (head.dataset.status !== status) {
      status = head.dataset.status;
      say($("#announcer"), `Run: ${head.dataset.word}`);
      if (status === "requires_action") $(".desk").scrollIntoView({ block: "nearest" });
    }
    const send = $(".desk [data-send]");
    const expired = $(".desk .expired")?.textContent; // said by the desk, before the run does
    if (send) send.disabled = status !== "requires_action" || expired;
    tick();
    follow();
  }

  // The answer to a cancel may arrive after frames that know more.
  document.addEventListener("htmx:before:swap", (event) => {
    for (const task of event.detail.tasks) {
      const fresh = $("#run-head", task.fragment);
      if (fresh && Number(fresh.dataset.number) < Number($("#run-head").dataset.number)) {
        task.swapSpec.style = "none";
      }
    }
  });

  function focusMarked() { // once: what is swapped in later must not bring the focus back
    const marked = $("[data-focus]");
    marked?.removeAttribute("data-focus");
    marked?.focus({ preventScroll: marked.matches(".note") });
  }

  document.addEventListener("htmx:after:swap", (event) => {
    if (event.target.id === "live") return; // a frame: told of above
    focusMarked();
    settled();
  });

  // --- following the end of the timeline ---

  let scheduled = false;

  function follow() {
    if ($("#follow")?.getAttribute("aria-pressed") !== "true" || scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      const last = $("#steps")?.lastElementChild;
      if (last && !$(".desk form") && last.getBoundingClientRect().bottom > innerHeight - 40) {
        window.scrollBy(0, last.getBoundingClientRect().bottom - innerHeight + 80);
      }
    });
  }

  function setFollow(on) {
    $("#follow")?.setAttribute("aria-pressed", String(on));
    if ($("#jump")) $("#jump").hidden = on;
    if (on) follow();
  }

  const unfollow = () => setFollow(false);
  addEventListener("wheel", (event) => { if (event.deltaY < 0) unfollow(); }, { passive: true });
  addEventListener("keydown", (event) => { if (["PageUp", "ArrowUp", "Home"].includes(event.key)) unfollow(); });
  addEventListener("touchmove", unfollow, { passive: true });

  // --- notes about requests that failed; what was typed stays where it is ---

  function toast(text, link) {
    const box = $("#toast");
    const line = document.createElement("p");
    line.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    close.addEventListener("click", () => box.replaceChildren());
    box.replaceChildren(line, ...(link ? [link, " "] : []), close);
  }

  function signIn() {
    const link = document.createElement("a");
    link.href = `/console/login/?next=${encodeURIComponent(location.pathname)}`;
    link.textContent = "Sign in again";
    link.className = "button";
    return link;
  }

  document.addEventListener("htmx:response:error", (event) => {
    const { status: code, headers } = event.detail.ctx.response;
    if (code === 422) return;
    const request = headers.get("x-request-id");
    if (code === 401) return toast("Your session has ended. What you typed is kept.", signIn());
    if (code === 403) return toast("This page is out of date. What you typed is kept: reload the page and send it again.");
    if (code === 404) return toast("This no longer exists. What you typed is kept.");
    toast(`The server could not do this (${code}). What you typed is kept. Request ${request}`);
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx) toast("The server could not be reached. What you typed is kept: try again.");
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
    if (button.id === "follow") setFollow(button.getAttribute("aria-pressed") !== "true");
    if (button.id === "jump") setFollow(true);
    if (button.id === "pause") pause();
    if (button.id === "retry") connect();
  });

  async function copyText(button, text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // not a secure context: the old way
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1200);
  }

  window.runsite = { $, $$, lasted, say, copyText, toast }; // for the scripts of single pages

  // A login link: the token stands after the #, which no server or log ever sees.
  const enter = $("#enter-form");
  if (enter && location.hash.length > 1) {
    $("#token").value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
    enter.requestSubmit();
  }

  focusMarked();
  tick();
  setInterval(tick, 1000);
})();
