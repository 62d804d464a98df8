// Markdown outputs; tables and so on as in CommonMark's usual extensions. No script of theirs runs: the page forbids it.

import MarkdownIt from "markdown-it";

const parser = new MarkdownIt({ html: true, linkify: false });

export const render = (text) => parser.render(text);
