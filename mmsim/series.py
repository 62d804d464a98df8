"""The six patches as data, and the listing of a function at any stage of the series.

A function that a patch changes is written once, with `k.patched(n)` where patch n acts. `listing` folds these
conditions away, so what a reader sees as "before" and "after" is the code that runs.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from mmsim.mm.page_isolation import has_unmovable_pages, set_migratetype_isolate
from mmsim.virtio_mem.driver import VirtioMem


@dataclass(frozen=True)
class Patch:
    """One patch of "mm / virtio-mem: support ZONE_MOVABLE".

    number: in v2. merged, commit: its place and its commit in v5.10-rc1. files: what it changes in Linux.
    functions: what it changes here. effect: what it does, in a sentence; `neutral` if nothing can be observed.
    """

    number: int
    title: str
    merged: int
    commit: str
    files: tuple[str, ...]
    functions: tuple[Callable[..., Any], ...]
    effect: str
    neutral: bool = False


PATCHES = (
    Patch(
        1, "mm/page_isolation: don't dump_page(NULL) in set_migratetype_isolate()", 2, "51030a53d81e",
        ("mm/page_isolation.c",), (set_migratetype_isolate,),
        "A pageblock that is isolated already is refused at once, before the code that reports failures.",
    ),
    Patch(
        2, "mm/page_alloc: tweak comments in has_unmovable_pages()", 1, "c9c510dc2964",
        ("mm/page_alloc.c",), (has_unmovable_pages,),
        "Comments move to the tests that they explain.", neutral=True,
    ),
    Patch(
        3, "mm/page_isolation: drop WARN_ON_ONCE() in set_migratetype_isolate()", 3, "48381d7e4c1f",
        ("mm/page_isolation.c",), (set_migratetype_isolate,),
        "An unmovable page in ZONE_MOVABLE is reported as anywhere else, no longer as a bug of the kernel.",
    ),
    Patch(
        4, "mm/page_isolation: cleanup set_migratetype_isolate()", 4, "1c31cb493c31",
        ("mm/page_isolation.c",), (set_migratetype_isolate,),
        "The report no longer asks whether there is a page to report; patch 1 has made sure of it.",
        neutral=True,
    ),
    Patch(
        5, "virtio-mem: don't special-case ZONE_MOVABLE", 5, "27f852795a06",
        ("drivers/virtio/virtio_mem.c",), (VirtioMem.going_online, VirtioMem.online),
        "A partially plugged memory block may go to ZONE_MOVABLE, and memory there is unplugged like any other.",
    ),
    Patch(
        6, "mm: document semantics of ZONE_MOVABLE", 6, "9181a980625a",
        ("include/linux/mmzone.h",), (),
        "A comment says what ZONE_MOVABLE promises, and the cases in which it can't keep it.", neutral=True,
    ),
)

STAGES = tuple(frozenset(range(1, n + 1)) for n in range(7))
"""S0 (the base) to S6 (the whole series), in the order of v2."""

MERGED_STAGES = tuple(frozenset(p.number for p in PATCHES if p.merged <= n) for n in range(7))
"""The same in the order in which Linux got them: the comments first."""


def listing(function: Callable[..., Any], patches: Collection[int]) -> str:
    """The source of a function with these patches applied, and no other, without its docstring and annotations.

    Raises OSError where the source can't be had.
    """
    source = textwrap.dedent(inspect.getsource(function))
    definition = ast.parse(source).body[0]
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    lines = source.splitlines()
    if ast.get_docstring(definition) is not None:
        docstring = definition.body.pop(0)
        for number in range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1):
            lines[number - 1] = ""
    plain_signature(definition, lines)
    for node in sorted(conditions(definition), key=lambda node: node.lineno, reverse=True):
        fold(node, source, lines, frozenset(patches))
    return re.sub(r"\n\n+", "\n", "\n".join(lines)).strip() + "\n"


def plain_signature(definition: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> None:
    """Replace the first lines of a function by its name and the names of its parameters."""
    ends = [argument.end_lineno or 0 for argument in definition.args.args]
    ends += [definition.returns.end_lineno or 0] if definition.returns else []
    end = max([definition.lineno, *ends])
    word = "async def" if isinstance(definition, ast.AsyncFunctionDef) else "def"
    names = ", ".join(argument.arg for argument in definition.args.args)
    lines[definition.lineno - 1 : end] = [f"{word} {definition.name}({names}):"] + [""] * (end - definition.lineno)


def conditions(tree: ast.AST) -> Iterator[ast.If]:
    """The `if` statements that ask for a patch."""
    return (n for n in ast.walk(tree) if isinstance(n, ast.If) and any(map(patch_asked_for, ast.walk(n.test))))


def patch_asked_for(node: ast.AST) -> int | None:
    """The n of a call `k.patched(n)`; None for all else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "patched":
        (argument,) = node.args
        assert isinstance(argument, ast.Constant)
        assert isinstance(argument.value, int)
        return argument.value
    return None


def fold(node: ast.If, source: str, lines: list[str], patches: frozenset[int]) -> None:
    """Replace the lines of an `if` by what is left of it under a patch set."""
    assert not node.orelse, "a condition on a patch has no else branch"
    end = node.end_lineno or node.lineno
    body = lines[node.test.end_lineno or 0 : end]
    test = simplify(node.test, source, patches)
    indent = " " * node.col_offset
    if test is True:
        replacement = [indent + line[len(indent) + 4 :] for line in body]
    elif test is False:
        replacement = []
    else:
        replacement = [f"{indent}if {test}:", *body]
    lines[node.lineno - 1 : end] = replacement + [""] * (end - node.lineno + 1 - len(replacement))


def simplify(node: ast.expr, source: str, patches: frozenset[int]) -> str | bool:
    """An expression with the patches known: True, False, or the text of what is left."""
    if (number := patch_asked_for(node)) is not None:
        return number in patches
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = simplify(node.operand, source, patches)
        return not inner if isinstance(inner, bool) else f"not {inner}"
    if isinstance(node, ast.BoolOp):
        decisive = isinstance(node.op, ast.Or)
        parts = [simplify(value, source, patches) for value in node.values]
        if decisive in parts:
            return decisive
        left = [f"({part})" if isinstance(value, ast.BoolOp) and " or " in part else part
                for value, part in zip(node.values, parts, strict=True) if not isinstance(part, bool)]
        return (" or " if decisive else " and ").join(left) if left else not decisive
    return ast.get_source_segment(source, node) or ""
