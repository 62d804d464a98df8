"""has_unmovable_pages() as a list of gates, and the way that a page takes through them: both come from the code.

The gates are the tests of the listing. Which of them a page met, and where its way ended, comes from a call that is
watched line by line.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from mmsim.machine.machine import Machine
from mmsim.machine.watching import Lines
from mmsim.mm.kernel import ChangeName
from mmsim.mm.page_isolation import has_unmovable_pages
from mmsim.series import numbered_listing

FUNCTION, VARIABLES = has_unmovable_pages, ("start", "pfn")


@dataclass(frozen=True)
class Gate:
    """A test of the function, from 0 on: its condition, "" for the last line, which asks nothing.

    lines: number in the file -> text, the comment among them; ends: what a page that is caught here may hear.
    """

    number: int
    test: str
    lines: tuple[tuple[int, str], ...]
    ends: frozenset[str]  # of "passes" and "stuck"

    @property
    def comment(self) -> str:
        """Its comments in one piece, without their marks."""
        return " ".join(text.strip().removeprefix("# ") for _, text in self.lines if is_comment(text))


@dataclass(frozen=True)
class Walk:
    """A page's way: the gates that it came to, the last of which decided; the lines that ran there, by their numbers.

    stuck: was the page called unmovable? answer: what the function has returned, after all pages that it looked at.
    """

    gates: tuple[int, ...]
    lines: frozenset[int]
    stuck: bool
    answer: int | None

    @property
    def end(self) -> int:
        """The gate that decided."""
        return self.gates[-1]


def is_comment(line: str) -> bool:
    """Is a line of code a comment, and nothing else?"""
    return line.lstrip().startswith("#")


def gates(changes: Collection[ChangeName]) -> tuple[Gate, ...]:
    """The tests of the function in a kernel with these changes (those of its base among them), in their order."""
    return gates_of(frozenset(changes))


@cache
def gates_of(changes: frozenset[ChangeName]) -> tuple[Gate, ...]:
    """The same, found once for each kernel."""
    lines = numbered_listing(FUNCTION, changes, ())
    first, last = min(lines), max(lines)
    (definition,) = ast.parse("\n".join(lines.get(number, "") for number in range(first, last + 1))).body
    found, done = list[Gate](), first
    for node, before in tests(definition):
        done = max(done, before + first - 1)
        end = (node.end_lineno or node.lineno) + first - 1
        part = tuple((number, text) for number, text in lines.items() if done < number <= end)
        test = ast.unparse(node.test) if isinstance(node, ast.If) else ""
        found.append(Gate(len(found), test, part, frozenset(map(heard, ways_out(node)))))
        done = end
    return tuple(found)


def tests(definition: ast.stmt) -> Iterator[tuple[ast.stmt, int]]:
    """Each test, with the number of the line that comes before all of it: of the function, then of its loop."""
    assert isinstance(definition, ast.FunctionDef)
    for node in definition.body:
        if isinstance(node, ast.For):
            yield from ((inner, node.lineno) for inner in node.body)
        elif isinstance(node, ast.If):
            yield node, definition.lineno


def ways_out(node: ast.stmt) -> Iterator[ast.stmt]:
    """Where a page can leave the loop's body."""
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.Return | ast.Continue))


def heard(way: ast.stmt) -> str:
    """What a way out means for the page."""
    none = isinstance(way, ast.Continue) or (isinstance(way, ast.Return) and isinstance(way.value, ast.Constant))
    return "passes" if none else "stuck"


def walk(machine: Machine, pfn: int, flags: Sequence[str] = (), migratetype: str = "Movable") -> Walk:
    """The way of a page when somebody asks about its pageblock.

    Raises ValueError if the function doesn't look at the page, since an earlier one was in the way or looks the same.
    """
    watch, answers = Lines(FUNCTION, VARIABLES), list[int | None]()
    watch.during(lambda: answers.append(machine.has_unmovable(pfn, flags, migratetype)))
    where = {number: gate for gate in gates(machine.kernel.changes) for number, _ in gate.lines}
    met = [(where[number].number, number) for number, seen in watch.lines
           if number in where and seen.get("pfn", pfn) == pfn]  # fmt: skip
    (answer,), ways = answers, tuple(dict.fromkeys(gate for gate, _ in met))
    of_all = watch.lines[-1][0] in dict(gates(machine.kernel.changes)[0].lines)  # the pageblock was refused, or let go
    if len(ways) == 1 and not of_all:
        raise ValueError(f"has_unmovable_pages() doesn't look at the page {pfn:#x} by itself")
    stuck = answer is not None and (of_all or answer == pfn)
    return Walk(ways, frozenset(number for _, number in met), stuck, answer)
