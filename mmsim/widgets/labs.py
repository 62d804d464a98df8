"""Small laboratories: whatever is moved, a story is told again at once on a fresh machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from typing import Any

import ipywidgets as w

from mmsim import draw
from mmsim.draw import Figure
from mmsim.interleavings import Exploration
from mmsim.machine import ALL_PATCHES, Machine
from mmsim.races import explore
from mmsim.result import Result
from mmsim.scenario.replay import carry_out, racer
from mmsim.widgets.scenario import Control, Step, filled, story
from mmsim.widgets.stepper import WIDE, Shown, area, button, heading, html, row, step_slider


class Panel(Shown):
    """Controls and patches; whatever is moved, everything is done again on a fresh machine and drawn.

    A subclass says in `redraw` what that is. What can't be done is shown as text.
    """

    def __init__(
        self, title: str, machine: Mapping[str, Any], controls: Sequence[Control], patches: Sequence[int],
        toggles: Sequence[int], parts: Sequence[Any],
    ) -> None:
        self.template, self.caption = machine, title
        self.controls = {control.name: control for control in controls}
        self.inputs = {control.name: control.widget() for control in controls}
        self.fixed = set(patches) - set(toggles)
        self.patches = {
            n: w.Checkbox(n in patches, description=f"Patch {n}", indent=False, layout={"width": "auto"})
            for n in toggles
        }
        self.error = area()
        self.shown: Figure | None = None
        self.quiet = False
        for control in (*self.inputs.values(), *self.patches.values()):
            control.observe(self.moved, "value")
        super().__init__([heading(title), *self.inputs.values(), row(self.patches.values()), *parts, self.error])
        self.redraw(None)

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
        self.slider = step_slider(len(steps), len(steps))
        self.slider.observe(self.moved, "value")
        self.view, self.story, self.log_view = area(), area(), area()
        walk = [button("Back", lambda: self.go(-1)), button("Forward", lambda: self.go(1))]
        self.buttons = {name: button(name, partial(self.happen, more)) for name, more in (events or {}).items()}
        if events:
            self.buttons["Start again"] = button("Start again", self.start_again)
        happen, walk = row(self.buttons.values()), row([self.slider, *walk])
        parts = [happen, walk, self.story, self.view, self.log_view]
        super().__init__(title, machine, controls, patches, toggles, parts)

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
        booted = len(machine.trace)
        for step in steps[: self.slider.value]:
            results.append(carry_out(machine, step))
            if results[-1].panic:
                break
        self.machine, self.results, self.shown = machine, results, self.draw(machine)
        self.view.value = html(self.shown)
        self.story.value = story(steps, results)
        self.log_view.value = html(draw.log(machine, "Kernel log since boot", booted))


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
        self.slider = step_slider(0)
        for control in (self.choice, self.slider):
            control.observe(self.moved, "value")
        self.view, self.table, self.log_view = area(), area(), area()
        walk = [button("Back", lambda: self.go(-1)), button("Forward", lambda: self.go(1))]
        parts = [self.table, self.choice, row([self.slider, *walk]), self.view, self.log_view]
        super().__init__(title, machine, controls, patches, toggles, parts)

    def go(self, by: int) -> None:
        """Some steps forward or, negative, back."""
        self.slider.value += by

    def redraw(self, change: Any) -> None:
        """Explore the race anew unless only the outcome or the step was chosen; draw its schedule."""
        moved = None if change is None else change["owner"]
        if self.exploration is None or moved not in (self.choice, self.slider):
            racers = [racer(task) for task in filled(self.tasks, self.values)]
            self.exploration = explore(self.fresh(), *racers)
            endings = map(draw.ending, self.exploration.outcomes)
            self.choice.options = [(f"{number + 1}: {text}", number) for number, text in enumerate(endings)]
            self.choice.value = 0
            self.table.value = html(draw.outcomes(self.exploration))
        outcome = self.exploration.outcomes[self.choice.value]
        stops = draw.lane_steps(outcome)
        if moved is not self.slider:
            self.slider.max = self.slider.value = len(stops) - 1
        self.shown = draw.lanes(outcome, stops[self.slider.value])
        self.view.value = html(self.shown)
        self.log_view.value = html(draw.log(outcome))
