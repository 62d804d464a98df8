"""Pictures as SVG or HTML text, each with its equivalent in plain text. Standard library only, no script."""

from mmsim.draw.figure import Document, Figure, Picture, Table, table
from mmsim.draw.lanes import lanes, outcomes
from mmsim.draw.memory import memory_blocks
from mmsim.draw.pageblocks import pageblocks
from mmsim.draw.race import ending, lane_steps
from mmsim.draw.text import diff, log
from mmsim.draw.zones import zones

__all__ = [
    "Document", "Figure", "Picture", "Table", "diff", "ending", "lane_steps", "lanes", "log", "memory_blocks",
    "outcomes", "pageblocks", "table", "zones",
]  # fmt: skip
