"""A model of Linux memory management and virtio-mem, to study ZONE_MOVABLE with.

`Machine` is one machine, `explore` runs kernel paths in every interleaving, `series` is the six patches.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmsim.interleavings import Exploration, Outcome
    from mmsim.log import KernelPanic
    from mmsim.machine import Machine
    from mmsim.predictions import predict
    from mmsim.races import explore, race
    from mmsim.result import Result
    from mmsim.series import PATCHES, STAGES

__all__ = [
    "PATCHES", "STAGES", "Exploration", "KernelPanic", "Machine", "Outcome", "Result", "explore", "predict", "race",
]  # fmt: skip

# Each name is loaded when it is first asked for: who only replays a scenario waits for no pictures.
_HOME = {
    "interleavings": ("Exploration", "Outcome"), "log": ("KernelPanic",), "machine": ("Machine",),
    "predictions": ("predict",), "races": ("explore", "race"), "result": ("Result",), "series": ("PATCHES", "STAGES"),
}  # fmt: skip


def __getattr__(name: str) -> object:
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"mmsim.{module}"), name)
    raise AttributeError(f"module 'mmsim' has no attribute {name!r}")
