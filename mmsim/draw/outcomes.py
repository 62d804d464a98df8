"""Races as tables: all outcomes of a race, and the steps of one."""

from __future__ import annotations

from mmsim.draw.figure import Document, plural, table
from mmsim.draw.race import ending, events_of, page, rows_of, shown, tasks_of
from mmsim.sim.interleavings import Exploration, Outcome


def schedule(outcome: Outcome, title: str = "") -> Document:
    """The moves of one outcome: who takes them, and what they do; long runs of equal steps are one row."""
    racers = list(tasks_of(outcome).values())[: len(outcome.errnos)]
    rows = [(row.numbers, row.name, str(row)) for row in rows_of(outcome)]
    moves, switches = outcome.length
    description = f"{plural(moves, 'move')}; the CPUs take turns {plural(switches, 'time')}."
    title = title or f"{' and '.join(racers)} race: {ending(outcome)}"
    return table(title, ("move", "task", "what happens"), rows, description)


def outcomes(exploration: Exploration, title: str = "Every outcome of the race") -> Document:
    """The distinct outcomes, and how many schedules and states were tried to find them: all, or not all."""
    found = exploration.outcomes
    racers = max((len(outcome.errnos) for outcome in found), default=0)
    names = {task: name for outcome in found for task, name in tasks_of(outcome).items()}
    driver = ["driver"] if any(map(retries, found)) else []
    header = ("", *(names[task] for task in range(racers)), *driver, "WARN", "dump_page", "machine",
              "shortest schedule")
    rows = [outcome_row(number, outcome, bool(driver)) for number, outcome in enumerate(found, 1)]
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


def retries(outcome: Outcome) -> str:
    """What the driver of virtio-mem set its timer for, if it did."""
    return next((e.text.partition(", ")[2] for e in events_of(outcome) if e.kind == "timer"), "")


def outcome_row(number: int, outcome: Outcome, driver: bool) -> tuple[str, ...]:
    """One outcome; with what the driver did, if that is asked for."""
    events = events_of(outcome)
    warns = sum(event.kind == "warn" for event in events)
    dumps = list(dict.fromkeys(page(event.data) for event in events if event.kind == "dump"))
    dumped = ", ".join(dumps[:2]) + (f" and {len(dumps) - 2} more" if len(dumps) > 2 else "")
    machine = "runs on" if outcome.panic is None else "panic"
    errnos = [shown(errno) for errno in outcome.errnos]
    retry = [retries(outcome) or "–"] * driver
    return str(number), *errnos, *retry, str(warns or "–"), dumped or "–", machine, plural(outcome.length[0], "move")
