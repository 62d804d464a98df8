"""What may lie in ZONE_MOVABLE and can't be moved, and how it ends for whoever wants the memory around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmsim.machine.machine import Machine
from mmsim.machine.result import Result
from mmsim.mm.memmap import FREE, codes
from mmsim.mm.mmzone import PAGE_SIZE, PAGES_PER_SECTION, SECTION_SHIFT
from mmsim.widgets.telling import Step

ROUNDS = 2  # of the loop of offlining, after which somebody presses Ctrl-C
RANGE = PAGES_PER_SECTION - 2048  # of a memory block, where its last 8 MiB begin: alloc_contig_range() wants them
STAGES = {
    "offline": ("look", "isolate", "tell", "move", "test"),
    "contig": ("isolate", "move", "test"),
    "allocate": ("take", "more"),
}
EARLY = ("look", "isolate")


# -- what lies there -----------------------------------------------------------------------------------


def boot(size: str = "256M") -> dict[str, Any]:
    """A machine of two memory blocks, the second of them in the zone that is asked about."""
    return {"boot_memory": size, "zone_of": [["block:0", "block:1", "Normal"], ["block:1", f"addr:{size}", "$zone"]]}


def at(page: int, kind: str, count: int = 1, block: int = 1) -> Step:
    """Pages of a kind in a memory block."""
    return {"do": "place", "pfn": f"block:{block}+{page}", "kind": kind, "count": count}


def program(block: int = 1) -> Step:
    """100 pages of a program, which are in everybody's way."""
    return at(RANGE + 100, "lru", 100, block)


HERE = RANGE + 1724  # in the last pageblock of the range
BROKEN = f"block:1+{HERE}"


@dataclass(frozen=True)
class Case:
    """Something that lies in the last 8 MiB of a memory block: in a sentence, and as a machine and steps."""

    says: str
    steps: tuple[Step, ...]
    machine: Any = None
    block: int = 1
    page: int = HERE  # its first page, from the start of the block


CASES = {
    "program": Case("300 pages of a program.", (program(), at(HERE, "lru", 200))),
    "slab": Case("100 pages of a program, and one of the kernel's own, here by accident.",
                 (program(), at(HERE, "slab"))),
    "pin": Case("101 pages of a program. One of them is pinned.", (program(), at(HERE, "lru_pinned"))),
    "boot": Case("100 pages of a program, and one that was taken at boot.", (program(), at(HERE, "reserved"))),
    "hole": Case("100 pages of a program; the last 2 MiB have page descriptors, but no memory.", (program(),),
                 boot("254M"), page=PAGES_PER_SECTION - 512),
    "poison": Case("101 pages of a program. The memory of one of them is broken, and the page is poisoned.",
                   (program(), at(HERE, "lru"), {"do": "poison", "pfn": BROKEN})),
    "driver": Case("100 pages of a program, and a hole: the last 4 MiB are unplugged, and virtio-mem's driver holds "
                   "each page.", (program(32),),
                   {"boot_memory": "128M", "zone_of": [["block:0", "block:1", "Normal"]],
                    "cmdline": "memhp_default_state=$online", "virtio_mem": {"requested": "124M"}},
                   32, PAGES_PER_SECTION - 1024),
    "offline": Case("100 pages of a program, and one that is marked PG_offline. It is hatched as a hole is: its owner "
                    "hides it, though it stays plugged, and never lets go of it.", (program(), at(HERE, "offline"))),
    "fresh": Case("100 pages of a program, and one that it got just now and that waits in a pagevec.",
                  (program(), at(HERE, "pagevec"))),
}  # fmt: skip


# -- who comes -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class End:
    """How somebody's attempt ended.

    moved: pages that it has moved; kept: the kind of the special page then; got: of an ordinary allocation, how many
    pages it took and where it found one more.
    """

    case: str
    who: str
    zone: str
    result: Result
    moved: int
    kept: str
    got: tuple[int, str] = (0, "")

    @property
    def errno(self) -> str:
        """The errno's name."""
        return self.result.errno

    @property
    def stage(self) -> str:
        """Which stage has stopped it, "" if none did: what came later left no event behind."""
        kinds = {event.kind for event in self.result.events}
        if self.errno == "0":
            return ""
        if self.errno == "EINVAL":
            return "look"
        return "test" if "test" in kinds else "move" if "notify" in kinds else "isolate"

    @property
    def stayed(self) -> bool:
        """Did a page that looks as if it could be moved stay where it is?"""
        return self.errno != "0" and self.when == "late" and self.kept == "lru"

    @property
    def when(self) -> str:
        """`early`, before anybody was told and anything has moved, or `late`."""
        return "early" if self.stage in EARLY else "late"


def attempt(machine: Machine, who: str, block: int) -> Result:
    """Somebody wants the memory block, its last 8 MiB, or every page of it that is free and one more."""
    start = block << SECTION_SHIFT
    if who == "offline":
        machine.signal(ROUNDS)
        return machine.attempt("write", f"memory{block}/state", "offline")
    if who == "contig":
        return machine.attempt("alloc_contig", start + RANGE, start + PAGES_PER_SECTION)
    within = (start, start + PAGES_PER_SECTION)
    free = machine.kernel.memmap.count(*within, codes(FREE))
    machine.allocate(ALL, free * PAGE_SIZE, within=within)
    return machine.attempt("allocate", MORE, PAGE_SIZE)


ALL, MORE = "all that is free", "one page more"  # the names of what an ordinary allocation takes


def ended(machine: Machine, case: str, who: str, zone: str, result: Result) -> End:
    """How an attempt has ended, on the machine as it is after it."""
    kept = machine.kernel.memmap.kind((CASES[case].block << SECTION_SHIFT) + CASES[case].page).name
    return End(case, who, zone, result, moved(result), kept, got(machine) if who == "allocate" else (0, ""))


def moved(result: Result) -> int:
    """Pages that were moved, however often."""
    return sum(event.data[2] for event in result.events if event.kind == "migrate" and isinstance(event.data, tuple))


def got(machine: Machine) -> tuple[int, str]:
    """How many pages an allocation has taken, and the memory block and the zone in which it found one more."""
    taken, ((page, _),) = (machine.pages.runs(machine.pages.held(name)) for name in (ALL, MORE))
    place = f"memory{page >> SECTION_SHIFT}, in ZONE_{machine.kernel.page_zone(page).name.upper()}"
    return sum(end - start for start, end in taken), place
