// What this browser keeps of a page: what the reader wrote into its cells, until it is taken back, and how it opened last.

const key = (cell) => `livebook:${location.pathname}:${cell}`;

/** The reader's text for a cell whose code in the book is `original`, or null. It is shown, never run by itself. */
export const recall = (cell, original) => {
  try {
    const kept = JSON.parse(localStorage.getItem(key(cell)));
    return kept?.original === original ? kept.code : null; // the book has changed: its code goes first
  } catch {
    return null;
  }
};

/** Keep a text; one that is the book's is forgotten. Did the browser keep it? */
export const keep = (cell, original, code) => {
  try {
    if (code === original) localStorage.removeItem(key(cell));
    else localStorage.setItem(key(cell), JSON.stringify({ original, code }));
    return true;
  } catch {
    return false;
  }
};
