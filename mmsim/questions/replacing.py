"""A function of the kernel that the reader writes, run in the place of the model's own.

A search runs each scene in every interleaving, once with the model's function and once with the reader's. The first
outcome that one of them has and the other lacks is the verdict, along the schedule that ends so. No interleaving is
left out: which steps have nothing to do with each other is known of the model's functions only.
"""

from __future__ import annotations

import ast
import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from typing import Any

from mmsim.draw.race import ending
from mmsim.draw.race_steps import RaceStep, deciding_frame, race_steps
from mmsim.machine.machine import Machine
from mmsim.machine.races import Racer, explore
from mmsim.questions.answers import Misread
from mmsim.questions.data import Filled, Scene
from mmsim.questions.functions import ANSWER, STEPS, TooLong, compiled, limited
from mmsim.questions.runs import Moment, named, prepared
from mmsim.questions.verdicts import Part, Row, opened
from mmsim.questions.words import one_line
from mmsim.sim.interleavings import Outcome
from mmsim.sim.log import KernelPanic

Object = dict[str, Any]
Ends = dict[object, Outcome]


@dataclass(frozen=True)
class Written:
    """A reader's function: the module and the name under which the model has its own, and the code."""

    module: str
    name: str
    code: str

    def function(self) -> Callable[..., Any]:
        """The function, which may use what its module may. Raises Misread if it can't be called as the model's is."""
        module = import_module(self.module)
        own, found = getattr(module, self.name), compiled(self.code, self.name, vars(module))
        wanted = list(inspect.signature(own).parameters)
        if not inspect.isfunction(found) or list(inspect.signature(found).parameters) != wanted:
            raise Misread(f"the function is called with {', '.join(wanted)}: they are its parameters, in this order")
        if inspect.iscoroutinefunction(own) and not inspect.iscoroutinefunction(found):
            raise Misread(f"another CPU may run in this function: write async def {self.name}(…)")
        for line, name in forgotten(self.code, vars(module)):
            raise Misread(f"line {line}: another CPU may run in {name}(): write await {name}(…)")
        return found

    @property
    def lines(self) -> dict[int, str]:
        """The function's lines by their numbers in the code."""
        (definition,) = [node for node in ast.parse(self.code).body
                         if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == self.name][-1:]
        lines = self.code.splitlines()
        numbers = range(definition.lineno, (definition.end_lineno or 0) + 1)
        return {number: lines[number - 1] for number in numbers if lines[number - 1].strip()}


def forgotten(code: str, known: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """The calls of known functions that lack their `await`, with their lines."""
    nodes = list(ast.walk(ast.parse(code)))
    awaited = [node.value for node in nodes if isinstance(node, ast.Await)]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    for call in calls:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if inspect.iscoroutinefunction(known.get(name)) and call not in awaited:
            yield call.lineno, name


@contextmanager
def in_place(written: Written) -> Iterator[Callable[..., Any]]:
    """The model runs the reader's function instead of its own. Raises Misread."""
    module, function = import_module(written.module), written.function()
    own = getattr(module, written.name)
    setattr(module, written.name, function)
    try:
        yield function
    finally:
        setattr(module, written.name, own)


# -- paths that a mistake in the code can't leave --------------------------------------------------------


def guarded(racer: Racer) -> Racer:
    """A path in which an exception of Python stops the modelled machine, so that it is an end like any other."""
    return Racer(racer.name, lambda machine: guard(machine, racer))


async def guard(machine: Machine, racer: Racer) -> Any:
    """Run a path; whatever it raises that no kernel knows is a panic that says what and where."""
    try:
        return await racer.start(machine)
    except (OSError, KernelPanic):
        raise
    except Exception as error:
        machine.trace.panic(mistake(error))


def mistake(error: Exception) -> str:
    """An exception in words, with the line of the reader's code in which it came up."""
    text = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == ANSWER]
    return f"line {lines[-1]}: {text}" if lines else text


def steps(written: Written, machine: Machine, racers: Sequence[Racer], schedule: Sequence[Any]) -> list[RaceStep]:
    """The frames of a run with the reader's function, whose lines they show."""
    with in_place(written) as function:
        return race_steps(machine, [guarded(racer) for racer in racers], schedule, function, written.lines)


# -- the search ------------------------------------------------------------------------------------------


def start(scene: Scene) -> tuple[Machine, list[Racer]]:
    """The machine of a scene before its last step, and what is raced in that."""
    return prepared(scene), [named(task) for task in scene.steps[-1]["tasks"]]


def ends(machine: Machine, racers: Sequence[Racer]) -> Ends:
    """Every way in which a race can end: what it is told apart by, and the outcome."""
    found = explore(machine, *map(guarded, racers), observe=state, prune=False).outcomes
    return {(each.errnos, each.log, each.panic, each.observed): each for each in found}


def state(machine: Machine) -> tuple[tuple[str, int], ...]:
    """What is so in the end beside errnos and log, as pairs of words and a number; of a panic nothing is."""
    if machine.trace.panicked is not None:
        return ()
    zones = [zone for zone in machine.kernel.zones if zone.populated]
    return tuple(pair for zone in zones for pair in (
        (f"isolated pageblocks in ZONE_{zone.name.upper()}", zone.nr_isolate_pageblock),
        (f"pages on the CPUs' own lists in ZONE_{zone.name.upper()}", sum(len(p) for cpu in zone.pageset for p in cpu)),
        (f"free pages in ZONE_{zone.name.upper()}", zone.nr_free_pages),
    ))


def scenes(question: Filled) -> Iterator[tuple[str, Scene]]:
    """The title of each scene, and the scene; a last step that is no race is one of a single path."""
    for index, each in enumerate(question.data["scenes"]):
        found = question.checked(each["machine"], each["steps"], None, {}, f".scenes[{index}]")
        last = found.race or {"do": "race", "tasks": [found.steps[-1]]}
        yield each["title"], Scene(found.machine, found.patches, (*found.steps[:-1], last))


def judge(question: Filled, field: Object, code: str) -> Part:
    """Search every scene with both functions, and show the first end that only one of them has."""
    written = Written(question.data["replaces"], question.data["function"], code)
    every = list(scenes(question))
    for title, scene in every:
        machine, racers = start(scene)
        wanted = ends(machine, racers)
        try:
            with in_place(written):
                given: Ends = limited(partial(ends, machine, racers))
        except TooLong:
            row = Row(field["name"], title, "no end", told(wanted.values()), False)
            return Part((field["name"],), False, (row,), message=f"{title}: no end after {STEPS} steps.")
        if set(given) != set(wanted):
            return differs(field, written, title, scene, given, wanted)
    all_ = f"{len(every)} of {len(every)}"
    row = Row(field["name"], "scenes that can end in the same ways", all_, all_, True)
    return Part((field["name"],), True, (row,), None, one_line(field.get("reason", "")), None,
                f"No order of events in {len(every)} scenes tells it from the kernel's own function.")


def differs(field: Object, written: Written, title: str, scene: Scene, given: Ends, wanted: Ends) -> Part:
    """The verdict that shows the shortest run that ends otherwise, or any if the reader's only lacks an end."""
    others = [end for key, end in given.items() if key not in wanted]
    outcome = min(others or given.values(), key=lambda end: end.length)
    schedule = [move.task for move in outcome.schedule]
    frames = steps(written, *start(scene), schedule)
    at = frames[deciding_frame(frames)]
    said, found = told([outcome]), told(wanted.values())
    rows = [Row(field["name"], what, str(number), " or ".join(dict.fromkeys(map(str, kept))), False)
            for what, number, kept in changed(outcome, list(wanted.values()))] if others else []
    if not rows or said not in found.split(OR):
        rows = [Row(field["name"], title, said if others else f"only {told(given.values())}", found, False), *rows]
    run = {**opened(scene, schedule, at.number), "replaces": asdict(written)}
    return Part((field["name"],), False, tuple(rows), Moment(at.number, at.frames, at.headline), run=run,
                message=message(title, outcome, rows[0]))


def changed(outcome: Outcome, wanted: Sequence[Outcome]) -> Iterator[tuple[str, int, list[int]]]:
    """What is another number in the end than it ever is in one of the ends that have the same errnos."""
    alike = [numbers(end) for end in wanted if end.errnos == outcome.errnos]
    for what, number in numbers(outcome).items():
        if alike and number not in (kept := [each[what] for each in alike]):
            yield what, number, kept


def numbers(outcome: Outcome) -> dict[str, int]:
    """What `state` has noted of an end."""
    observed: Any = outcome.observed
    return dict(observed)


def message(title: str, outcome: Outcome, row: Row) -> str:
    """The first difference in a sentence."""
    if outcome.panic is not None:
        return f"{title}: the machine can stop. {outcome.panic[:1].upper()}{outcome.panic[1:]}."
    if row.what != title:
        return f"{title}: {row.what} can be {row.said} in the end, not {row.found}."
    return f"{title}: with your function it can end so: {row.said}. With the kernel's: {row.found}."


OR = "; or "


def told(ends: Iterable[Outcome]) -> str:
    """Ends in words; who is alone can fail, but has nobody to lose to."""
    words = (ending(end) if len(end.errnos) > 1 else ending(end).replace(" loses:", " fails:") for end in ends)
    return OR.join(dict.fromkeys(words))
