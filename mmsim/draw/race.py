"""A race told step by step: what each step did, and which steps can be told as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmsim.draw.figure import plural
from mmsim.sim.interleavings import Move, Outcome
from mmsim.sim.log import Event

FOLDABLE = {"isolate", "undo", "drain"}  # a long run of steps in which nothing else happens is one row
FOLD_FROM = 8  # steps
MOST = 4  # phrases for one step

# Kinds of what a step does: most are those of an event; `undo` gives a pageblock back, `done` and `end` return.
KINDS = (
    "panic", "warn", "dump", "end", "done", "undo", "isolate", "drain", "migrate", "request", "notify", "veto",
    "timer", "state", "zone", "printk",
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """What one move of a schedule did: its kinds, and a phrase for each thing."""

    number: int  # from 1
    move: Move
    kinds: tuple[str, ...]
    phrases: tuple[str, ...]
    places: tuple[str, ...]  # pageblocks that were isolated, or given back


@dataclass(frozen=True)
class Row:
    """One step, or a long run of steps of one task."""

    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The task's name."""
        return self.steps[0].move.name

    @property
    def first(self) -> int:
        """Number of the first step."""
        return self.steps[0].number

    @property
    def last(self) -> int:
        """Number of the last step."""
        return self.steps[-1].number

    @property
    def numbers(self) -> str:
        """`3`, or `3–130`."""
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"

    def __str__(self) -> str:
        return "; ".join(self.steps[0].phrases if len(self.steps) == 1 else folded(self.steps))


def folded(steps: Sequence[Step]) -> Iterator[str]:
    """What a long run of steps did."""
    for kind, verb in (("isolate", "isolates"), ("undo", "gives back")):
        places = [place for step in steps if kind in step.kinds for place in step.places]
        if places:
            span = places[0] if len(places) == 1 else f"{places[0]} … {places[-1]}"
            yield f"{verb} {plural(len(places), 'pageblock')} ({span})"
    if drains := sum("drain" in step.kinds for step in steps):
        yield f"drains the per-CPU lists {plural(drains, 'time')}"
    silent = sum(not step.kinds for step in steps)
    if silent > 1:
        yield f"{silent} steps without a trace"
    yield from steps[-1].phrases[-1:] if steps[-1].phrases[-1].startswith("returns") else ()


# -- what happened -----------------------------------------------------------------------------------


def steps_of(outcome: Outcome) -> list[Step]:
    """Every step of the schedule, with what it did."""
    last = {move.task: index for index, move in enumerate(outcome.schedule)}
    seen: set[int] = set()
    found = []
    for index, move in enumerate(outcome.schedule):
        ends = last[move.task] == index and move.task < len(outcome.errnos)
        found.append(step_of(outcome, index, ends, move.task not in seen))
        seen.add(move.task)
    return found


def step_of(outcome: Outcome, index: int, ends: bool, starts: bool) -> Step:
    """What one move did."""
    move = outcome.schedule[index]
    events = [e for e in outcome.events[move.first : move.last] if said(e)]
    kinds, phrases = {kind_of(e) for e in events}, [said(e) for e in events]
    if len(phrases) > MOST:
        phrases[MOST - 1 :] = [f"… and {len(phrases) - MOST + 1} things more"]
    errno = outcome.errnos[move.task] if ends else None
    if errno is not None:
        kinds.add("done" if errno == "0" else "end")
        phrases.append(f"returns {shown(errno)}")
    if not phrases:
        phrases.append("starts" if starts else "goes on to the next preemption point")
    places = tuple(pageblock(e) for e in events if e.kind == "isolate")
    return Step(index + 1, move, tuple(kind for kind in KINDS if kind in kinds), tuple(phrases), places)


def kind_of(event: Event) -> str:
    """The kind of an event; giving a pageblock back is one of its own."""
    return "undo" if event.kind == "isolate" and event.text.endswith("no longer Isolate") else event.kind


def pageblock(event: Event) -> str:
    """The pageblock that was isolated, or given back."""
    return event.text.split(":")[0].removeprefix("pageblock ")


def said(event: Event) -> str:
    """What a reader is told of an event; nothing if other events say it."""
    if event.kind == "isolate":
        return f"{'gives back' if kind_of(event) == 'undo' else 'isolates'} pageblock {pageblock(event)}"
    if event.kind == "drain":
        return "drains the per-CPU lists"
    if event.kind == "printk":
        frame = event.text.startswith(("---", "WARNING: CPU"))
        return "" if frame or event.data in ("debug", "alert", "emerg") else f"logs “{event.text}”"
    if event.kind == "dump":
        return f"dump_page({page(event.data)}): {event.text}"
    before = {"warn": "WARNING at ", "panic": "panic: ", "request": "asks the host: "}
    return before.get(event.kind, "") + event.text


def page(data: object) -> str:
    """The page that an event is about."""
    return hex(data) if isinstance(data, int) else "NULL"


def shown(errno: str | None) -> str:
    """An errno as a kernel function returns it."""
    return "never returns" if errno is None else errno if errno == "0" else f"-{errno}"


# -- rows --------------------------------------------------------------------------------------------


def rows_of(outcome: Outcome) -> list[Row]:
    """The schedule as rows: a step each, but a long run of one task in which nothing special happens is one."""
    rows: list[Row] = []
    run: list[Step] = []
    for step in steps_of(outcome):
        plain = not set(step.kinds) - FOLDABLE
        if run and (run[-1].move.task != step.move.task or not plain):
            rows += fold(run)
            run = []
        if plain:
            run.append(step)
        else:
            rows.append(Row((step,)))
    return rows + fold(run)


def fold(steps: Sequence[Step]) -> list[Row]:
    """Steps of one task in which nothing special happens."""
    return [Row(tuple(steps))] if len(steps) >= FOLD_FROM else [Row((step,)) for step in steps]


# -- the whole ---------------------------------------------------------------------------------------


def events_of(outcome: Outcome) -> tuple[Event, ...]:
    """What happened in the race, without what came before it."""
    return outcome.events[outcome.schedule[0].first :] if outcome.schedule else ()


def tasks_of(outcome: Outcome) -> dict[int, str]:
    """Numbers and names of the tasks: all racers, and the kworker if it did anything."""
    names = {move.task: move.name for move in outcome.schedule}
    return {task: names.get(task, f"task {task}") for task in sorted({*range(len(outcome.errnos)), *names})}


def ending(outcome: Outcome) -> str:
    """How a race has ended, in a phrase: `offline loses: -EBUSY, a warning`."""
    names = tasks_of(outcome)
    ends = {names[task]: errno for task, errno in enumerate(outcome.errnos)}
    stuck = [name for name, errno in ends.items() if errno is None]
    lost = [name for name, errno in ends.items() if errno not in (None, "0")]
    if stuck:
        who = f"{' and '.join(stuck)} never return{'s' if len(stuck) == 1 else ''}"
    elif lost:
        who = f"{' and '.join(lost)} lose{'s' if len(lost) == 1 else ''}"
    else:
        who = f"{' and '.join(ends)} succeed{'s' if len(ends) == 1 else ''}"
    heard = [*dict.fromkeys(shown(ends[name]) for name in lost), *noise(events_of(outcome))]
    return f"{who}: {', '.join(heard)}" if heard else who


def noise(events: Sequence[Event]) -> Iterator[str]:
    """What can be heard of a race beside its errnos."""
    kinds = {event.kind for event in events}
    if "warn" in kinds:
        yield "a warning"
    if "dump" in kinds:
        null = any(event.kind == "dump" and event.data is None for event in events)
        yield "dump_page(NULL)" if null else "a dumped page"
    if "panic" in kinds:
        yield "a kernel panic"
    if "timer" in kinds:
        yield "the driver has to try again"
