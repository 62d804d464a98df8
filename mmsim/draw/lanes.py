"""Races as pictures: one lane a task, time downwards; and the table of all outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmsim.draw.figure import WIDTH, Document, Picture, Table, label, legend, line, num, plural, rect, svg, table, wrap
from mmsim.draw.race import KINDS, Row, ending, events_of, page, rows_of, shown, tasks_of
from mmsim.sim.interleavings import Exploration, Outcome

# kind of mark -> its letter and its class
MARKS = {
    "panic": ("!", "bad"), "warn": ("W", "bad"), "dump": ("P", "bad"), "end": ("E", "kernel"), "done": ("✓", "good"),
    "undo": ("U", "other"), "isolate": ("I", "movable"), "drain": ("D", "other"), "migrate": ("M", "other"),
    "request": ("R", "kernel"), "notify": ("N", "other"), "state": ("S", "other"), "zone": ("Z", "other"),
    "printk": ("L", "other"), "": ("·", "box"),
}  # fmt: skip
LANE, LEFT, LINE = 30, 50, 15  # distance of lanes, middle of the first lane, distance of lines of text


def lanes(outcome: Outcome, step: int | None = None, title: str = "") -> Picture:
    """A race: one lane a task, time downwards, one row a step; long runs of equal steps are folded.

    step: so many steps are done (0: none yet); the row of the last of them is framed, and what is still to come
    is dimmed. Raises ValueError for a step that the schedule does not have.
    """
    if step is not None and not 0 <= step <= len(outcome.schedule):
        raise ValueError(f"step {step} is not between 0 and {len(outcome.schedule)}")
    rows, names = rows_of(outcome), tasks_of(outcome)
    racers = [names[task] for task in range(len(outcome.errnos))]
    title = title or f"{' and '.join(racers)} race: {ending(outcome)}"
    description = describe(outcome, rows, step)
    when = {row: () if step is None else (row.when(step),) for row in rows}
    header = ("step", "task", "what happens", *(() if step is None else ("",)))
    table = Table(header, tuple((row.numbers, row.name, str(row), *when[row]) for row in rows))
    parts, height = draw(rows, names, step)
    return Picture(title, description, svg(title, description, height, parts), table)


def describe(outcome: Outcome, rows: Sequence[Row], step: int | None) -> str:
    """How long the schedule is, or what its step does."""
    steps, switches = outcome.length
    if step is None:
        return f"{plural(steps, 'step')}; the CPUs take turns {plural(switches, 'time')}."
    if step == 0:
        return f"Before the first of {plural(steps, 'step')}."
    now = next(s for row in rows for s in row.steps if s.number == step)
    return f"Step {step} of {steps}: {now.move.name} {'; '.join(now.phrases)}."


def draw(rows: Sequence[Row], names: dict[int, str], step: int | None) -> tuple[list[str], float]:
    """The whole drawing, and its height."""
    lane_of = {task: LEFT + index * LANE for index, task in enumerate(names)}
    top = 17 * len(names) + 8
    parts, height = draw_rows(rows, lane_of, top, step)
    heads = draw_heads(names, lane_of, height)
    kinds = {row.kind for row in rows}
    swatches = [(mark(7, 7, kind, 8), word) for kind, word in KINDS.items() if kind in kinds]
    key, height = legend(height + 12, swatches)
    return [*heads, *parts, *key], height


def draw_heads(names: dict[int, str], lane_of: dict[int, int], height: float) -> Iterator[str]:
    """The tasks' names, one below the other so that each has room, and their dotted lines."""
    for index, (task, name) in enumerate(names.items()):
        y = 12 + 17 * index
        yield line(lane_of[task], y + 5, lane_of[task], height, "lane")
        yield label(lane_of[task] - 4, y, name, "t b")


def draw_rows(
    rows: Sequence[Row], lane_of: dict[int, int], y: float, step: int | None
) -> tuple[list[str], float]:
    """All rows, and the y below them."""
    left = max(lane_of.values()) + 18
    parts: list[str] = []
    before = None
    for row in rows:
        x, phase = lane_of[row.steps[0].move.task], "done" if step is None else row.when(step)
        text = wrap(f"{row.name}: {row}", WIDTH - left - 4)
        height = max(24 if row.first == row.last else 38, LINE * len(text) + 9)
        if phase == "now":
            parts.append(rect(1, y, WIDTH - 2, height, "now", 4))
        if before is not None and before != x:
            parts.append(line(before, y, x, y, "active"))
        parts.append(line(x, y, x, y + height, "active"))
        parts.append(mark(x, y + 12, row.kind, 9, phase == "to come"))
        parts += draw_words(row, text, left, y + 16, "t muted" if phase == "to come" else "t")
        y, before = y + height, x
    return parts, y


def draw_words(row: Row, text: Sequence[str], x: float, y: float, kind: str) -> Iterator[str]:
    """The numbers of a row's steps, and what it says: first the task's name."""
    yield label(28, y, row.numbers if row.first == row.last else f"{row.first}–", f"{kind} end small")
    if row.first != row.last:
        yield label(28, y + LINE, str(row.last), f"{kind} end small")
    for index, words in enumerate(text):
        yield label(x, y + index * LINE, words, kind, bold=row.name + ":" if index == 0 else "")


def mark(x: float, y: float, kind: str, radius: float, later: bool = False) -> str:
    """A disc with a letter; what is to come is hollow."""
    letter, colour = MARKS[kind]
    hollow = later or colour == "box"
    disc = f'<circle cx="{num(x)}" cy="{num(y)}" r="{num(radius)}" class="mmsim-{"box" if hollow else colour}"/>'
    return disc + label(x, y + 4, letter, "t small b mid" + ("" if hollow else " on"))


# -- outcomes ----------------------------------------------------------------------------------------


def outcomes(exploration: Exploration, title: str = "Every outcome of the race") -> Document:
    """The distinct outcomes, and how many schedules and states were tried to find them: all, or not all."""
    found = exploration.outcomes
    racers = max((len(outcome.errnos) for outcome in found), default=0)
    names = {task: name for outcome in found for task, name in tasks_of(outcome).items()}
    header = ("", *(names[task] for task in range(racers)), "WARN", "dump_page", "machine", "shortest schedule")
    rows = [outcome_row(number, outcome) for number, outcome in enumerate(found, 1)]
    if not exploration.complete:
        rows.append(("?", *["unknown"] * (len(header) - 1)))
    description = f"{plural(len(found), 'distinct outcome')}. {coverage(exploration)}"
    return table(title, header, rows, description)


def coverage(exploration: Exploration) -> str:
    """For what the schedules stand that were tried."""
    tried = plural(exploration.schedules, "schedule")
    if exploration.complete:
        return f"{tried} and {plural(exploration.states, 'state')} stand for every interleaving."
    return f"What else can happen is unknown: the search was ended after {tried}."


def outcome_row(number: int, outcome: Outcome) -> tuple[str, ...]:
    """One outcome."""
    events = events_of(outcome)
    warns = sum(event.kind == "warn" for event in events)
    dumps = list(dict.fromkeys(page(event.data) for event in events if event.kind == "dump"))
    dumped = ", ".join(dumps[:2]) + (f" and {len(dumps) - 2} more" if len(dumps) > 2 else "")
    machine = "runs on" if outcome.panic is None else "panic"
    errnos = [shown(errno) for errno in outcome.errnos]
    return str(number), *errnos, str(warns or "–"), dumped or "–", machine, plural(outcome.length[0], "step")
