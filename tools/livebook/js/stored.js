// What this browser keeps of a page: what the reader wrote into its cells, until it is taken back, and how it opened last.

const key = (name) => `livebook:${location.pathname}:${name}`;

/** What was kept under a name, such as a cell's, for `original`; or null. A text of the reader is shown, never run by itself. */
export const recall = (name, original) => {
  try {
    const kept = JSON.parse(localStorage.getItem(key(name)));
    return kept?.original === original ? kept.code : null; // the book has changed: its code goes first
  } catch {
    return null;
  }
};

/** Keep a text in the place of `original`; where it is that, nothing is to be kept. Did the browser do it? */
export const keep = (name, original, code) => {
  try {
    if (code === original) localStorage.removeItem(key(name));
    else localStorage.setItem(key(name), JSON.stringify({ original, code }));
    return true;
  } catch {
    return false;
  }
};
