"""The one widget of the book: a scene, its controls, and a walk through its steps."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from html import escape
from typing import Any

import ipywidgets as w
from traitlets import TraitError

from mmsim.draw import Figure
from mmsim.draw.figure import STYLE, prose
from mmsim.machine.machine import Machine
from mmsim.machine.races import Racer
from mmsim.mm.kernel import ChangeName
from mmsim.series import STAGES
from mmsim.sim.interleavings import Move
from mmsim.widgets.controls import Control
from mmsim.widgets.parts import button, chooser, offer, row, toggle
from mmsim.widgets.stories import Course, opened
from mmsim.widgets.telling import Pictures, Scene, Setting, Step
from mmsim.widgets.walk import END, PROBLEMS, Walk

# Is what is displayed stored too, with all its pages? Not in a reader's browser, which is to answer soon.
STORED = sys.platform != "emscripten"


class Lab(w.VBox):  # type: ignore[misc]
    """A scene that is told anew at once whenever a control is moved, and walked through step by step.

    controls: `Size` and `Choice`, whose values replace `$name` in the scene; events: label of a button -> steps that
    it adds to a story; patches: those applied at first; toggles: those that the reader can switch; verbs: what the
    buttons say that go back and forward (two pages with verbs of their own need no slider). What can't be
    done becomes a message, and the last picture stays. As plain text and as HTML a lab is the picture that it shows.
    """

    def __init__(
        self, title: str, scene: Scene, controls: Sequence[Control] = (),
        events: Mapping[str, Sequence[Step]] | None = None, patches: Collection[ChangeName] = STAGES[-1],
        toggles: Sequence[int] = (), verbs: tuple[str, str] = ("Back", "Forward"),
    ) -> None:
        self.title, self.scene, self.controls = title, scene, {control.name: control for control in controls}
        self.inputs = {name: control.widget() for name, control in self.controls.items()}
        self.fixed = set(patches) - set(toggles)
        self.patches = {n: toggle(f"Patch {n}", n in patches) for n in toggles}
        self.knobs = [*self.inputs.values(), *self.patches.values()]
        self.initial = [knob.value for knob in self.knobs]
        self.events, self.happened = dict(events or {}), list[str]()
        self.buttons = {name: button(name, partial(self.happen, name)) for name in self.events}
        if events:
            self.buttons["Start again"] = button("Start again", self.start_again)
        self.told, self.quiet = scene.tell(self.setting), False
        self.walk = Walk(self.told.tellings[0], verbs)
        self.error = self.walk.area()
        self.overview: Any = None
        self.outcome: Any = None
        super().__init__(list(self.parts()))
        for kind in ("stepper", "mmsim-stepper"):
            self.add_class(kind)
        for knob in self.knobs:
            knob.observe(self.moved, "value")

    def parts(self) -> Iterator[Any]:
        """From the title, with the style sheet of all figures, down to the pages: what this scene needs."""
        yield self.walk.area(f"{STYLE}<b>{prose(self.title)}</b>")
        yield from self.inputs.values()
        yield from (row(part.values()) for part in (self.patches, self.buttons) if part)
        if self.told.overview:
            self.overview = self.walk.area(self.told.overview.html(style=False))
            self.outcome = chooser("Outcome", [telling.name for telling in self.told.tellings], 1)
            self.outcome.observe(self.choose, "index")
            yield from (self.overview, self.outcome)
        yield from (self.error, self.walk.row, self.walk.stack)
        yield from () if self.walk.paper is None else (self.walk.paper,)

    @property
    def setting(self) -> Setting:
        """Where everything stands."""
        values = {name: control.text(self.inputs[name].value) for name, control in self.controls.items()}
        return self.setting_with(values)

    def setting_with(self, values: Mapping[str, str]) -> Setting:
        """The setting with the controls at these values; one named `patches` names the changes of the kernel itself."""
        applied = self.fixed | {n for n, box in self.patches.items() if box.value}
        if "patches" in values:
            applied = {int(name) if name.isdigit() else name for name in values["patches"].split()}
        return Setting(values, frozenset(applied), [step for name in self.happened for step in self.events[name]])

    # -- what a reader does ------------------------------------------------------------------------------

    def moved(self, change: Any = None, step: int | None = None, way: int | None = None) -> bool:
        """Tell the scene anew, or say why that can't be; at this step and of this outcome, or the present ones.

        Tells whether it could.
        """
        if self.quiet:
            return True
        try:
            told = self.scene.tell(self.setting)
            if way is None:
                way = min(self.outcome.index, len(told.tellings) - 1) if self.outcome else 0
            self.walk.tell(told.tellings[way], step)
        except PROBLEMS as problem:
            self.error.value = f'<p role="alert"><b>This can\'t be done:</b> {escape(str(problem))}</p>'
            return False
        self.error.value, self.told = "", told
        if told.overview:
            self.overview.value, self.quiet = told.overview.html(style=False), True
            offer(self.outcome, [telling.name for telling in told.tellings], 1, way)
            self.quiet = False
        return True

    def choose(self, change: Any) -> None:
        """Walk through the outcome chosen, from its start."""
        if not self.quiet:
            telling = self.told.tellings[change["new"]]
            self.walk.tell(telling, telling.start)

    def happen(self, name: str) -> None:
        """Add an event to the story, and go to its end; what can't be done has not happened."""
        self.happened.append(name)
        if not self.moved(step=END):
            self.happened.pop()

    def start_again(self) -> None:
        """Forget what the buttons have added."""
        self.happened.clear()
        self.moved(step=END)

    # -- being displayed ---------------------------------------------------------------------------------

    def take_up(self, before: Lab) -> None:
        """Go on where another lab of this kind was: what was moved there is moved here, if it still may be."""
        self.quiet = True
        for mine, theirs, initial in zip(self.knobs, before.knobs, before.initial, strict=True):
            if theirs.value != initial:
                carry(mine, theirs.value)
        if self.outcome:
            carry(self.outcome, before.outcome.value)
        self.happened, self.quiet = list(before.happened), False
        there = before.walk.slider.value
        self.moved(step=None if there == before.walk.telling.start else there)

    @property
    def picture(self) -> Figure:
        """What is to be seen now."""
        return self.walk.look(self.walk.slider.value).picture

    @property
    def figures(self) -> list[Figure]:
        """All that is to be seen where there are no controls."""
        return [self.picture]

    @property
    def text(self) -> str:
        """The text equivalent of all that is to be seen."""
        return "\n\n".join(map(str, self.figures))

    def __repr__(self) -> str:
        return f"Lab({self.title!r})"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        if STORED:
            self.walk.draw_all()
        else:
            self.walk.draw_later()
        key = (self.title, *self.inputs, *self.patches, *self.events)
        before = LAST.get(key)
        if self.title:  # without one, labs can't be told apart
            LAST[key] = self
        if before not in (None, self):
            self.take_up(before)
        bundle = super()._repr_mimebundle_(**kwargs) or {}
        first, *more = self.figures
        html = first.html() + "".join(figure.html(style=False) for figure in more)
        return {**bundle, "text/plain": self.text, "text/html": html}


LAST: dict[tuple[object, ...], Lab] = {}  # the labs displayed last: one goes on where it was when its cell runs again


def carry(knob: Any, value: Any) -> None:
    """Set a control, unless it doesn't have the value; a slider would take the nearest instead."""
    was = knob.value
    with suppress(TraitError):
        knob.value = value
    if knob.value != value:
        knob.value = was


def stepper(pictures: Sequence[Figure], captions: Sequence[str] | None = None, title: str = "") -> Lab:
    """Pictures to step through, each under its caption if there are any."""
    return Lab(title, Pictures(pictures, captions))


def run(machine: Machine, racers: Sequence[Racer], schedule: Sequence[int | Move] = (), title: str = "") -> Lab:
    """A race along a schedule, such as that of an outcome, to step through; a path alone without one."""
    return Lab(title, Course(machine, racers, schedule))


def open_run(run: Mapping[str, Any], title: str = "") -> Lab:
    """The run of a verdict to step through; a race opens at the move that decided."""
    return Lab(title, opened(run), patches=run["patches"])
