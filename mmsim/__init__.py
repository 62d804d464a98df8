"""A model of Linux memory management and virtio-mem, to study ZONE_MOVABLE with."""

from mmsim.machine import Machine, Result

__all__ = ["Machine", "Result"]
