/* Light or dark, as one chooses; remembered for all pages of ours. All that the audit's page needs. */
"use strict";
(() => {
  const theme = document.getElementById("theme"), root = document.documentElement;
  function paint(choice) {
    if (choice) root.dataset.theme = choice; else delete root.dataset.theme;
  }
  theme.addEventListener("change", (event) => {
    paint(event.target.value);
    try { localStorage.setItem("wa-sim-theme", event.target.value); } catch { /* no storage: for now only */ }
  });
  try {
    const choice = localStorage.getItem("wa-sim-theme") || "";
    theme.querySelector(`input[value="${CSS.escape(choice)}"]`).checked = true;
    paint(choice);
  } catch { /* no storage, or what is in it is not ours */ }
})();
