// The settings: the time zone of this browser, by a button.
"use strict";
document.querySelector("[data-zone-to]").addEventListener("click", ({ target: button }) => {
  const choice = document.querySelector(button.dataset.zoneTo);
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  if ([...choice.options].some(({ value }) => value === timeZone)) choice.value = timeZone;
  else button.textContent = `${timeZone} is not known here`;
});
