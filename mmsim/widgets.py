"""Widgets for the book: pictures to step through, and small laboratories that replay a story on a fresh machine.

`stepper` works without Python too: its pictures are stored with the page and its controls are tied to them in
the browser. `Lab` and `RaceLab` need Python; until it is there, a page shows their stored state.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets as w

from mmsim import draw
from mmsim.draw.figure import Figure
from mmsim.draw.style import STYLE
from mmsim.explore import Exploration
from mmsim.machine import ALL_PATCHES, Machine, Result
from mmsim.races import explore
from mmsim.scenario.replay import carry_out, racer
from mmsim.sizes import size

Step = dict[str, Any]
MIB = 1 << 20
WIDE = {"description_width": "initial"}


class Shown(w.VBox):  # type: ignore[misc]
    """A widget that is stored with its text: as plain text and as HTML it is the picture that it shows now."""

    @property
    def picture(self) -> Figure:
        """What is to be seen now."""
        raise NotImplementedError

    @property
    def text(self) -> str:
        """The picture's text equivalent."""
        return str(self.picture)

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.picture.title}"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**kwargs) or {}
        return {**bundle, "text/plain": self.text, "text/html": self.picture.html()}


def html(figure: Figure) -> str:
    """A figure where the style sheet is on the page already."""
    return figure.html(style=False)


def heading(title: str) -> Any:
    """The title of a widget, with the style sheet of all its figures."""
    return w.HTML(f"{STYLE}<b>{escape(title)}</b>" if title else STYLE)


# -- stepping through what is known ------------------------------------------------------------------


class Stepper(Shown):
    """Pictures to step through, tied in the browser to a slider and a list of their captions."""

    def __init__(self, pictures: Sequence[Figure], captions: Sequence[str] | None = None, title: str = "") -> None:
        if not pictures:
            raise ValueError("there is no picture to show")
        self.pictures = list(pictures)
        names = captions if captions is not None else [p.description for p in pictures]
        if len(names) != len(self.pictures):
            raise ValueError(f"{len(names)} captions for {len(self.pictures)} pictures")
        last = len(self.pictures) - 1
        self.slider = w.IntSlider(description="Step", min=0, max=last, style=WIDE)
        options = [(f"{number}: {name}", number) for number, name in enumerate(names)]
        self.choice = w.Dropdown(description="Go to", options=options, index=0, style=WIDE)
        self.stack = w.Stack([w.HTML(html(p)) for p in self.pictures], selected_index=0)
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
        return self.pictures[self.slider.value]


def stepper(pictures: Sequence[Figure], captions: Sequence[str] | None = None, title: str = "") -> Stepper:
    """Pictures to step through; works on a page without Python. Without captions: their descriptions."""
    return Stepper(pictures, captions, title)


# -- laboratories ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """A slider for a size, in MiB on the page; `$name` in a scenario is replaced by e.g. `192M`."""

    name: str
    description: str
    value: str
    max: str
    step: str = "4M"
    min: str = "0"

    def widget(self) -> Any:
        """The slider."""
        low, high, step, value = (size(s) // MIB for s in (self.min, self.max, self.step, self.value))
        return w.IntSlider(value, low, high, step, description=f"{self.description} (MiB)", style=WIDE)

    def text(self, value: Any) -> str:
        """The slider's value as a scenario has it."""
        return f"{value}M"


@dataclass(frozen=True)
class Choice:
    """A list to choose from: what the reader sees -> what replaces `$name` in a scenario."""

    name: str
    description: str
    options: Mapping[str, str]
    value: str | None = None

    def widget(self) -> Any:
        """The list."""
        value = self.value if self.value is not None else next(iter(self.options.values()))
        return w.Dropdown(options=list(self.options.items()), value=value, description=self.description, style=WIDE)

    def text(self, value: Any) -> str:
        """The value itself."""
        return str(value)


Control = Size | Choice


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """A scenario's part with `$name` replaced everywhere. Raises KeyError for a name without a control."""
    if isinstance(template, str):
        return re.sub(r"\$(\w+)", lambda match: values[match[1]], template)
    if isinstance(template, Mapping):
        return {key: filled(value, values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, values) for value in template]
    return template


class Panel(Shown):
    """Controls and patches; whatever is moved, everything is done again on a fresh machine and drawn.

    A subclass says in `redraw` what that is. What can't be done is shown as text.
    """

    def __init__(
        self, title: str, machine: Mapping[str, Any], controls: Sequence[Control], patches: Sequence[int],
        toggles: Sequence[int], parts: Sequence[Any],
    ) -> None:
        self.template = machine
        self.controls = {control.name: control for control in controls}
        self.inputs = {control.name: control.widget() for control in controls}
        self.fixed = set(patches) - set(toggles)
        self.patches = {
            n: w.Checkbox(n in patches, description=f"Patch {n}", indent=False, layout={"width": "auto"})
            for n in toggles
        }
        self.error = w.HTML()
        self.shown: Figure | None = None
        self.quiet = False
        for control in (*self.inputs.values(), *self.patches.values()):
            control.observe(self.moved, "value")
        row = w.Box(list(self.patches.values()), layout={"flex_flow": "row wrap"})
        super().__init__([heading(title), *self.inputs.values(), row, *parts, self.error])

    @property
    def picture(self) -> Figure:
        """The last picture that could be drawn. Raises ValueError if there is none."""
        if self.shown is None:
            raise ValueError("nothing could be drawn")
        return self.shown

    @property
    def values(self) -> dict[str, str]:
        """What each control says, as text for a scenario."""
        return {name: control.text(self.inputs[name].value) for name, control in self.controls.items()}

    def fresh(self) -> Machine:
        """A machine as the controls and the patches want it."""
        applied = self.fixed | {n for n, box in self.patches.items() if box.value}
        return Machine(patches=frozenset(applied), **filled(self.template, self.values))

    def moved(self, change: Any = None) -> None:
        """A control was moved: do everything again. Bad input becomes a message."""
        if self.quiet:
            return
        self.quiet = True
        try:
            self.redraw(change)
            self.error.value = ""
        except (ValueError, KeyError, TypeError, OSError) as problem:
            said = f"there is no control {problem}" if isinstance(problem, KeyError) else str(problem)
            self.error.value = f'<p role="alert"><b>This can\'t be done:</b> {escape(said)}</p>'
        finally:
            self.quiet = False

    def redraw(self, change: Any) -> None:
        """Do everything again and show it; `change` tells which control was moved, if one was."""
        raise NotImplementedError


class Lab(Panel):
    """A story in the vocabulary of scenario files, told again at once whenever a control is moved.

    machine: arguments of Machine; steps: the story; controls: `Size` and `Choice`, whose values replace
    `$name` in both; events: label of a button -> steps that it adds to the story; patches: those applied at
    first; toggles: those that the reader can switch; picture: draws a machine.
    """

    def __init__(
        self, title: str, machine: Mapping[str, Any], steps: Sequence[Step], controls: Sequence[Control] = (),
        events: Mapping[str, Sequence[Step]] | None = None, patches: Sequence[int] = tuple(sorted(ALL_PATCHES)),
        toggles: Sequence[int] = tuple(sorted(ALL_PATCHES)), picture: Callable[[Machine], Figure] = draw.memory_blocks,
    ) -> None:
        self.steps, self.added, self.draw = list(steps), list[Step](), picture
        self.machine: Machine | None = None
        self.results: list[Result] = []
        self.slider = w.IntSlider(len(steps), 0, len(steps), description="Step", style=WIDE)
        self.slider.observe(self.moved, "value")
        self.view, self.story, self.log_view = w.HTML(), w.HTML(), w.HTML()
        walk = [button("Back", lambda: self.go(-1)), button("Forward", lambda: self.go(1))]
        happen = [button(name, lambda steps=more: self.happen(steps)) for name, more in (events or {}).items()]
        if happen:
            happen.append(button("Start again", self.start_again))
        wrap = {"flex_flow": "row wrap"}
        parts = [w.Box(happen, layout=wrap), w.Box([self.slider, *walk], layout=wrap), self.story, self.view, self.log_view]
        super().__init__(title, machine, controls, patches, toggles, parts)
        self.moved()

    def go(self, by: int) -> None:
        """Some steps forward or, negative, back."""
        self.slider.value += by

    def happen(self, steps: Sequence[Step]) -> None:
        """Add steps to the story and go to its end."""
        self.added += steps
        self.to_the_end()

    def start_again(self) -> None:
        """Forget what the buttons have added."""
        self.added.clear()
        self.to_the_end()

    def to_the_end(self) -> None:
        """Show the end of the story."""
        self.quiet = True
        length = len(self.steps) + len(self.added)
        self.slider.max = length
        self.slider.value = length
        self.quiet = False
        self.moved()

    def redraw(self, change: Any) -> None:
        """Tell the story up to the slider's step."""
        steps = filled([*self.steps, *self.added], self.values)
        machine, results = self.fresh(), list[Result]()
        for step in steps[: self.slider.value]:
            results.append(carry_out(machine, step))
            if results[-1].panic:
                break
        self.machine, self.results, self.shown = machine, results, self.draw(machine)
        self.view.value = html(self.shown)
        self.story.value = story(steps, results)
        self.log_view.value = html(draw.log(machine))


class RaceLab(Panel):
    """A race in every interleaving: choose an outcome, and step through a shortest schedule that ends so.

    tasks: what races, as in a scenario's race, each with a `label`; for the rest see `Lab`.
    """

    def __init__(
        self, title: str, machine: Mapping[str, Any], tasks: Sequence[Step], controls: Sequence[Control] = (),
        patches: Sequence[int] = tuple(sorted(ALL_PATCHES)), toggles: Sequence[int] = tuple(sorted(ALL_PATCHES)),
    ) -> None:
        self.tasks = list(tasks)
        self.exploration: Exploration | None = None
        self.choice = w.Dropdown(description="Outcome", style=WIDE, layout={"max_width": "100%"})
        self.slider = w.IntSlider(0, 0, 0, description="Step", style=WIDE)
        for control in (self.choice, self.slider):
            control.observe(self.moved, "value")
        self.view, self.table, self.log_view = w.HTML(), w.HTML(), w.HTML()
        walk = [button("Back", lambda: self.go(-1)), button("Forward", lambda: self.go(1))]
        row = w.Box([self.slider, *walk], layout={"flex_flow": "row wrap"})
        parts = [self.table, self.choice, row, self.view, self.log_view]
        super().__init__(title, machine, controls, patches, toggles, parts)
        self.moved()

    def go(self, by: int) -> None:
        """Some steps forward or, negative, back."""
        self.slider.value += by

    def redraw(self, change: Any) -> None:
        """Explore the race anew unless only the outcome or the step was chosen; draw its schedule."""
        moved = None if change is None else change["owner"]
        if self.exploration is None or moved not in (self.choice, self.slider):
            racers = [racer(task) for task in filled(self.tasks, self.values)]
            self.exploration = explore(self.fresh(), *racers)
            rows = enumerate(self.exploration.outcomes)
            self.choice.options = [(f"{n + 1}: {draw.ending(outcome)}", n) for n, outcome in rows]
            self.choice.value = 0
            self.table.value = html(draw.outcomes(self.exploration))
        outcome = self.exploration.outcomes[self.choice.value]
        stops = draw.lane_steps(outcome)
        if moved is not self.slider:
            self.slider.max = self.slider.value = len(stops) - 1
        self.shown = draw.lanes(outcome, stops[self.slider.value])
        self.view.value = html(self.shown)
        self.log_view.value = html(draw.log(outcome))


def button(name: str, action: Callable[[], None]) -> Any:
    """A button that does something."""
    made = w.Button(description=name, layout={"width": "auto"})
    made.on_click(lambda _: action())
    return made


# -- a story as a list -------------------------------------------------------------------------------

PHRASES = {
    "resize": "the host asks for {to}",
    "write": "{value} > {path}",
    "allocate": "allocate {size} as {as}",
    "free": "free {what}",
    "pin": "pin {what}",
    "unpin": "unpin {what}",
    "wait": "{seconds} seconds pass",
}


def phrase(step: Step) -> str:
    """A step in words: its note if it has one."""
    if "note" in step:
        return str(step["note"])
    if step["do"] in PHRASES:
        return PHRASES[step["do"]].format(**step)
    return " ".join([step["do"], *(f"{key}={value}" for key, value in step.items() if key not in ("do", "expect"))])


def story(steps: Sequence[Step], results: Sequence[Result]) -> str:
    """The steps with how they ended; the last one done is marked, those to come have no ending yet."""
    items = []
    for number, step in enumerate(steps):
        here = ' aria-current="step"' if number == len(results) - 1 else ""
        end = ""
        if number < len(results):
            result = results[number]
            end = f" → <b>{'panic' if result.panic else 'ok' if result.errno == '0' else '-' + result.errno}</b>"
        items.append(f"<li{here}>{escape(phrase(step))}{end}</li>")
    return f'<ol class="mmsim-story">{"".join(items)}</ol>' if items else ""


# -- what the chapters show --------------------------------------------------------------------------


def how_much() -> Lab:
    """How much can be unplugged? A zone, what is plugged and what is asked for then, with and without patch 5."""
    zones = {"ZONE_MOVABLE": "online_movable", "ZONE_NORMAL": "online_kernel"}
    return Lab(
        "How much can be unplugged?",
        {"boot_memory": "4G", "cmdline": "memhp_default_state=$zone", "virtio_mem": {"requested": "$plugged"}},
        [
            {"do": "allocate", "as": "kernel-1", "size": "6M", "gfp": "GFP_KERNEL", "note": "the kernel takes 6 MiB"},
            {"do": "allocate", "as": "program", "size": "60M", "note": "a program takes 60 MiB"},
            {"do": "allocate", "as": "kernel-2", "size": "6M", "gfp": "GFP_KERNEL", "note": "the kernel takes 6 MiB"},
            {"do": "resize", "to": "$requested"},
        ],
        [
            Size("plugged", "Plugged at first", "320M", "768M"),
            Size("requested", "Then asked for", "64M", "768M"),
            Choice("zone", "Zone of the new memory", zones),
        ],
        toggles=[5],
    )


def race() -> RaceLab:
    """Two CPUs isolate overlapping ranges of pageblocks; patches 1, 3 and 4 decide what the loser says."""
    report = ["MEMORY_OFFLINE", "REPORT_FAILURE"]
    return RaceLab(
        "Two isolations race",
        {"boot_memory": "128M", "zone_of": [["addr:0", "addr:128M", "$zone"]]},
        [
            {"do": "isolate", "label": "A", "start": "addr:44M", "end": "addr:50M", "flags": report},
            {"do": "isolate", "label": "B", "start": "addr:46M", "end": "addr:48M", "flags": report},
        ],
        [Choice("zone", "Zone", {"ZONE_MOVABLE": "Movable", "ZONE_NORMAL": "Normal"})],
        patches=[], toggles=[1, 3, 4],
    )


def partial_block() -> Lab:
    """A block and a half is plugged, onlined to ZONE_MOVABLE and unplugged again, with and without patch 5."""
    return Lab(
        "Grow, online, shrink",
        {"boot_memory": "4G", "virtio_mem": {"requested": "0"}},
        [
            {"do": "resize", "to": "$grow"},
            {"do": "write", "path": "memory32/state", "value": "$online"},
            {"do": "write", "path": "memory33/state", "value": "$online"},
            {"do": "allocate", "as": "program", "size": "20M"},
            {"do": "resize", "to": "$shrink"},
        ],
        [
            Size("grow", "Grow to", "192M", "256M", min="132M"),
            Size("shrink", "Shrink to", "40M", "256M"),
            Choice("online", "How to online", {
                "online_movable": "online_movable", "online_kernel": "online_kernel", "online": "online",
            }),
        ],
        events={
            "A program takes 16 MiB": [{"do": "allocate", "as": "more", "size": "16M"}],
            "50 seconds pass": [{"do": "wait", "seconds": 50}],
            "Offline memory33": [{"do": "write", "path": "memory33/state", "value": "offline"}],
        },
        toggles=[5],
    )
