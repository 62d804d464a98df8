"""The hypervisor's side of virtio-mem, as QEMU has it (hw/virtio/virtio-mem.c). Sizes are in bytes."""

from __future__ import annotations

from collections.abc import Callable

from mmsim.virtio_mem.protocol import (
    REQ_PLUG,
    REQ_UNPLUG_ALL,
    RESP_ACK,
    RESP_BUSY,
    RESP_ERROR,
    RESP_NACK,
    Config,
    Request,
)

USABLE_EXTENT = 256 << 20  # so much more than requested is usable, on x86-64


class Device:
    """A virtio-mem device: which blocks of its region are plugged, and how much the host asks for.

    usable: a fixed size of the usable region; without it the region grows as in QEMU.
    """

    def __init__(self, config: Config, requested: int = 0, plugged: int = 0, usable: int | None = None) -> None:
        self.config = config
        self.fixed_usable = usable
        self.usable_region_size = usable or 0
        self.requested_size = 0
        self.bitmap = bytearray(config.region_size // config.block_size)
        self.busy = False
        self.answers: list[str] = []
        self.config_changed: Callable[[], None] | None = None  # the guest's interrupt
        self.resize(requested)
        self.check_size("plugged", plugged)
        self.bitmap[: plugged // config.block_size] = b"\1" * (plugged // config.block_size)
        self.size = plugged

    def check_size(self, name: str, size: int) -> None:
        """Raises ValueError for a size that the region can't have: too large, or with half a block in it."""
        if not 0 <= size <= self.config.region_size:
            raise ValueError(f"{name} size {size:#x} is not between 0 and the region's {self.config.region_size:#x}")
        if size % self.config.block_size:
            raise ValueError(f"{name} size {size:#x} is no multiple of the device's block size "
                             f"{self.config.block_size:#x}")

    def resize(self, requested: int) -> None:
        """The host sets requested-size; the guest gets a configuration interrupt. ValueError as `check_size`."""
        self.check_size("requested", requested)
        self.requested_size = requested
        self.resize_usable_region(can_shrink=False)
        if self.config_changed is not None:
            self.config_changed()

    def resize_usable_region(self, can_shrink: bool) -> None:
        """The usable region is a little larger than requested-size; it shrinks at UNPLUG_ALL only."""
        if self.fixed_usable is not None:
            return
        block, requested = self.config.block_size, self.requested_size
        size = min(self.config.region_size, requested + USABLE_EXTENT) if requested else 0
        size = -(-size // block) * block
        if size > self.usable_region_size or can_shrink:
            self.usable_region_size = size

    def handle(self, request: Request) -> str:
        """Answer a request, with QEMU's checks in QEMU's order; one not acked changes nothing."""
        answer = self.answers.pop(0) if self.answers else RESP_ACK
        if answer != RESP_ACK:
            return answer
        if request.kind == REQ_UNPLUG_ALL:
            return self.unplug_all()
        plug = request.kind == REQ_PLUG
        first = (request.addr - self.config.addr) // self.config.block_size
        last = first + request.size // self.config.block_size
        if not self.valid_range(request):
            return RESP_ERROR
        if plug and self.size + request.size > self.requested_size:
            return RESP_NACK
        if self.bitmap[first:last].count(int(plug)):
            return RESP_ERROR
        if self.busy:
            return RESP_BUSY
        self.bitmap[first:last] = bytes([plug]) * (last - first)
        self.size += request.size if plug else -request.size
        return RESP_ACK

    def valid_range(self, request: Request) -> bool:
        """Is the request aligned, not empty and inside the usable region?"""
        start, end = request.addr, request.addr + request.size
        aligned = start % self.config.block_size == 0 and request.size % self.config.block_size == 0
        return aligned and request.size > 0 and (
            self.config.addr <= start and end <= self.config.addr + self.usable_region_size
        )

    def unplug_all(self) -> str:
        """UNPLUG_ALL: everything unplugged, the usable region as small as it can be."""
        if self.busy:
            return RESP_BUSY
        self.bitmap = bytearray(len(self.bitmap))
        self.size = 0
        self.resize_usable_region(can_shrink=True)
        return RESP_ACK
