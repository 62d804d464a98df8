"""A question in a notebook: a form in a page, widgets in JupyterLab, and what becomes of an answer."""

from __future__ import annotations

import os
import sys
from typing import Any

import ipywidgets as w
from IPython.display import display

from mmsim import questions
from mmsim.draw.figure import STYLE, paragraph, prose
from mmsim.questions import Field
from mmsim.questions.answers import SURE
from mmsim.widgets.forms import LARGE, LETTERS, QUESTIONS, form, rows_of, said, steps_html
from mmsim.widgets.lab import open_run
from mmsim.widgets.parts import WIDE, button

# Pages have forms of their own: in a reader's browser, and while they are built (livebook says so).
STATIC = sys.platform == "emscripten" or "LIVEBOOK" in os.environ


def ask(name: str, seed: int = 0) -> Any:
    """The form of a question, such as `patch1/late-loser`, in the variant that a seed picks. Raises ValueError."""
    figure = form(questions.problem(name, seed), questions.hint(name))
    return figure if STATIC else Ask(figure, name, seed)


def commit(name: str, seed: int | str = 0, **answer: Any) -> None:
    """Display what the run says to an answer, and below it that run, opened where it parts from the answer."""
    for part in reply(name, int(seed), answer):
        display(part)  # type: ignore[no-untyped-call]


def reply(name: str, seed: int, answer: dict[str, Any]) -> list[Any]:
    """A verdict, with what is so where it isn't what was said; and the run that contradicts the answer.

    Of an essay, the rubric comes instead.
    """
    verdict = questions.check(name, answer, seed)
    if verdict.state == "noted":
        return [said(verdict, rubric=questions.solve(name, seed).rubric)]
    if verdict.state not in ("partly", "wrong"):
        return [said(verdict)]
    asked = questions.problem(name, seed)
    texts = () if asked.kind in ("build", "write") else questions.solve(name, seed).texts  # who builds may try again
    so = tuple(text for field, text in zip(asked.fields, texts, strict=False) if not verdict.fields[field.name])
    return [said(verdict, so), *([open_run(verdict.run)] if verdict.run else [])]  # no title: it follows no other run


class Ask(w.VBox):  # type: ignore[misc]
    """A question's form, made of widgets; as plain text and as HTML it is the page's form."""

    def __init__(self, figure: Any, name: str, seed: int) -> None:
        self.figure, self.name, self.seed = figure, name, seed
        self.inputs = {field.name: inputs_of(field) for field in figure.problem.fields}
        self.sure = w.ToggleButtons(options=SURE, value=None, description="How sure?", style=WIDE)
        self.answer = w.VBox()
        head = f"{STYLE}{QUESTIONS}<b>{prose(figure.title)}</b> ({prose(figure.description)})"
        text = "".join(map(paragraph, figure.problem.text))
        parts = [w.HTML(head + text + figure.setup())]
        for field in figure.problem.fields:
            parts += [w.HTML(f"<b>{prose(field.label)}</b>{steps_html(field)}"), *self.inputs[field.name]]
        super().__init__([*parts, self.sure, button(figure.verb, self.commit), self.answer])

    @property
    def filled(self) -> dict[str, Any]:
        """What the reader has said so far."""
        values = {name: [part.value for part in parts] for name, parts in self.inputs.items()}
        answer = {name: said if len(said) > 1 else said[0] for name, said in values.items()}
        return {**answer, "sure": self.sure.value}

    def commit(self) -> None:
        """Show what the run says."""
        verdict, *run = reply(self.name, self.seed, self.filled)
        self.answer.children = [w.HTML(verdict.html()), *run]

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**kwargs) or {}
        return {**bundle, "text/plain": str(self.figure), "text/html": self.figure.html()}


def inputs_of(field: Field) -> list[Any]:
    """The widgets of a field: one, or of an order one for each place."""
    options = [(text.replace("`", ""), letter) for letter, text in zip(LETTERS, field.choices, strict=False)]
    wide = w.Layout(width="100%", max_width="40rem")
    if field.kind == "order":
        return [w.Dropdown(options=[("–", ""), *options], description=f"{number}.", layout=wide)
                for number in range(1, len(options) + 1)]
    if field.kind in ("choice", "yesno"):
        return [w.RadioButtons(options=options or [("yes", "yes"), ("no", "no")], value=None, layout=wide)]
    if field.kind in LARGE:
        area = w.Textarea(field.example if field.kind == "code" else "", rows=rows_of(field), layout=wide)
        return [area if field.kind == "text" else area.add_class("mmsim-code")]
    return [w.Text(placeholder=field.example, layout=wide)]
