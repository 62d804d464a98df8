"""What driver and device say to each other (include/uapi/linux/virtio_mem.h; the OASIS virtio specification).

Addresses and sizes are in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

REQ_PLUG = "PLUG"
REQ_UNPLUG = "UNPLUG"
REQ_UNPLUG_ALL = "UNPLUG_ALL"

RESP_ACK = "ACK"  # done
RESP_NACK = "NACK"  # not now: more than requested-size
RESP_BUSY = "BUSY"  # not now: the host is at something else
RESP_ERROR = "ERROR"  # the request is wrong

RESPONSES = (RESP_ACK, RESP_NACK, RESP_BUSY, RESP_ERROR)


@dataclass(frozen=True, slots=True)
class Request:
    """One request; addr and size say nothing for UNPLUG_ALL."""

    kind: str
    addr: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Config:
    """The device's configuration space: what never changes."""

    addr: int
    region_size: int
    block_size: int

    def __post_init__(self) -> None:
        if self.block_size < 4096 or self.block_size & (self.block_size - 1):
            raise ValueError(f"virtio_mem block: {self.block_size} is no power of two from 4K on")
        for name, value in (("addr", self.addr), ("region", self.region_size)):
            if value % self.block_size:
                raise ValueError(f"virtio_mem {name}: {value:#x} is not aligned to the block size "
                                 f"{self.block_size:#x}")
