"""What an allocation asks for: the zones it may take and the free list it wants."""

import pytest

from mmsim import Machine
from mmsim.mm.gfp import gfp
from mmsim.mm.mmzone import MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE, zone_names
from mmsim.mm.page_alloc import alloc_pages

# gfp: highest zone, zonelist on one node with all four zones, free list
GFP = {
    "GFP_KERNEL": ("Normal", "Normal DMA32 DMA", MIGRATE_UNMOVABLE),
    "GFP_KERNEL|__GFP_RECLAIMABLE": ("Normal", "Normal DMA32 DMA", MIGRATE_RECLAIMABLE),
    "GFP_USER": ("Normal", "Normal DMA32 DMA", MIGRATE_UNMOVABLE),
    "GFP_HIGHUSER": ("Normal", "Normal DMA32 DMA", MIGRATE_UNMOVABLE),
    "GFP_USER|__GFP_MOVABLE": ("Normal", "Normal DMA32 DMA", MIGRATE_MOVABLE),
    "GFP_KERNEL|__GFP_MOVABLE": ("Normal", "Normal DMA32 DMA", MIGRATE_MOVABLE),
    "GFP_HIGHUSER|__GFP_MOVABLE": ("Movable", "Movable Normal DMA32 DMA", MIGRATE_MOVABLE),
    "GFP_HIGHUSER_MOVABLE": ("Movable", "Movable Normal DMA32 DMA", MIGRATE_MOVABLE),
    "GFP_DMA32": ("DMA32", "DMA32 DMA", MIGRATE_UNMOVABLE),
    "GFP_DMA32|__GFP_MOVABLE": ("DMA32", "DMA32 DMA", MIGRATE_MOVABLE),
    "GFP_DMA": ("DMA", "DMA", MIGRATE_UNMOVABLE),
}
FOUR = [(0, 1024, "DMA"), (1024, 2048, "DMA32"), (2048, 3072, "Normal"), (3072, 4096, "Movable")]


@pytest.mark.parametrize("text", GFP)
def test_what_a_mask_asks_for(text):
    k = Machine(boot_memory="16M", zone_of=FOUR).kernel
    mask = gfp(text)
    zonelist = " ".join(z.name for z in k.zonelists[mask.highest_zone])
    assert (zone_names[mask.highest_zone], zonelist, mask.migratetype) == GFP[text]


@pytest.mark.parametrize("text", GFP)
def test_zones_are_used_up_in_the_order_of_the_zonelist(text):
    k = Machine(boot_memory="16M", zone_of=FOUR).kernel
    used = []
    while (pfn := alloc_pages(k, gfp(text), 10)) is not None:
        used.append(k.page_zone(pfn).name)
    assert " ".join(used) == GFP[text][1]


@pytest.mark.parametrize("text", ["", "GFP_ATOMIC", "GFP_KERNEL|GFP_DMA", "GFP_KERNEL|__GFP_ZERO", "__GFP_MOVABLE",
                                  "GFP_HIGHUSER_MOVABLE|__GFP_RECLAIMABLE", "GFP_USER|__GFP_MOVABLE|__GFP_RECLAIMABLE"])
def test_what_is_no_mask(text):
    with pytest.raises(ValueError, match="gfp mask"):
        gfp(text)
