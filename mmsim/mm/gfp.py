"""What an allocation asks for (include/linux/gfp.h, v5.8, x86-64)."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from mmsim.mm.memmap import LRU, SLAB
from mmsim.mm.mmzone import (
    MIGRATE_MOVABLE,
    MIGRATE_RECLAIMABLE,
    MIGRATE_UNMOVABLE,
    ZONE_DMA,
    ZONE_DMA32,
    ZONE_MOVABLE,
    ZONE_NORMAL,
)

GFP_ZONES = {
    "GFP_KERNEL": ZONE_NORMAL,
    "GFP_USER": ZONE_NORMAL,
    "GFP_HIGHUSER": ZONE_NORMAL,  # there is no high memory on x86-64
    "GFP_HIGHUSER_MOVABLE": ZONE_MOVABLE,
    "GFP_DMA32": ZONE_DMA32,
    "GFP_DMA": ZONE_DMA,
}


class Gfp(NamedTuple):
    """What a gfp mask asks for: the highest zone, the free list, and the code of the pages handed out."""

    highest_zone: int
    migratetype: int
    code: int


@cache
def gfp(text: str) -> Gfp:
    """A mask such as `GFP_USER|__GFP_MOVABLE`. Raises ValueError for what is no mask.

    Only __GFP_HIGHMEM and __GFP_MOVABLE together open ZONE_MOVABLE (gfp_zone() in include/linux/gfp.h).
    """
    base, *modifiers = text.split("|")
    if base not in GFP_ZONES or not set(modifiers) <= {"__GFP_MOVABLE", "__GFP_RECLAIMABLE"}:
        raise ValueError(f"no gfp mask: {text!r}; known are {', '.join(GFP_ZONES)}, "
                         "with |__GFP_MOVABLE or |__GFP_RECLAIMABLE added")
    movable = base == "GFP_HIGHUSER_MOVABLE" or "__GFP_MOVABLE" in modifiers
    reclaimable = "__GFP_RECLAIMABLE" in modifiers
    if movable and reclaimable:
        raise ValueError(f"gfp mask {text!r}: __GFP_MOVABLE and __GFP_RECLAIMABLE exclude each other")
    highest = ZONE_MOVABLE if base == "GFP_HIGHUSER" and movable else GFP_ZONES[base]
    if movable:
        return Gfp(highest, MIGRATE_MOVABLE, LRU)
    return Gfp(highest, MIGRATE_RECLAIMABLE if reclaimable else MIGRATE_UNMOVABLE, SLAB)
