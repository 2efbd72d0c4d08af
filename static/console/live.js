// What keeps a run's page live. Loaded before htmx, so that no event of the socket is missed.
"use strict";
(() => {
  const { $, $$, make, say, tick, toast } = window.runsite;

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

  function countDown() {
    const left = Math.ceil((Number($("#retry").dataset.at) - Date.now()) / 1000);
    say($("#retry"), left > 0 ? `Retry now (in ${left} s)` : "Retry now");
  }
  setInterval(() => line && countDown(), 1000); // a run that had ended has no such button

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
    const fresh = make("div", { id: old.id });
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

  let status = $("#run-head").dataset.status;

  function settled() {
    const head = $("#run-head");
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

  document.addEventListener("htmx:after:swap", (event) => {
    if (event.target.id !== "live") settled(); // a frame is told of above
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
  addEventListener("keydown", (event) => { if (["PageUp", "ArrowUp", "Home", "Tab"].includes(event.key)) unfollow(); });
  addEventListener("touchmove", unfollow, { passive: true });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.id === "follow") setFollow(button.getAttribute("aria-pressed") !== "true");
    if (button?.id === "jump") setFollow(true);
    if (button?.id === "pause") pause();
    if (button?.id === "retry") connect();
  });
})();
