"""Widgets for the book: one shape for all, a `Lab`, over what the library can do and draw.

A lab shows a scene (`Story`, `Race` or `Pictures`) step by step. Stepping needs no Python: all pages are stored
with the widget and tied to its controls in the browser. What is told anew when a control is moved needs it.
"""

from mmsim.widgets.ask import ask
from mmsim.widgets.controls import Choice, Size
from mmsim.widgets.lab import Lab, open_run, run, stepper
from mmsim.widgets.matrix import Matrix
from mmsim.widgets.stories import Race, Story
from mmsim.widgets.telling import Pictures

__all__ = ["Choice", "Lab", "Matrix", "Pictures", "Race", "Size", "Story", "ask", "open_run", "run", "stepper"]
