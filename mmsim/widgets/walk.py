"""Walking through steps: in the browser alone as long as their pages are there, drawn by Python when they change."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import ipywidgets as w
from ipywidgets.widgets.widget_string import HTMLStyle

from mmsim.draw import Document
from mmsim.widgets.parts import WIDE, button, row
from mmsim.widgets.telling import Telling, View

DELAY = 0.15  # seconds without a move until the pages that nobody looks at are drawn
VERBS = ("Back", "Forward")
END = 1 << 30  # a step behind all others
PROBLEMS = (ValueError, OSError)  # what a scene raises for what can't be done


BLANK = View(Document("", "", "", ""))  # no step has its number


def unseen(telling: Telling) -> list[View | None]:
    """A place for each step's view, under the step's number."""
    return [*[BLANK] * telling.first, *[None] * telling.steps]


class Walk:
    """Back and Forward and a slider over a stack of pages, tied together in the browser.

    The page that is looked at is drawn at once, the others when nothing moves, or when they are stepped to.
    """

    def __init__(self, telling: Telling, verbs: tuple[str, str] = VERBS) -> None:
        start, last = telling.start, telling.last
        self.telling = telling
        self.timer: asyncio.TimerHandle | None = None
        self.views = unseen(telling)
        # A figure takes the width that it is given. One layout and style for all: each weighs as much as an area.
        self.layout, self.style = w.Layout(width="100%", margin="0"), HTMLStyle()
        self.pool = [self.area() for _ in self.views]
        self.show(start, telling.draw(start))
        self.stack = w.Stack(self.pool, selected_index=start, layout=self.layout).add_class("mmsim-pages")
        self.slider = w.IntSlider(start, telling.first, last, description="Step", style=WIDE)
        back = button(verbs[0], partial(self.go, -1)).add_class("step-back")
        forward = button(verbs[1], partial(self.go, 1)).add_class("step-forward")
        self.row = row([back, forward, self.slider]).add_class("step-row")
        self.fit_row()
        if verbs != VERBS and last == telling.first + 1:  # the buttons say it all
            self.slider.layout.display = "none"
            self.row.add_class("step-two")
        self.link = w.jsdlink((self.slider, "value"), (self.stack, "selected_index"))
        self.paper = None if telling.paper is None else self.area().add_class("mmsim-paper")
        self.print()
        self.slider.observe(lambda change: self.look(change["new"]), "value")

    def area(self, value: str = "") -> Any:
        """A place for HTML."""
        return w.HTML(value, layout=self.layout, style=self.style)

    def go(self, by: int) -> None:
        """Some steps forward or, negative, back."""
        self.slider.value += by

    def look(self, step: int) -> View:
        """A step's view, which is drawn now if it was not; where that can't be done, the page says why."""
        view = self.views[step]
        if view is None:
            try:
                view = self.telling.draw(step)
            except PROBLEMS as problem:
                view = View(Document("This can't be done", str(problem), "", ""))
            self.show(step, view)
        return view

    def show(self, step: int, view: View) -> None:
        """Put a view on a step's page."""
        self.views[step], self.pool[step].value = view, view.html

    def tell(self, telling: Telling, step: int | None = None) -> None:
        """Walk through another telling, at this step or the present one; who was at the end goes to where one begins.

        Raises what drawing raises, and then nothing has changed.
        """
        last = telling.last
        if step is None:
            step = telling.start if self.slider.value == self.slider.max else self.slider.value
        step = min(step, last)
        view = telling.draw(step)
        self.telling, self.views = telling, unseen(telling)
        self.pool += [self.area() for _ in range(last + 1 - len(self.pool))]
        self.show(step, view)
        self.fit(step, last)
        self.print()
        self.draw_later()

    def print(self) -> None:
        """What is to be seen on paper, where nobody can step."""
        if self.paper is not None:
            self.paper.value = self.look(self.telling.paper or 0).html.replace(' role="status"', "")

    def fit(self, step: int, last: int) -> None:
        """Fit the controls to the steps: first the stack, which must have the page that the slider selects."""
        with self.stack.hold_sync():
            if len(self.stack.children) != last + 1:
                self.stack.children = self.pool[: last + 1]
            self.stack.selected_index = step
        with self.slider.hold_sync():
            self.slider.max, self.slider.value = last, step
        self.fit_row()

    def fit_row(self) -> None:
        """Show what steps back and forward where there is more than one step."""
        self.row.layout.display = "none" if self.telling.steps == 1 else None

    def draw_all(self) -> None:
        """Draw what is left, now."""
        for step in range(self.telling.first, len(self.views)):
            self.look(step)

    def draw_later(self) -> None:
        """Draw what is left when nothing has moved for a moment; where nothing can wait, now."""
        if self.timer is not None:
            self.timer.cancel()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self.draw_all()
        self.timer = loop.call_later(DELAY, self.draw_next, loop)

    def draw_next(self, loop: asyncio.AbstractEventLoop) -> None:
        """Draw one page, and let others run before the next."""
        if None in self.views:
            self.look(self.views.index(None))
            self.timer = loop.call_later(0, self.draw_next, loop)
