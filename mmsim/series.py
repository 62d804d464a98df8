"""Known changes to Linux as data, the six patches among them; and the listing of a function with any of them.

A function that a change touches is written once, with `k.patched(name)` where the change acts, and a comment that comes
or goes with a change begins with `[name]` or `[not name]`. `listing` folds both away, so what a reader sees as
"before" and "after" is the code that runs.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from mmsim.mm.kernel import ChangeName
from mmsim.mm.memory_hotplug import empty_range
from mmsim.mm.page_isolation import has_unmovable_pages, set_migratetype_isolate
from mmsim.virtio_mem.driver import VirtioMem


@dataclass(frozen=True)
class Change:
    """A change to Linux that a kernel may have or not.

    name: of a patch of "mm / virtio-mem: support ZONE_MOVABLE" its number in v2, of others a word. files: what it
    changes in Linux. functions: what it changes here. effect: what it does, in a sentence; `neutral` if nothing can be
    observed. merged: a patch's place in v5.10-rc1. commit: in Linux, if it got there. base: does the kernel that the
    series is applied to have it?
    """

    name: ChangeName
    title: str
    files: tuple[str, ...]
    functions: tuple[Callable[..., Any], ...]
    effect: str
    neutral: bool = False
    merged: int | None = None
    commit: str | None = None
    base: bool = False

    @property
    def number(self) -> int | None:
        """The place of a patch in v2; None for a change that is no patch of it."""
        return self.name if isinstance(self.name, int) else None


CHANGES = (
    Change(
        1, "mm/page_isolation: don't dump_page(NULL) in set_migratetype_isolate()",
        ("mm/page_isolation.c",), (set_migratetype_isolate,),
        "A pageblock that is isolated already is refused at once, before the code that reports failures.",
        merged=2, commit="51030a53d81e",
    ),
    Change(
        2, "mm/page_alloc: tweak comments in has_unmovable_pages()",
        ("mm/page_alloc.c",), (has_unmovable_pages,),
        "Comments move to the tests that they explain.", neutral=True, merged=1, commit="c9c510dc2964",
    ),
    Change(
        3, "mm/page_isolation: drop WARN_ON_ONCE() in set_migratetype_isolate()",
        ("mm/page_isolation.c",), (set_migratetype_isolate,),
        "An unmovable page in ZONE_MOVABLE is reported as anywhere else, no longer as a bug of the kernel.",
        merged=3, commit="48381d7e4c1f",
    ),
    Change(
        4, "mm/page_isolation: cleanup set_migratetype_isolate()",
        ("mm/page_isolation.c",), (set_migratetype_isolate,),
        "The report no longer asks whether there is a page to report; patch 1 has made sure of it.",
        neutral=True, merged=4, commit="1c31cb493c31",
    ),
    Change(
        5, "virtio-mem: don't special-case ZONE_MOVABLE",
        ("drivers/virtio/virtio_mem.c",), (VirtioMem.going_online, VirtioMem.online),
        "A partially plugged memory block may go to ZONE_MOVABLE, and memory there is unplugged like any other.",
        merged=5, commit="27f852795a06",
    ),
    Change(
        6, "mm: document semantics of ZONE_MOVABLE",
        ("include/linux/mmzone.h",), (),
        "A comment says what ZONE_MOVABLE promises, and the cases in which it can't keep it.",
        neutral=True, merged=6, commit="9181a980625a",
    ),
    Change(  # 5/6 of v1, which v2 dropped
        "restrict-movable-shortcut",
        "mm/page_alloc: restrict ZONE_MOVABLE optimization in has_unmovable_pages() to memory offlining",
        ("mm/page_alloc.c",), (has_unmovable_pages,),
        "Only memory offlining takes for granted that what is in ZONE_MOVABLE can be moved.",
    ),
    Change(  # in v5.9, and in v5.8.y
        "drain-again", "mm/memory_hotplug: drain per-cpu pages again during memory offline",
        ("mm/memory_hotplug.c",), (empty_range,),
        "Offlining empties the per-cpu lists whenever pages of the range are not free yet.",
        commit="9683182612214", base=True,
    ),
)

PATCHES = tuple(change for change in CHANGES if change.number is not None)
"""The patches of the series, in the order of v2."""

STAGES = tuple(frozenset(p.name for p in PATCHES[:n]) for n in range(len(PATCHES) + 1))
"""S0 (the base) to the whole series, in the order of v2."""

MERGED_STAGES = tuple(frozenset(p.name for p in PATCHES if p.merged and p.merged <= n) for n in range(len(STAGES)))
"""The same in the order in which Linux got them: the comments first."""

BASE = frozenset(change.name for change in CHANGES if change.base)
"""What the kernel has that the series is applied to."""

MARK = re.compile(r"( *)# \[(not )?([a-z0-9-]+)\] (.*)")  # at the beginning of a comment, in every line of it


def applied(patches: Collection[ChangeName], base: Collection[ChangeName] = BASE) -> frozenset[ChangeName]:
    """All changes of a kernel with these upon a base. Raises ValueError for one that is not known."""
    known = [change.name for change in CHANGES]
    if unknown := [name for name in (*patches, *base) if name not in known]:
        raise ValueError(f"patches: {unknown[0]!r} is no known change; known are {', '.join(map(str, known))}")
    return frozenset(patches) | frozenset(base)


def listing(
    function: Callable[..., Any], patches: Collection[ChangeName], base: Collection[ChangeName] = BASE
) -> str:
    """The source of a function in a kernel with these changes upon a base, without its docstring and annotations.

    Raises ValueError for a change that is not known, OSError where the source can't be had.
    """
    return "".join(f"{line}\n" for line in numbered_listing(function, patches, base).values())


def numbered_listing(
    function: Callable[..., Any], patches: Collection[ChangeName], base: Collection[ChangeName] = BASE
) -> dict[int, str]:
    """The lines of the same listing, each under the number that it has in the file of the function. Raises the same."""
    changes = applied(patches, base)
    numbered, first = inspect.getsourcelines(function)
    source = textwrap.dedent("".join(numbered))
    definition = ast.parse(source).body[0]
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    lines = source.splitlines()
    if ast.get_docstring(definition) is not None:
        docstring = definition.body.pop(0)
        for number in range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1):
            lines[number - 1] = ""
    plain_signature(definition, lines)
    lines = [comment(line, changes) for line in lines]
    for node in sorted(conditions(definition), key=lambda node: node.lineno, reverse=True):
        fold(node, source, lines, changes)
    return {number: line for number, line in enumerate(lines, first) if line.strip()}


def plain_signature(definition: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> None:
    """Replace the first lines of a function by its name and the names of its parameters."""
    ends = [argument.end_lineno or 0 for argument in definition.args.args]
    ends += [definition.returns.end_lineno or 0] if definition.returns else []
    end = max([definition.lineno, *ends])
    word = "async def" if isinstance(definition, ast.AsyncFunctionDef) else "def"
    names = ", ".join(argument.arg for argument in definition.args.args)
    lines[definition.lineno - 1 : end] = [f"{word} {definition.name}({names}):"] + [""] * (end - definition.lineno)


def comment(line: str, changes: Collection[ChangeName]) -> str:
    """A line without the mark of a comment that depends on a change; an empty one where the comment is not there."""
    if (mark := MARK.match(line)) is None:
        return line
    indent, absent, name, text = mark.groups()
    there = (int(name) if name.isdecimal() else name) in changes
    return f"{indent}# {text}" if there != bool(absent) else ""


def conditions(tree: ast.AST) -> Iterator[ast.If]:
    """The `if` statements that ask for a change."""
    return (n for n in ast.walk(tree) if isinstance(n, ast.If) and any(map(change_asked_for, ast.walk(n.test))))


def change_asked_for(node: ast.AST) -> ChangeName | None:
    """The name in a call `k.patched(name)`; None for all else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "patched":
        (argument,) = node.args
        assert isinstance(argument, ast.Constant)
        assert isinstance(argument.value, int | str)
        return argument.value
    return None


def fold(node: ast.If, source: str, lines: list[str], changes: frozenset[ChangeName]) -> None:
    """Replace the lines of an `if` by what is left of it with these changes; what is left stays where it was."""
    assert not node.orelse, "a condition on a change has no else branch"
    start, end = node.test.end_lineno or node.lineno, node.end_lineno or node.lineno
    test = simplify(node.test, source, changes)
    indent = " " * node.col_offset
    lines[node.lineno - 1 : start] = [""] * (start - node.lineno + 1)
    if test is True:
        lines[start:end] = [indent + line[len(indent) + 4 :] for line in lines[start:end]]
    elif test is False:
        lines[start:end] = [""] * (end - start)
    else:
        lines[node.lineno - 1] = f"{indent}if {test}:"


def simplify(node: ast.expr, source: str, changes: frozenset[ChangeName]) -> str | bool:
    """An expression with the changes known: True, False, or the text of what is left."""
    if (name := change_asked_for(node)) is not None:
        return name in changes
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = simplify(node.operand, source, changes)
        return not inner if isinstance(inner, bool) else f"not {inner}"
    if isinstance(node, ast.BoolOp):
        decisive = isinstance(node.op, ast.Or)
        parts = [simplify(value, source, changes) for value in node.values]
        if decisive in parts:
            return decisive
        left = [f"({part})" if isinstance(value, ast.BoolOp) and " or " in part else part
                for value, part in zip(node.values, parts, strict=True) if not isinstance(part, bool)]
        return (" or " if decisive else " and ").join(left) if left else not decisive
    return ast.get_source_segment(source, node) or ""
