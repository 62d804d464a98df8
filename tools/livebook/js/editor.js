// The editor of a cell: CodeMirror for Python. Tab leaves it, as everywhere on a page; Enter indents.

import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, keymap } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

/** Put an editor into `place`. `onChange(code)`; `onRun()` for Shift+Enter. Returns {code, focus()}; code can be set. */
export const edit = (place, { code, label, onChange, onRun }) => {
  const run = () => {
    onRun();
    return true;
  };
  const extensions = [
    history(),
    drawSelection(),
    bracketMatching(),
    indentOnInput(),
    indentUnit.of("    "),
    python(),
    syntaxHighlighting(classHighlighter),
    EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }), // what scrolls can be reached
    EditorView.updateListener.of((update) => update.docChanged && onChange(update.state.doc.toString())),
    keymap.of([{ key: "Shift-Enter", run }, { key: "Mod-Enter", run }, ...defaultKeymap, ...historyKeymap]),
  ];
  const view = new EditorView({ parent: place, state: EditorState.create({ doc: code, extensions }) });
  // The theme has shortcuts of single keys; here they are text.
  place.addEventListener("keydown", (event) => event.stopPropagation());
  return {
    get code() {
      return view.state.doc.toString();
    },
    set code(text) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    focus: () => view.focus(),
  };
};
