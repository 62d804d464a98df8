"""The steps that a reader may write, each with an example: its keys are those of the scenario format."""

from __future__ import annotations

from typing import Any

from mmsim.questions.data import Filled
from mmsim.scenario.format import STEPS

VALUES = {
    "to": "64M", "path": "memory1/state", "value": "online", "paths": "memory1/state,memory2/state", "seconds": "5",
    "as": "program", "size": "4M", "what": "program", "pfn": "addr:2M", "start": "addr:4M", "end": "addr:8M",
    "after_rounds": "2", "kind": "lru", "delta": "1", "type": "Movable", "name": "mine", "errno": "ENOMEM",
}  # fmt: skip
OF_A_VERB = {"read": {"path": "/proc/buddyinfo"}, "fail": {"what": "add_memory"}, "device": {"busy": "true"}}
OF_A_DEVICE = {
    "path": "memory32/state", "paths": "memory32/state,memory33/state", "pfn": "block:32+5", "start": "block:32",
    "end": "block:33",
}  # fmt: skip


def verbs_of(question: Filled) -> list[str]:
    """The verbs that may be used."""
    return list(question.data.get("verbs", STEPS))


def example_of(question: Filled, verb: str) -> str:
    """A line that is a step of this verb, on a machine such as the question's."""
    device = "virtio_mem" in question.data.get("machine", {})
    values: dict[str, Any] = VALUES | (OF_A_DEVICE if device else {}) | OF_A_VERB.get(verb, {})
    keys = [key for key in STEPS[verb] if not key.endswith("?")] or list(OF_A_VERB.get(verb, ()))
    return " ".join([verb, *(f"{key}={values[key]}" for key in keys)])


def keys_of(verb: str) -> str:
    """The keys that a step of this verb may have beside those that it must have: `count=, as=`."""
    return ", ".join(f"{key.removesuffix('?')}=" for key in STEPS[verb] if key.endswith("?"))
