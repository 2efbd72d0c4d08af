// Draws the API reference. It asks this server only: the document is beside the page.
"use strict";
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();

  const place = document.getElementById("reference");

  // Swagger UI leaves its choices without a name, and scrolling examples out of the keyboard's reach.
  const mend = () => {
    for (const choice of place.querySelectorAll("select:not([aria-label])"))
      choice.setAttribute("aria-label", choice.labels[0]?.textContent || "Choice");
    for (const example of place.querySelectorAll(".microlight:not([tabindex])")) example.tabIndex = 0;
  };
  new MutationObserver(mend).observe(place, {childList: true, subtree: true});

  window.SwaggerUIBundle({
    url: place.dataset.document,
    domNode: place,
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    defaultModelExpandDepth: 2,
    displayRequestDuration: true,
    validatorUrl: null, // else it shows a badge that another host draws
  });
})();
