// What `make lint` holds against our JavaScript: what surely is a mistake, and what is never used.

import js from "@eslint/js";
import globals from "globals";

const strict = { ...js.configs.recommended.rules, eqeqeq: "error", "no-var": "error", "prefer-const": "error" };
const rules = { ...strict, "no-shadow": "error", "no-unused-vars": ["error", { argsIgnorePattern: "^_" }] };

export default [
  { linterOptions: { reportUnusedDisableDirectives: "error" }, rules },
  { files: ["**/js/**", "**/_static/**"], languageOptions: { globals: globals.browser } },
  { files: ["**/js/worker.js"], languageOptions: { globals: globals.worker } },
  { files: ["**/_static/**"], languageOptions: { sourceType: "script" } },
  { files: ["**/*.mjs", "**/tests/**"], languageOptions: { globals: globals.node } },
];
