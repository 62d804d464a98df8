"""Scenes on a machine: a story of scenario steps, and a race in every interleaving."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from mmsim import draw
from mmsim.draw import Figure
from mmsim.draw.figure import size as readable
from mmsim.draw.race_steps import deciding_frame
from mmsim.machine.machine import Machine
from mmsim.machine.races import Racer, explore
from mmsim.machine.result import Result
from mmsim.machine.sizes import size
from mmsim.questions import replacing, words
from mmsim.questions.replacing import Written
from mmsim.questions.runs import moves, named
from mmsim.scenario.replay import carry_out, racer
from mmsim.sim.cpu import ENDLESS
from mmsim.sim.interleavings import Exploration, Move, Outcome
from mmsim.widgets.controls import filled
from mmsim.widgets.telling import Setting, Step, Telling, Told, View

Drawing = Callable[[Machine, int], Figure]  # of a machine, and the length of its trace before the last step
TOLD = "Who has been told"
MOST = 20  # lines of a story's log that are shown


def memory(machine: Machine, since: int) -> Figure:
    """The machine's memory, with what the last step has moved."""
    return draw.strip(machine, since=since)


@dataclass(frozen=True)
class Story:
    """A story in the vocabulary of scenario files, on a fresh machine.

    machine: arguments of Machine; steps: the story; controls replace `$name` in both; picture: draws a machine, and
    what has changed since its trace was so long; told: are the notifiers shown below, and what they were told?
    """

    machine: Mapping[str, Any]
    steps: Sequence[Step]
    picture: Drawing = memory
    told: bool = False

    def tell(self, setting: Setting) -> Told:
        """The story, from the machine that has booted to its end."""
        run = self.run(setting)
        return Told([Telling(len(run.steps) + 1, run.view, len(run.steps))])

    def end(self, setting: Setting) -> Result:
        """What the last step has returned; of a panic before it, the step that brought it."""
        run = self.run(setting)
        run.go_to(len(run.steps))
        return run.results[-1]

    def run(self, setting: Setting) -> Run:
        """The story at its beginning."""
        steps = list(renamed(filled([*self.steps, *setting.added], setting.values)))
        boot = partial(Machine, patches=setting.patches, **filled(self.machine, setting.values))
        return Run(steps, boot, self.picture, self.told)


class Run:
    """A story on its way: its machine goes forward, and a fresh one starts when a step lies behind. `said`: what was so
    after each step."""

    def __init__(self, steps: Sequence[Step], boot: Callable[[], Machine], draw: Drawing, told: bool = False) -> None:
        self.steps, self.boot, self.draw, self.told = steps, boot, draw, told
        self.start()

    def start(self) -> None:
        """A machine that has booted."""
        self.machine, self.results, self.said = self.boot(), list[Result](), list[str]()
        self.booted = self.before = len(self.machine.trace)

    def go_to(self, step: int) -> None:
        """Carry out the steps up to this one; a panic ends the story."""
        if step < len(self.results):
            self.start()
        for task in self.steps[len(self.results) : step]:
            if self.machine.trace.panicked is None:
                self.before = len(self.machine.trace)
                self.results.append(carry_out(self.machine, task))
                self.said.append(ended(self.machine, task, self.results[-1]))

    def view(self, step: int) -> View:
        """The step in a sentence, the machine as it is then, and what its kernel has logged, if it has."""
        self.go_to(step)
        notices = [draw.notices(self.machine, self.booted, title=TOLD)] if self.told else []
        return View(self.draw(self.machine, self.before), self.sentence(step), [*notices, *self.log()])

    def log(self) -> Iterator[Figure]:
        """What the kernel has logged since boot, if anything; of a long log the end."""
        events = self.machine.trace.events
        logged = [number for number in range(self.booted, len(events)) if events[number].logged]
        if not logged:
            return
        log = draw.log(self.machine, "Kernel log since boot", logged[-MOST:][0])
        told = log.description if len(logged) <= MOST else f"The last {MOST} of {len(logged)} lines."
        new = len(self.results[-1].log) if self.results else 0
        yield replace(log, description=f"{told} The step shown has added {new}." if new else told)

    def sentence(self, step: int) -> str:
        """What a step did, and how that ended."""
        if step == 0:
            return "The machine has booted."
        end = self.said[step - 1] if step <= len(self.said) else "nobody can do it, the machine has stopped"
        return f"Step {step} of {len(self.steps)}: {phrase(self.steps[step - 1])}: {end}."


def renamed(steps: Iterable[Step]) -> Iterator[Step]:
    """Steps in which a name may be taken again, as often as a button is pressed: each allocation has a name of its own.

    Who gives memory back gives what was taken last under the name; who pins or unpins it, too.
    """
    held: dict[str, list[str]] = {}
    for number, step in enumerate(steps):
        if step["do"] == "allocate":
            names = held.setdefault(step["as"], [])
            names.append(f"{step['as']}{number}" if names else step["as"])
            step = {**step, "as": names[-1]}
        elif names := held.get(step.get("what", ""), []):
            step = {**step, "what": names.pop() if step["do"] == "free" else names[-1]}
        yield step


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
    return words.phrase(step).replace("`", "")


def ended(machine: Machine, step: Step, result: Result) -> str:
    """What is so after a step. Where virtio-mem's driver is at work that is how much is plugged, whatever it said."""
    if result.panic:
        return "the kernel panics"
    if result.errno == ENDLESS:
        return "it tries without end, until a signal comes"
    if result.errno != "0":
        return f"it fails with -{result.errno}"
    if step["do"] not in ("resize", "wait") or machine.device is None:
        return "done"
    plugged, wanted = machine.device.size, machine.device.requested_size
    verb = "are plugged" if plugged == wanted else "stay plugged" if plugged > wanted else "are all that is plugged"
    return f"{readable(plugged)} {verb}"


@dataclass(frozen=True)
class Race:
    """A race in every interleaving: a telling for each outcome, along a shortest schedule that ends so.

    machine: arguments of Machine; tasks: what races, as in a scenario's race, each with a `label`. Outcomes that differ
    only in the order of the log's lines are one; whether virtio-mem's driver had to set its timer makes a difference.
    """

    machine: Mapping[str, Any]
    tasks: Sequence[Step]
    before: Sequence[Step] = ()  # what is done first

    def tell(self, setting: Setting) -> Told:
        """All outcomes, compared and told."""
        machine, racers = self.start(setting)
        found = outcomes(machine, racers)
        tellings = [
            replace(Course(machine, racers, outcome.schedule).telling(), name=draw.ending(outcome))
            for outcome in found.outcomes
        ]
        return Told(tellings, draw.outcomes(found))

    def end(self, setting: Setting) -> Exploration:
        """All outcomes."""
        return outcomes(*self.start(setting))

    def start(self, setting: Setting) -> tuple[Machine, list[Racer]]:
        """The machine, and what races on it."""
        machine = Machine(patches=setting.patches, **filled(self.machine, setting.values))
        for step in filled(self.before, setting.values):
            carry_out(machine, step)
        return machine, [racer(task) for task in filled(self.tasks, setting.values)]


def outcomes(machine: Machine, racers: Sequence[Racer]) -> Exploration:
    """All outcomes, the shortest of those that differ only in the order of the log's lines."""
    found = explore(machine, *racers, observe=retries)
    kept: dict[object, Outcome] = {}
    for outcome in found.outcomes:
        key = (outcome.errnos, tuple(sorted(outcome.log)), outcome.panic, outcome.observed)
        kept[key] = min(kept.get(key, outcome), outcome, key=lambda each: each.length)
    return replace(found, outcomes=tuple(kept.values()))


def retries(machine: Machine) -> int:
    """How often virtio-mem's driver has set its timer, to try again."""
    return sum(event.kind == "timer" for event in machine.trace.events)


@dataclass(frozen=True)
class Course:
    """One run of a race, or of a path alone, step by step.

    schedule: who takes each step; stop: the number of the step (from 1) that a reader sees first; told: are the
    notifiers shown below, and what they were told? written: what runs in the place of a function of the model.
    """

    machine: Machine
    racers: Sequence[Racer]
    schedule: Sequence[int | Move] = ()
    stop: int = 1
    told: bool = False
    written: Written | None = None

    def tell(self, setting: Setting) -> Told:
        """The same for every setting."""
        return Told([self.telling()])

    def telling(self) -> Telling:
        """A step for each frame; on paper the one before it is decided how this ends."""
        run = (self.machine, self.racers, self.schedule)
        steps = replacing.steps(self.written, *run) if self.written else draw.race_steps(*run)
        views = [View(draw.race_step(step), after=self.notices(step.last)) for step in steps]
        start = min(max(self.stop, 1), len(steps))
        paper = max(deciding_frame(steps), 1)  # the step before the one that decides, counted from 1
        return Telling(len(steps), lambda step: views[step - 1], start, paper=paper, first=1)


    def notices(self, count: int) -> list[Figure]:
        """Who was told what in so many moves, if that is to be shown."""
        if not self.told:
            return []
        order = [move.task if isinstance(move, Move) else move for move in self.schedule]
        course = moves(self.machine, self.racers, order)
        now = next(islice(course, count, None)).machine  # the race stands still there
        return [draw.notices(now, len(self.machine.trace), title=TOLD)]


def opened(run: Mapping[str, Any]) -> Course | Story | Race:
    """What shows the run of a verdict (see `mmsim.questions.Verdict`): machine, patches, steps, schedule and stop.

    Who registers notifiers wants to know what they are told. A race without a schedule is shown in all its outcomes.
    """
    *before, last = run["steps"]
    told = any(step["do"] == "notifier" for step in run["steps"])
    if last["do"] == "race" and "schedule" not in run:
        return Race(run["machine"], [{**task, "label": named(task).name} for task in last["tasks"]], before)
    if "schedule" not in run:
        return Story(run["machine"], run["steps"], told=told)
    machine = Machine(patches=run["patches"], **run["machine"])
    for step in before:
        carry_out(machine, step)
    written = Written(**run["replaces"]) if "replaces" in run else None
    return Course(machine, [named(task) for task in last["tasks"]], run["schedule"], run["stop"], told, written)
