// Takes the place of sanitize-html, which ipywidgets ask to clean labels: the browser has a parser already.

import DOMPurify from "dompurify";

export default (html, { allowedTags, allowedAttributes }) =>
  DOMPurify.sanitize(html, { ALLOWED_TAGS: allowedTags, ALLOWED_ATTR: Object.values(allowedAttributes).flat() });
