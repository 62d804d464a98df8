"""Races as pictures: one lane a task, time downwards; and the table of all outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmsim.draw.figure import WIDTH, Document, Picture, Table, label, legend, line, num, rect, svg, wrap
from mmsim.explore import Exploration, Move, Outcome
from mmsim.log import Event

FOLDABLE = {"isolate", "drain"}  # a long run of steps in which nothing else happens is one row
FOLD_FROM = 8  # steps
# kind of event -> (letter of its mark, class of its mark, what the legend says), the most telling first
MARKS = {
    "panic": ("!", "bad", "panic"),
    "warn": ("W", "bad", "WARN"),
    "dump": ("P", "bad", "page dumped"),
    "end": ("E", "kernel", "ends with an error"),
    "done": ("✓", "good", "ends well"),
    "undo": ("U", "other", "isolation undone"),
    "isolate": ("I", "movable", "pageblock isolated"),
    "drain": ("D", "other", "per-CPU lists drained"),
    "migrate": ("M", "other", "pages migrated"),
    "request": ("R", "kernel", "request to the device"),
    "notify": ("N", "other", "notifiers told"),
    "state": ("S", "other", "block state changed"),
    "zone": ("Z", "other", "zone changed"),
    "printk": ("L", "other", "log line"),
    "": ("·", "box", "a step that leaves no trace"),
}


@dataclass(frozen=True)
class Step:
    """What one move of a schedule did: kinds of marks, the most telling first, and a phrase for each thing."""

    number: int  # from 1
    move: Move
    kinds: tuple[str, ...]
    phrases: tuple[str, ...]
    places: tuple[str, ...] = ()  # pageblocks that were isolated, or given back


@dataclass(frozen=True)
class Row:
    """Some steps of one task, one below the other in the picture's row."""

    steps: tuple[Step, ...]

    @property
    def first(self) -> int:
        """Number of the first step."""
        return self.steps[0].number

    @property
    def last(self) -> int:
        """Number of the last step."""
        return self.steps[-1].number

    @property
    def kinds(self) -> tuple[str, ...]:
        """Marks of all steps."""
        return tuple(kind for kind in MARKS if any(kind in step.kinds for step in self.steps))

    @property
    def numbers(self) -> str:
        """`3`, or `3–130`."""
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"

    def __str__(self) -> str:
        if len(self.steps) == 1:
            return "; ".join(self.steps[0].phrases)
        return "; ".join(folded(self.steps))


def folded(steps: Sequence[Step]) -> Iterator[str]:
    """What a long run of steps did."""
    for kind, verb in (("isolate", "isolates"), ("undo", "gives back")):
        places = [place for step in steps if kind in step.kinds for place in step.places]
        if places:
            span = places[0] if len(places) == 1 else f"{places[0]} … {places[-1]}"
            yield f"{verb} {len(places)} pageblock{'s' * (len(places) != 1)} ({span})"
    if drains := sum("drain" in step.kinds for step in steps):
        yield f"drains the per-CPU lists {drains} time{'s' * (drains != 1)}"
    rest = len(steps) - sum(bool(set(step.kinds) & {"isolate", "undo", "drain"}) for step in steps)
    if rest > 1 or rest == len(steps):
        yield f"{rest} steps that leave no trace"
    yield from (phrase for step in steps for phrase in step.phrases if phrase.startswith("returns"))


# -- what happened -----------------------------------------------------------------------------------


def steps_of(outcome: Outcome) -> list[Step]:
    """Every step of the schedule, with what it did."""
    last = {move.task: index for index, move in enumerate(outcome.schedule)}
    started: set[int] = set()
    found = []
    for index, move in enumerate(outcome.schedule):
        events = outcome.events[move.first : move.last]
        kinds, phrases = [kind_of(e) for e in events if said(e)], [said(e) for e in events if said(e)]
        if last[move.task] == index and move.task < len(outcome.errnos):
            ending = outcome.errnos[move.task]
            if ending is not None:
                kinds.append("done" if ending == "0" else "end")
                phrases.append("returns 0" if ending == "0" else f"returns -{ending}")
        if not phrases:
            phrases.append("goes on to the next preemption point" if move.task in started else "starts")
        started.add(move.task)
        places = tuple(e.text.split(":")[0].removeprefix("pageblock ") for e in events if e.kind == "isolate")
        ordered = tuple(kind for kind in MARKS if kind in kinds)
        found.append(Step(index + 1, move, ordered, tuple(phrases), places))
    return found


def kind_of(event: Event) -> str:
    """The kind of an event's mark."""
    return "undo" if event.kind == "isolate" and event.text.endswith("no longer Isolate") else event.kind


def said(event: Event) -> str:
    """What a reader is told of an event; the frame of a warning says nothing new."""
    text = event.text
    if event.kind == "isolate":
        verb = "gives back" if kind_of(event) == "undo" else "isolates"
        return f"{verb} {text.split(':')[0]}"
    if event.kind == "drain":
        return "drains the per-CPU lists"
    if event.kind == "printk":
        quiet = event.data == "debug" or text.startswith(("---", "WARNING: CPU", "Kernel panic"))
        return "" if quiet else f"logs “{text}”"
    if event.kind == "dump":
        return f"dump_page({'NULL' if event.data is None else hex(number(event.data))}): {text}"
    before = {"warn": "WARNING at ", "panic": "panic: ", "request": "asks the host: "}
    return before.get(event.kind, "") + text


def number(data: object) -> int:
    """The pfn that an event is about."""
    assert isinstance(data, int)
    return data


def rows_of(outcome: Outcome) -> list[Row]:
    """The schedule as rows: each step one, but long runs of one task in which nothing special happens are folded."""
    rows: list[Row] = []
    run: list[Step] = []
    for step in steps_of(outcome):
        if run and run[-1].move.task != step.move.task:
            rows += fold(run)
            run = []
        run.append(step)
    return rows + fold(run)


def fold(steps: Sequence[Step]) -> list[Row]:
    """Rows for consecutive steps of one task."""
    rows: list[Row] = []
    plain: list[Step] = []
    for step in [*steps, None]:
        if step is not None and not set(step.kinds) - {"isolate", "undo", "drain"}:
            plain.append(step)
            continue
        rows += [Row(tuple(plain))] if len(plain) >= FOLD_FROM else [Row((one,)) for one in plain]
        plain = []
        if step is not None:
            rows.append(Row((step,)))
    return rows


def lane_steps(outcome: Outcome) -> list[int]:
    """The steps worth stopping at: 0 (nothing has happened) and the last step of each row of `lanes`."""
    return [0, *(row.last for row in rows_of(outcome))]


# -- lanes -------------------------------------------------------------------------------------------

LANE = 48
TOP = 44
LINE = 15


def lanes(outcome: Outcome, step: int | None = None, title: str = "") -> Picture:
    """A race: one lane a task, time downwards, one row a step; long runs of equal steps are folded.

    step: so many steps are done (0: none yet); the last of them is framed and what is still to come is dimmed.
    Raises ValueError for a step that the schedule does not have.
    """
    if step is not None and not 0 <= step <= len(outcome.schedule):
        raise ValueError(f"step {step} is not between 0 and {len(outcome.schedule)}")
    rows, names = rows_of(outcome), lane_names(outcome)
    title = title or f"{' and '.join(names[: len(outcome.errnos)])}: {ending(outcome)}"
    table = Table(
        ("step", "task", "what happens", *(("",) if step is not None else ())),
        tuple(
            (row.numbers, row.steps[0].move.name, str(row), *((when(row, step),) if step is not None else ()))
            for row in rows
        ),
    )
    description = describe(outcome, rows, step)
    lane_of = {task: index for index, task in enumerate(tasks_of(outcome))}
    parts, height = draw_rows(rows, lane_of, step)
    heads = draw_heads(outcome, lane_of, height)
    marks = [kind for kind in MARKS if any((row.kinds or ("",))[0] == kind for row in rows)]
    swatches = [(mark(7, 7, kind, 8), MARKS[kind][2]) for kind in marks]
    key, height = legend(height + 12, swatches)
    return Picture(title, description, svg(title, description, height, [*heads, *parts, *key]), table)


def tasks_of(outcome: Outcome) -> list[int]:
    """Task numbers with a lane: all racers, and the kworker if it did anything."""
    return sorted({*range(len(outcome.errnos)), *(move.task for move in outcome.schedule)})


def lane_names(outcome: Outcome) -> list[str]:
    """The tasks' names, in the order of the lanes."""
    names = {move.task: move.name for move in outcome.schedule}
    return [names.get(task, f"task {task}") for task in tasks_of(outcome)]


def ending(outcome: Outcome) -> str:
    """How a race has ended, in a phrase: who got which errno, and what went wrong."""
    parts = [f"{name} {shown(e)}" for name, e in zip(lane_names(outcome), outcome.errnos, strict=False)]
    events = events_of(outcome)
    parts += ["WARN"] if any(event.kind == "warn" for event in events) else []
    return ", ".join([*parts, *(["kernel panic"] if outcome.panic is not None else [])])


def events_of(outcome: Outcome) -> tuple[Event, ...]:
    """What happened in the race, without what came before it."""
    return outcome.events[outcome.schedule[0].first :] if outcome.schedule else ()


def shown(errno: str | None) -> str:
    """An errno as a kernel function returns it."""
    return "does not end" if errno is None else errno if errno == "0" else f"-{errno}"


def describe(outcome: Outcome, rows: Sequence[Row], step: int | None) -> str:
    """The sentence below the title."""
    steps, switches = outcome.length
    whole = f"{steps} steps, {switches} switch{'es' * (switches != 1)} from one task to another."
    if step is None:
        return whole
    if step == 0:
        return f"Before the first of {steps} steps."
    now = next(s for row in rows for s in row.steps if s.number == step)
    return f"Step {step} of {steps}: {now.move.name} {'; '.join(now.phrases)}."


def when(row: Row, step: int) -> str:
    """Whether a row is done, happens now, or is to come."""
    return "now" if row.first <= step <= row.last else "done" if row.last < step else "to come"


def draw_heads(outcome: Outcome, lane_of: dict[int, int], height: float) -> Iterator[str]:
    """The lanes' heads and their dotted lines."""
    for (task, lane), name in zip(lane_of.items(), lane_names(outcome), strict=True):
        x = lane_x(lane)
        for index, text in enumerate(wrap(name, LANE - 2)[:2]):
            yield label(x, 12 + 13 * index, text, "t small b mid")
        yield line(x, TOP - 6, x, height, "lane")


def lane_x(lane: int) -> float:
    """The middle of a lane."""
    return 34 + LANE / 2 + lane * LANE


def draw_rows(rows: Sequence[Row], lane_of: dict[int, int], step: int | None) -> tuple[list[str], float]:
    """All rows, and the y below them."""
    text_x = lane_x(len(lane_of)) - LANE / 2 + 6
    parts, y, before = [], float(TOP), -1
    for row in rows:
        move = row.steps[0].move
        x, phase = lane_x(lane_of[move.task]), "done" if step is None else when(row, step)
        lines = wrap(f"{move.name}: {row}", WIDTH - text_x - 4)
        height = max(24, LINE * len(lines) + 8)
        if phase == "now":
            parts.append(rect(1, y, WIDTH - 2, height, "now", 4))
        if before >= 0 and before != move.task:
            parts.append(line(lane_x(lane_of[before]), y, x, y, "switch"))
        colour = "t muted" if phase == "to come" else "t"
        parts.append(label(30, y + 16, row.numbers if len(row.numbers) < 5 else f"{row.first}–", f"{colour} end small"))
        kinds = row.kinds or ("",)
        parts.append(line(x, y, x, y + height, "active"))
        parts.append(mark(x, y + 12, kinds[0], 9, phase == "to come"))
        parts += [label(text_x, y + 16 + LINE * i, text, colour + " b" * (i == 0)) for i, text in enumerate(lines)]
        y, before = y + height, move.task
    return parts, y


def mark(x: float, y: float, kind: str, radius: float, later: bool = False) -> str:
    """A disc with a letter; what is to come is hollow."""
    letter, colour, _ = MARKS[kind]
    hollow = later or colour == "box"
    disc = f'<circle cx="{num(x)}" cy="{num(y)}" r="{num(radius)}" class="mmsim-{"box" if hollow else colour}"/>'
    return disc + label(x, y + 4, letter, "t small b mid" + ("" if hollow else " on"))


# -- outcomes ----------------------------------------------------------------------------------------


def outcomes(exploration: Exploration, title: str = "Every outcome of the race") -> Document:
    """The distinct outcomes, and how many schedules and states were tried to find them."""
    tasks = max((len(outcome.errnos) for outcome in exploration.outcomes), default=0)
    names: dict[int, str] = {move.task: move.name for o in exploration.outcomes for move in o.schedule}
    header = ("", *(names.get(t, f"task {t}") for t in range(tasks)), "WARN", "dump_page", "end", "shortest schedule")
    table = Table(header, tuple(outcome_row(i, o) for i, o in enumerate(exploration.outcomes, 1)))
    found = len(exploration.outcomes)
    description = (
        f"{found} distinct outcome{'s' * (found != 1)}; {exploration.schedules} schedules with {exploration.states} "
        "states, which stand for every interleaving."
    )
    return Document(title, description, table.html(title), str(table))


def outcome_row(number: int, outcome: Outcome) -> tuple[str, ...]:
    """One outcome."""
    events = events_of(outcome)
    warns = sum(event.kind == "warn" for event in events)
    dumps = ["NULL" if e.data is None else hex(number(e.data)) for e in events if e.kind == "dump"]
    errnos = [shown(errno) for errno in outcome.errnos]
    return (
        str(number), *errnos, str(warns) if warns else "no", ", ".join(dict.fromkeys(dumps)) or "no",
        "panic" if outcome.panic is not None else "ok", f"{outcome.length[0]} steps",
    )
