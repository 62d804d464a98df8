"""Pictures as SVG or HTML text, each with its equivalent in plain text. Standard library only, no script."""

from mmsim.draw.board import Lane, Stage, board, orders
from mmsim.draw.figure import Document, Figure, Picture, Table, table
from mmsim.draw.frames import frames, one_by_one
from mmsim.draw.gate_steps import Walk, walk
from mmsim.draw.gates import Gates, walked
from mmsim.draw.guests import Guest, guests
from mmsim.draw.held import Attempt, attempt
from mmsim.draw.hidden import Side, hidden
from mmsim.draw.matrix import Mark, matrix, worst
from mmsim.draw.notices import notices
from mmsim.draw.outcomes import outcomes, schedule
from mmsim.draw.places import Place, places
from mmsim.draw.race import ending
from mmsim.draw.race_step import race_step
from mmsim.draw.race_steps import RaceStep, race_steps
from mmsim.draw.snapshot import Snapshot, film, hearing, snapshot
from mmsim.draw.strip import Strip, pageblock_row, strip
from mmsim.draw.talk import talk
from mmsim.draw.text import diff, listing, log
from mmsim.draw.versions import Version, versions
from mmsim.draw.zones import zones

__all__ = [
    "Attempt", "Document", "Figure", "Gates", "Guest", "Lane", "Mark", "Picture", "Place", "RaceStep", "Side",
    "Snapshot", "Stage", "Strip", "Table", "Version", "Walk", "attempt", "board", "diff", "ending", "film", "frames",
    "guests", "hearing", "hidden", "listing", "log", "matrix", "notices", "one_by_one", "orders", "outcomes",
    "pageblock_row", "places", "race_step", "race_steps", "schedule", "snapshot", "strip", "table", "talk", "versions",
    "walk", "walked", "worst", "zones",
]  # fmt: skip
