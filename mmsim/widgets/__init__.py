"""Widgets for the book: pictures to step through, and small laboratories that replay a story on a fresh machine.

`stepper` works without Python too: its pictures are stored with the page and its controls are tied to them in
the browser. `Lab` and `RaceLab` need Python; until it is there, a page shows their stored state.
"""

from mmsim.widgets.chapters import how_much, partial_block, race
from mmsim.widgets.labs import Lab, RaceLab
from mmsim.widgets.scenario import Choice, Size
from mmsim.widgets.stepper import Stepper, stepper

__all__ = ["Choice", "Lab", "RaceLab", "Size", "Stepper", "how_much", "partial_block", "race", "stepper"]
