"""Pictures as SVG or HTML text, each with its equivalent in plain text. Standard library only, no script."""

from mmsim.draw.figure import Document, Figure, Picture, Table
from mmsim.draw.memory import memory_blocks, pageblocks, zones
from mmsim.draw.race import ending, lane_steps, lanes, outcomes
from mmsim.draw.text import diff, log

__all__ = [
    "Document", "Figure", "Picture", "Table", "diff", "ending", "lane_steps", "lanes", "log", "memory_blocks",
    "outcomes", "pageblocks", "zones",
]
