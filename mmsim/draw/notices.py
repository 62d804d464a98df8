"""Who was told what by the memory notifier chain, and who objected."""

from __future__ import annotations

from collections.abc import Sequence

from mmsim.draw.figure import Document, table
from mmsim.machine.machine import Machine
from mmsim.sim.log import Event

TOLD, OBJECTS, UNTOLD = "✓ told", "✗ objects", "–"
NOBODY = "Nobody has been told anything."


def notices(machine: Machine, since: int = 0, until: int | None = None, title: str = "The notifiers") -> Document:
    """A row for each event that was sent, and a column for each notifier, in the order in which they are asked.

    since, until: numbers of the trace's events (see `Snapshot.mark`); by default all.
    """
    names = [notifier.name for notifier in machine.kernel.notifiers]
    rows: list[dict[str, str]] = []
    for event in machine.trace.events[since:until]:
        tell(rows, event)
    cells = [(row["*"], *(row.get(name, UNTOLD) for name in names)) for row in rows]
    return table(title, ("event", *names), cells) if rows else Document(title, NOBODY, "", "")


def tell(rows: list[dict[str, str]], event: Event) -> None:
    """Add what an event of the trace says to the rows, each of which maps a notifier to what it did."""
    if event.kind not in ("notify", "veto") or not isinstance(event.data, Sequence):
        return
    name, action, _ = event.data
    if name == "*":
        rows.append({name: action})
    else:
        rows[-1][name] = TOLD if event.kind == "notify" else OBJECTS
