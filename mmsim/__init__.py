"""A model of Linux memory management and virtio-mem, to study ZONE_MOVABLE with.

`Machine` is one machine, `explore` runs kernel paths in every interleaving, `series` lists
the changes to Linux that can be applied, the six patches among them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmsim.machine.machine import Machine
    from mmsim.machine.races import explore, race
    from mmsim.machine.result import Result
    from mmsim.questions.predictions import predict
    from mmsim.series import PATCHES, STAGES
    from mmsim.sim.interleavings import Exploration, Outcome
    from mmsim.sim.log import KernelPanic

__all__ = [
    "PATCHES", "STAGES", "Exploration", "KernelPanic", "Machine", "Outcome", "Result", "explore", "predict", "race",
]  # fmt: skip

# Each name is loaded when it is first asked for: who only replays a scenario waits for no pictures.
_HOME = {
    "machine.machine": ("Machine",), "machine.races": ("explore", "race"), "machine.result": ("Result",),
    "questions.predictions": ("predict",), "series": ("PATCHES", "STAGES"),
    "sim.interleavings": ("Exploration", "Outcome"), "sim.log": ("KernelPanic",),
}  # fmt: skip


def __getattr__(name: str) -> object:
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"mmsim.{module}"), name)
    raise AttributeError(f"module 'mmsim' has no attribute {name!r}")
