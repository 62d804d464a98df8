// What this browser keeps: what the reader wrote into a page's cells and forms, until it is taken back, and how a page opened last.

const PREFIX = "livebook:";
const key = (name, place) => `${PREFIX}${place}:${name}`;

/** What was kept under a name; null if nothing was, or the browser keeps nothing. `place`: this page, unless told. */
export const recall = (name, place = location.pathname) => {
  try {
    return JSON.parse(localStorage.getItem(key(name, place)));
  } catch {
    return null;
  }
};

/** Keep a value under a name; null forgets it. Did the browser do it? */
export const keep = (name, value, place = location.pathname) => {
  try {
    if (value === null) localStorage.removeItem(key(name, place));
    else localStorage.setItem(key(name, place), JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
};

/** All that was kept below a place, such as a site's folder: name -> text. How pages opened is of no interest. */
export const everything = (root) =>
  Object.fromEntries(
    Object.entries({ ...localStorage }).filter(([name]) => name.startsWith(PREFIX + root) && !name.endsWith(":sight")).sort(),
  );

/** Take in what `everything` gave, here or elsewhere; `root` is this site's place. What is here and differs is kept as it is. */
export const takeIn = (work, from, root) => {
  const left = [];
  for (const [name, text] of Object.entries(work)) {
    if (!name.startsWith(PREFIX + from) || typeof text !== "string") throw new Error(`"${name}" is not of this book`);
    JSON.parse(text);
  }
  for (const [name, text] of Object.entries(work)) {
    const here = PREFIX + root + name.slice(PREFIX.length + from.length);
    const was = localStorage.getItem(here);
    if (was === null) localStorage.setItem(here, text);
    else if (was !== text) left.push(here);
  }
  return left;
};
