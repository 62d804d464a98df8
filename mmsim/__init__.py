"""A model of Linux memory management and virtio-mem, to study ZONE_MOVABLE with.

`Machine` is one machine, `explore` runs kernel paths in every interleaving, `series` is the six patches.
"""

from mmsim import series
from mmsim.interleavings import Exploration, Outcome
from mmsim.log import KernelPanic
from mmsim.machine import Machine
from mmsim.predict import predict
from mmsim.races import explore, race
from mmsim.result import Result
from mmsim.series import PATCHES, STAGES

__all__ = [
    "PATCHES", "STAGES", "Exploration", "KernelPanic", "Machine", "Outcome", "Result", "explore", "predict", "race",
    "series",
]  # fmt: skip
