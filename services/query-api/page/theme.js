// Before the first paint: the theme that was chosen here last. Without a choice the system's counts.
(() => {
  "use strict";
  const KEY = "wattline.theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const read = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const chosen = read();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  const announce = () => dispatchEvent(new Event("themechange"));
  system.addEventListener("change", announce);
  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", () => {
      const dark = (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
      root.dataset.theme = dark ? "light" : "dark";
      try { localStorage.setItem(KEY, root.dataset.theme); } catch { /* a private window forgets it */ }
      announce();
    });
  });
})();
