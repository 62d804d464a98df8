// Lets html-manager, which draws the widgets, live on the theme's pages, and gives names to what has none. Runs before
// the page's deferred scripts.

// The theme's Font Awesome replaces each <i> by an <svg>, later ones too; a Play widget then fails for want of its <i>.
window.FontAwesomeConfig = { observeMutations: false };

// A slider's description is a label beside it that belongs to nothing: give it to the handle and to the number.
const nameSliders = () => {
  for (const slider of document.querySelectorAll(".widget-slider:not(.mmsim-named)")) {
    const name = slider.querySelector(".widget-label")?.textContent;
    const handle = slider.querySelector(".noUi-handle");
    if (name && handle) {
      handle.ariaLabel = name;
      Object.assign(slider.querySelector(".widget-readout"), { role: "textbox", ariaLabel: `${name}: number` });
      slider.classList.add("mmsim-named");
    }
  }
};
new MutationObserver(nameSliders).observe(document.documentElement, { childList: true, subtree: true });

// What scrolls sideways can be reached by keyboard, as long as it does. The theme looks once, before all has its width.
const SCROLLS = "pre, .pst-scrollable-table-container, .cell_output > .output, .widget-subarea";
const reachable = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});

document.addEventListener("DOMContentLoaded", () => {
  for (const region of document.querySelectorAll(SCROLLS)) reachable.observe(region);
  // Widgets typeset their labels as version 2 of MathJax did; the page has version 3.
  if (window.MathJax && !window.MathJax.Hub) {
    const { startup } = window.MathJax;
    const typeset = ([, , element]) => startup.promise.then(() => window.MathJax.typesetPromise([element]));
    window.MathJax.Hub = { Queue: typeset };
  }
  // What can be read on these is a better name than the one they were given: who speaks to a browser says what is there.
  for (const button of document.querySelectorAll(".cell > details > summary, .search-button-field")) {
    button.removeAttribute("aria-label");
  }
  for (const icon of document.querySelectorAll(".theme-switch-button [title], .theme-switch-button svg")) {
    icon.removeAttribute("title");
    icon.querySelector("title")?.remove();
    icon.ariaHidden = "true";
  }
});

// Browsers print no backgrounds, and the dark scheme's light text can't be read on paper.
let scheme;
addEventListener("beforeprint", () => {
  scheme = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = scheme;
});
