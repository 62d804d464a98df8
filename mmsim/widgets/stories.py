"""Scenes on a machine: a story of scenario steps, and a race in every interleaving."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from typing import Any

from mmsim import draw
from mmsim.draw import Figure
from mmsim.draw.figure import size as readable
from mmsim.draw.lanes import describe
from mmsim.draw.race import rows_of
from mmsim.machine.machine import Machine
from mmsim.machine.races import explore
from mmsim.machine.result import Result
from mmsim.machine.sizes import size
from mmsim.scenario.replay import carry_out, racer
from mmsim.sim.interleavings import Outcome
from mmsim.widgets.controls import filled
from mmsim.widgets.telling import Setting, Step, Telling, Told, View, short

Drawing = Callable[[Machine, int], Figure]  # of a machine, and the length of its trace before the last step


def memory(machine: Machine, since: int) -> Figure:
    """The machine's memory, with what the last step has moved."""
    return draw.strip(machine, since=since)


@dataclass(frozen=True)
class Story:
    """A story in the vocabulary of scenario files, on a fresh machine.

    machine: arguments of Machine; steps: the story; controls replace `$name` in both; picture: draws a machine, and
    what has changed since its trace was so long.
    """

    machine: Mapping[str, Any]
    steps: Sequence[Step]
    picture: Drawing = memory

    def tell(self, setting: Setting) -> Told:
        """The story, from the machine that has booted to its end."""
        steps = filled([*self.steps, *setting.added], setting.values)
        boot = partial(Machine, patches=setting.patches, **filled(self.machine, setting.values))
        captions = ["the machine has booted", *map(phrase, steps)]
        return Told([Telling(captions, Run(steps, boot, self.picture).view)])


class Run:
    """A story on its way: its machine goes forward, and a fresh one starts when a step lies behind."""

    def __init__(self, steps: Sequence[Step], boot: Callable[[], Machine], draw: Drawing) -> None:
        self.steps, self.boot, self.draw = steps, boot, draw
        self.start()

    def start(self) -> None:
        """A machine that has booted."""
        self.machine, self.results, self.ends = self.boot(), list[Result](), list[str]()
        self.booted = self.before = len(self.machine.trace)

    def go_to(self, step: int) -> None:
        """Carry out the steps up to this one; a panic ends the story."""
        if step < len(self.results):
            self.start()
        for task in self.steps[len(self.results) : step]:
            if self.machine.trace.panicked is None:
                self.before = len(self.machine.trace)
                self.results.append(carry_out(self.machine, task))
                self.ends.append(ending(self.machine, task, self.results[-1]))

    def view(self, step: int) -> View:
        """The story so far, the machine as it is then, and what its kernel has logged."""
        self.go_to(step)
        log = draw.log(self.machine, "Kernel log since boot", self.booted)
        if self.results and (new := len(self.results[-1].log)):
            log = replace(log, description=f"{log.description} The step shown has added {new}.")
        return View(self.draw(self.machine, self.before), story(self.steps, self.ends), [log])


PHRASES = {
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
    if step["do"] == "resize":
        return f"the host asks for {readable(size(step['to']))}"
    if step["do"] in PHRASES:
        return PHRASES[step["do"]].format(**step)
    return " ".join([step["do"], *(f"{key}={value}" for key, value in step.items() if key not in ("do", "expect"))])


def ending(machine: Machine, step: Step, result: Result) -> str:
    """How a step has ended; a request that the guest didn't meet has not ended well, even if nothing failed."""
    device = machine.device
    if step["do"] != "resize" or result.errno != "0" or result.panic or device is None:
        return result.end
    if device.size > device.requested_size:
        return f"{readable(device.size)} stay"
    return result.end if device.size == device.requested_size else f"only {readable(device.size)} are plugged"


def story(steps: Sequence[Step], ends: Sequence[str]) -> str:
    """The steps with how they ended; the last one done is marked, those to come have no ending yet."""
    items = []
    for number, step in enumerate(steps):
        here = number == len(ends) - 1
        end = f": <b>{ends[number]}</b>" if number < len(ends) else ""
        current = ' aria-current="step"' if here else ""
        items.append(f"<li{current}>{escape(phrase(step))}{end}{' ← shown' if here else ''}</li>")
    return f'<ol class="mmsim-story">{"".join(items)}</ol>' if items else ""


@dataclass(frozen=True)
class Race:
    """A race in every interleaving: a telling for each outcome, along a shortest schedule that ends so.

    machine: arguments of Machine; tasks: what races, as in a scenario's race, each with a `label`.
    """

    machine: Mapping[str, Any]
    tasks: Sequence[Step]

    def tell(self, setting: Setting) -> Told:
        """All outcomes, compared and told."""
        racers = [racer(task) for task in filled(self.tasks, setting.values)]
        machine = Machine(patches=setting.patches, **filled(self.machine, setting.values))
        found = explore(machine, *racers)
        return Told([lanes(outcome) for outcome in found.outcomes], draw.outcomes(found))


def lanes(outcome: Outcome) -> Telling:
    """One outcome, a step for each row of its lanes."""
    rows, stops = rows_of(outcome), draw.lane_steps(outcome)
    captions = [short(describe(outcome, rows, stop)) for stop in stops]
    return Telling(captions, lambda step: lane_view(outcome, stops[step]), name=draw.ending(outcome))


def lane_view(outcome: Outcome, step: int) -> View:
    """The race when so many steps are done, and what has been logged by then."""
    done = outcome.schedule[:step]
    so_far = replace(outcome, schedule=done, events=outcome.events[: done[-1].last] if done else ())
    return View(draw.lanes(outcome, step), after=[draw.log(so_far)])
