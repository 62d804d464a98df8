"""Widgets that are stored with their text, and the one that steps through pictures without Python."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

import ipywidgets as w

from mmsim.draw import Figure
from mmsim.draw.style import STYLE

NUMBERED = re.compile(r"^Step \d+ of \d+: ")
WIDE = {"description_width": "initial"}


class Shown(w.VBox):  # type: ignore[misc]
    """A widget that is stored with its text: as plain text and as HTML it is the picture that it shows now."""

    caption: str = ""

    @property
    def picture(self) -> Figure:
        """What is to be seen now."""
        raise NotImplementedError

    @property
    def text(self) -> str:
        """The picture's text equivalent."""
        return str(self.picture)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.caption!r})"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**kwargs) or {}
        return {**bundle, "text/plain": self.text, "text/html": self.picture.html()}


def area(value: str = "") -> Any:
    """A place for HTML, as wide as the page: a figure takes the width that it is given."""
    return w.HTML(value, layout={"width": "100%", "margin": "0"})


def html(figure: Figure) -> str:
    """A figure where the style sheet is on the page already."""
    return figure.html(style=False)


def heading(title: str) -> Any:
    """The title of a widget, with the style sheet of all its figures."""
    return w.HTML(f"{STYLE}<b>{escape(title)}</b>" if title else STYLE)


def step_slider(last: int, value: int = 0) -> Any:
    """The slider over the steps of something."""
    return w.IntSlider(value, 0, last, description="Step", style=WIDE)


def row(children: Iterable[Any]) -> Any:
    """Controls side by side, as many as fit."""
    return w.Box(list(children), layout={"flex_flow": "row wrap"})


def button(name: str, action: Callable[[], None]) -> Any:
    """A button that does something."""
    made = w.Button(description=name, layout={"width": "auto"})
    made.on_click(lambda _: action())
    return made


class Stepper(Shown):
    """Pictures to step through, tied in the browser to a slider and a list of their captions."""

    def __init__(self, pictures: Sequence[Figure], captions: Sequence[str] | None = None, title: str = "") -> None:
        if not pictures:
            raise ValueError("there is no picture to show")
        self.pictures, self.caption = list(pictures), title
        names = captions if captions is not None else [NUMBERED.sub("", p.description) for p in pictures]
        if len(names) != len(self.pictures):
            raise ValueError(f"{len(names)} captions for {len(self.pictures)} pictures")
        last = len(self.pictures) - 1
        self.slider = step_slider(last)
        options = [(f"{number}: {name}", number) for number, name in enumerate(names)]
        self.choice = w.Dropdown(description="Go to", options=options, index=0, style=WIDE)
        self.stack = w.Stack([area(html(p)) for p in self.pictures], selected_index=0, layout={"width": "100%"})
        self.links = [
            w.jslink((self.slider, "value"), (self.stack, "selected_index")),
            w.jslink((self.slider, "value"), (self.choice, "index")),
        ]
        self.choice.layout.max_width = "100%"
        super().__init__([heading(title), self.slider, self.choice, self.stack])
        self.add_class("mmsim-stepper")

    @property
    def picture(self) -> Figure:
        """The picture at the slider's step."""
        picture: Figure = self.pictures[self.slider.value]
        return picture


def stepper(pictures: Sequence[Figure], captions: Sequence[str] | None = None, title: str = "") -> Stepper:
    """Pictures to step through; works on a page without Python. Without captions: their descriptions."""
    return Stepper(pictures, captions, title)
