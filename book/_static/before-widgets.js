// Lets html-manager, which draws the widgets, live on the theme's pages. Runs before the page's deferred scripts.

// The theme's Font Awesome replaces each <i> by an <svg>, later ones too; a Play widget then fails for want of its <i>.
window.FontAwesomeConfig = { observeMutations: false };

// Widgets typeset their labels as version 2 of MathJax did; the page has version 3.
document.addEventListener("DOMContentLoaded", () => {
  if (window.MathJax && !window.MathJax.Hub) {
    const { startup } = window.MathJax;
    const typeset = ([, , element]) => startup.promise.then(() => window.MathJax.typesetPromise([element]));
    window.MathJax.Hub = { Queue: typeset };
  }
});
