"""The picture of each thing that draws itself."""

from __future__ import annotations

from mmsim.draw.figure import Figure
from mmsim.draw.outcomes import outcomes, schedule
from mmsim.draw.strip import strip
from mmsim.draw.text import log
from mmsim.machine.machine import Machine
from mmsim.machine.result import Result
from mmsim.sim.interleavings import Exploration, Outcome


def picture(thing: object) -> Figure:
    """A machine as its memory, a result as its log, an outcome as its steps, an exploration as the table of outcomes.

    Raises TypeError for what has no picture.
    """
    match thing:
        case Machine():
            return strip(thing, title=repr(thing).strip("<>"))
        case Result():
            return log(thing, title=repr(thing).strip("<>"))
        case Outcome():
            return schedule(thing)
        case Exploration():
            return outcomes(thing)
    raise TypeError(f"{type(thing).__name__} has no picture")
