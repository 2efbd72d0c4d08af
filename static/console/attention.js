// What waits for a person, in the navigation and in the title, on every page and in hidden tabs too.
"use strict";
(() => {
  const { $, toast, signIn } = window.runsite;
  const badge = $("#inbox-count");
  if (!badge) return;
  const title = document.title;
  let tries = 0;

  function show(waiting) {
    badge.textContent = waiting || "";
    badge.hidden = !waiting;
    document.title = waiting ? `(${waiting}) ${title}` : title;
  }

  function connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${badge.dataset.socket}`);
    socket.addEventListener("message", (event) => {
      tries = 0;
      show(JSON.parse(event.data).waiting);
    });
    socket.addEventListener("close", (event) => {
      if (event.code === 4401) { // whoever comes next must not read it
        $("main").hidden = true;
        return toast("Your session has ended.", signIn());
      }
      tries += 1;
      setTimeout(connect, Math.min(500 * 2 ** tries, 15000) * (0.5 + Math.random() / 2));
    });
  }

  show(Number(badge.textContent));
  connect();
})();
