"""Pictures as SVG or HTML text, each with its equivalent in plain text. Standard library only, no script."""

from mmsim.draw.figure import Document, Figure, Picture, Table, table
from mmsim.draw.frames import frames
from mmsim.draw.guests import Guest, guests
from mmsim.draw.lanes import lanes, outcomes
from mmsim.draw.matrix import Mark, matrix, worst
from mmsim.draw.notices import notices
from mmsim.draw.race import ending, lane_steps
from mmsim.draw.race_step import race_step
from mmsim.draw.race_steps import RaceStep, race_steps
from mmsim.draw.snapshot import Snapshot, film, snapshot
from mmsim.draw.strip import Strip, pageblock_row, strip
from mmsim.draw.text import diff, listing, log
from mmsim.draw.zones import zones

__all__ = [
    "Document", "Figure", "Guest", "Mark", "Picture", "RaceStep", "Snapshot", "Strip", "Table", "diff", "ending",
    "film", "frames", "guests", "lane_steps", "lanes", "listing", "log", "matrix", "notices", "outcomes",
    "pageblock_row", "race_step", "race_steps", "snapshot", "strip", "table", "worst", "zones",
]  # fmt: skip
