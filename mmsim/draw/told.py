"""What a strip shows, in words: the sentences of its caption, and the table that says the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from mmsim.draw.cells import Cell, Segment, collapsed, pages_in, worded
from mmsim.draw.figure import Row, Table, plural, size
from mmsim.draw.gauge import verdict
from mmsim.draw.moves import bundles
from mmsim.draw.rows import place
from mmsim.draw.snapshot import FREE, GHOST, GONE, HOLE, WORDS, Block, Snapshot
from mmsim.mm.mmzone import PAGE_SIZE, SECTION_SHIFT


def describe(shot: Snapshot) -> str:
    """Requested and plugged, what has moved, and how much Linux manages in the zones that can be hotplugged."""
    sentences = []
    if shot.requested is not None and shot.plugged is not None:
        rest = verdict(shot)
        to_go = f": {rest}" if "to go" in rest else ""
        sentences.append(f"The host asks for {size(shot.requested)}; {size(shot.plugged)} are plugged{to_go}.")
    sentences += moved(shot)
    if shot.managed:
        sentences.append(f"Linux manages: {', '.join(f'{name} {size(managed)}' for name, managed in shot.managed)}.")
    return " ".join(sentences)


def moved(shot: Snapshot) -> Iterator[str]:
    """A sentence for each bundle that has moved."""
    for bundle in bundles(shot.moves):
        source, target = (spans[0][0] >> SECTION_SHIFT for spans in (bundle.sources, bundle.targets))
        where = f"within memory{source}" if source == target else f"from memory{source} to memory{target}"
        one = bundle.pages == 1
        yield f"{bundle.pages:,} {'page has' if one else 'pages have'} moved {where}."
    if shot.migrated > sum(move.pages for move in shot.moves):
        yield f"It took {plural(shot.migrated, 'move')} of a page, as some were moved more than once."


# -- the table -----------------------------------------------------------------------------------------


def table_of(shot: Snapshot, parts: Sequence[Segment]) -> Table:
    """The table: a row for each memory block, or for what is alike in it if pageblocks or pages are drawn."""
    if any(part.unit in ("pageblock", "page") for part in parts):
        return Table(
            ("memory block", "MiB", "type", "pages"),
            tuple((part.name, *row) for part in parts for row in cell_rows(part)),
        )
    subblock = size(shot.nr_subblock * PAGE_SIZE)
    header = ("memory block", "state", "driver", "plugged", f"subblocks of {subblock}", "pages")
    return Table(header, tuple(row for part in parts for row in block_rows(part)))


def cell_rows(part: Segment) -> Iterator[Row]:
    """Where, of which type, and what: neighbours that are alike in one row."""
    base = part.blocks[0].number << SECTION_SHIFT
    for cell in collapsed(part.cells):
        yield f"{place(cell.start - base)}–{place(cell.end - base)}", types_of(cell), worded(cell.pages)


def types_of(cell: Cell) -> str:
    """The types of a cell's pageblocks."""
    if len(set(cell.types)) <= 1:
        return cell.label or "–"
    return ", ".join(f"{nr} {name}" for name, nr in Counter(cell.types).items())


def block_rows(part: Segment) -> Iterator[Row]:
    """Memory blocks, those in a row that are used alike as one."""
    for _, some in groupby(part.blocks, key=lambda block: (block.state, block.zone, block.driver)):
        blocks = list(some)
        name = Segment(tuple(blocks), part.unit, ()).name
        first = blocks[0]
        subblocks = in_subblocks(part) if part.unit == "subblock" else "–"
        where = f"{first.state} {first.zone}".strip()
        plugged = size(sum(block.plugged for block in blocks))
        yield name, where, first.driver or "–", plugged, subblocks, in_pages(blocks)


def in_subblocks(part: Segment) -> str:
    """How many subblocks hold what: each counts for the most telling kind of page in it."""
    now = {GONE: HOLE, GHOST: FREE}
    count = Counter(now.get(cell.kind, cell.kind) for cell in part.cells for _ in range(cell.count))
    words = {**WORDS, HOLE: "unplugged"}
    return ", ".join(f"{count[kind]} {word}" for kind, word in words.items() if count[kind]) or "–"


def in_pages(blocks: Sequence[Block]) -> str:
    """How many pages are what, and how many pageblocks are isolated."""
    pages = worded(pages_in(run for block in blocks for run in block.runs))
    isolated = sum(block.types.count("Isolate") for block in blocks)
    return pages + (f"; {plural(isolated, 'pageblock')} isolated" if isolated else "")
