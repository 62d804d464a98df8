"""Text as figures: the difference between two listings, and the kernel log."""

from __future__ import annotations

import ast
import io
import keyword
import re
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from itertools import groupby, pairwise

from mmsim.draw.figure import Document, logged, plural, prose
from mmsim.draw.race import events_of as race_events
from mmsim.machine.machine import Machine
from mmsim.machine.result import Result
from mmsim.sim.interleavings import Outcome
from mmsim.sim.log import Event

# -- the difference between two listings -------------------------------------------------------------

# Kind of a line -> its mark in the margin, what the mark says, and the mark in plain text.
MARKS = {
    "equal": ("", "", " "), "del": ("−", "removed", "-"), "ins": ("+", "added", "+"),
    "less": ("←", "indented less", " "), "more": ("→", "indented more", " "), "left-out": ("", "", " "),
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A line of a diff: its kind, and its text, also as HTML. Of a line that is in both listings, the new one."""

    kind: str
    text: str
    html: str

    @property
    def plain(self) -> str:
        """As in a unified diff."""
        return MARKS[self.kind][2] + self.text


def diff(
    before: str, after: str, titles: Sequence[str] = ("before", "after"), title: str = "",
    notes: Mapping[str, str] | None = None, context: int | None = None,
) -> Document:
    """Two listings as one unified diff, in colour if they are Python.

    Lines that differ in their indentation only are not removed and added, but marked. notes: part of a line -> what
    the margin says to it; on a narrow page the notes come below. A part that begins with `-` or `+` is one of a removed
    or an added line. context: so many lines around a change are kept, and one says how many are left out elsewhere;
    None keeps all. Raises ValueError for a part that is not in exactly one line.
    """  # fmt: skip
    lines = list(compared(before, after))
    if context is not None:
        lines = list(cut(lines, context))
    placed = places(notes or {}, lines)
    title = title or f"{titles[0]} → {titles[1]}"
    content = f'<div class="mmsim-diff">{legend(lines, titles)}{patch(lines, placed, title)}</div>'
    return Document(title, summary(lines), content, plain_diff(before, after, lines, titles, placed))


def listing(source: str, title: str, notes: Mapping[str, str] | None = None) -> Document:
    """A listing, in colour if it is Python, with notes in the margin as those of `diff`."""
    lines = list(compared(source, source))
    placed = places(notes or {}, lines)
    content = f'<div class="mmsim-diff">{patch(lines, placed, title)}</div>'
    plain = "\n".join([*(line.text for line in lines), *plain_notes(lines, placed)])
    return Document(title, "", content, plain)


def compared(before: str, after: str) -> Iterator[Line]:
    """The lines of both listings, those that are in both once; what was removed comes before what was added."""
    old, new = (list(zip(text.splitlines(), marked_up(text), strict=True)) for text in (before, after))
    a, b = ([text.strip() for text, _ in side] for side in (old, new))
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (Line(indented(was, text), text, html)
                        for (was, _), (text, html) in zip(old[i1:i2], new[j1:j2], strict=True))  # fmt: skip
        else:
            yield from (Line("del", *line) for line in old[i1:i2])
            yield from (Line("ins", *line) for line in new[j1:j2])


def cut(lines: Sequence[Line], context: int) -> Iterator[Line]:
    """The lines near a change, and one for all in a row that are not; a single line is not worth leaving out."""
    changes = [n for n, line in enumerate(lines) if line.kind != "equal"]
    near = [any(abs(n - change) <= context for change in changes) for n in range(len(lines))]
    for kept, members in groupby(range(len(lines)), near.__getitem__):
        part = [lines[n] for n in members]
        said = f"… {plural(len(part), 'line')}"
        yield from part if kept or len(part) == 1 else [Line("left-out", said, escape(said))]


def indented(was: str, now: str) -> str:
    """The kind of a line that is in both listings."""
    by = indentation(now) - indentation(was)
    return "more" if by > 0 else "less" if by < 0 else "equal"


def indentation(line: str) -> int:
    """How many blanks a line begins with."""
    return len(line) - len(line.lstrip())


def summary(lines: Sequence[Line]) -> str:
    """How many lines are not the same."""
    count = Counter(line.kind for line in lines)
    anew = count["less"] + count["more"]
    words = f"{plural(count['del'], 'line')} removed, {plural(count['ins'], 'line')} added"
    return f"{words}, {anew} only indented anew." if anew else f"{words}."


def places(notes: Mapping[str, str], lines: Sequence[Line]) -> dict[int, str]:
    """The index of a line -> the note that it has."""
    return {place(part, lines): note for part, note in notes.items()}


def place(part: str, lines: Sequence[Line]) -> int:
    """The index of the line that a note is about."""
    kind, wanted = {"-": "del", "+": "ins"}.get(part[:1]), part.lstrip("-+ ")
    found = [n for n, line in enumerate(lines) if wanted in line.text and kind in (None, line.kind)]
    if len(found) != 1:
        raise ValueError(f"notes: {part!r} is in {plural(len(found), 'line')}, not in one")
    return found[0]


def legend(lines: Sequence[Line], titles: Sequence[str]) -> str:
    """Which mark means what."""
    words = {**{kind: said for kind, (_, said, _) in MARKS.items()}, "del": titles[0], "ins": titles[1]}
    used = [kind for kind in MARKS if MARKS[kind][0] and any(line.kind == kind for line in lines)]
    return f'<p class="mmsim-key">{"".join(f"<span>{sign(kind)} {escape(words[kind])}</span>" for kind in used)}</p>'


def sign(kind: str) -> str:
    """The mark of a kind of line; a screen reader says what it means."""
    mark, said, _ = MARKS[kind]
    name = f' role="img" aria-label="{said}"' if said else ""
    return f'<span class="mmsim-mark mmsim-{kind}"{name}>{mark}</span>'


def patch(lines: Sequence[Line], placed: Mapping[int, str], title: str) -> str:
    """All lines, and then the notes: each begins beside its line and ends before the next."""
    order = sorted(placed)
    numbers = {line: number for number, line in enumerate(order, 1)}
    code = "".join(row(line, numbers.get(n)) for n, line in enumerate(lines))
    margin = "".join(
        f'<p class="mmsim-note" style="grid-row:{n + 1}/{end + 1}">{number_of(numbers[n])} {prose(placed[n])}</p>'
        for n, end in pairwise([*order, len(lines)])
    )
    noted = " mmsim-noted" if placed else ""
    return f'<div class="mmsim-patch{noted}" role="group" aria-label="{escape(title)}">{code}{margin}</div>'


def row(line: Line, number: int | None) -> str:
    """One line: mark, text, and the number of its note."""
    hang = min(indentation(line.text) + 2, 14)  # a line that wraps goes on a little further in
    note = number_of(number) if number else ""
    return (
        f'<div class="mmsim-ln mmsim-{line.kind}">{sign(line.kind)}'
        f'<code translate="no" style="--mmsim-hang:{hang}ch">{breakable(line.html)}</code>{note}</div>'
    )


def breakable(code: str) -> str:
    """Code as HTML that may, on a phone, be broken behind a long name's bracket or a point, so that no name need be."""
    return re.sub(r"(?<=\w{8}[(\[])|(?<=\w{4}\.)(?=\w)", "<wbr>", code)


def number_of(note: int) -> str:
    """The number of a note, at its line and in the margin."""
    return f'<b class="mmsim-number" role="img" aria-label="note {note}">{note}</b>'


def plain_diff(before: str, after: str, lines: Sequence[Line], titles: Sequence[str], placed: Mapping[int, str]) -> str:
    """As `diff -u -w` prints it, with the notes below."""
    if all(line.kind == "equal" for line in lines):
        return "no difference"
    hunk = f"@@ -1,{len(before.splitlines())} +1,{len(after.splitlines())} @@"
    code = [line.plain for line in lines]
    return "\n".join([f"--- {titles[0]}", f"+++ {titles[1]}", hunk, *code, *plain_notes(lines, placed)])


def plain_notes(lines: Sequence[Line], placed: Mapping[int, str]) -> list[str]:
    """The notes with their lines."""
    return [f"[{number}] {lines[n].text.strip()}\n    {placed[n]}" for number, n in enumerate(sorted(placed), 1)]


# -- Python in colour --------------------------------------------------------------------------------


def marked_up(listing: str) -> list[str]:
    """The lines as HTML; if it is Python, keywords are in `<b>`, comments in `<i>` and strings in `<q>`."""
    marks = python_marks(listing)
    lines = []
    for number, text in enumerate(listing.splitlines(), 1):
        html, done = "", 0
        for start, end, tag in marks.get(number, ()):
            html += f"{escape(text[done:start])}<{tag}>{escape(text[start:end])}</{tag}>"
            done = end
        lines.append(html + escape(text[done:]))
    return lines


def python_marks(listing: str) -> dict[int, list[tuple[int, int, str]]]:
    """Line number -> first column, last column and tag of what is marked; nothing if it is no Python."""
    try:
        ast.parse(listing)
    except SyntaxError:
        return {}
    marks: dict[int, list[tuple[int, int, str]]] = {}
    opened: list[tuple[int, int]] = []  # f-strings, which newer Pythons take apart
    for token in tokenize.generate_tokens(io.StringIO(listing).readline):
        name, start = tokenize.tok_name[token.type], token.start
        if name == "FSTRING_START":
            opened.append(start)
        elif name == "FSTRING_END":
            start = opened.pop()
        tag = "" if opened else tag_of(name, token.string)
        if tag and start[0] == token.end[0]:
            marks.setdefault(start[0], []).append((start[1], token.end[1], tag))
    return marks


def tag_of(name: str, text: str) -> str:
    """The tag for a token; nothing for most."""
    if name == "NAME":
        return "b" if keyword.iskeyword(text) else ""
    return {"COMMENT": "i", "STRING": "q", "FSTRING_END": "q"}.get(name, "")


# -- the log -----------------------------------------------------------------------------------------

LOUD = ("emerg", "alert", "err", "warning")


def log(
    source: Machine | Result | Outcome, title: str = "Kernel log", since: int = 0, until: int | None = None,
    most: int | None = None,
) -> Document:
    """The kernel log of a machine, of one call, or of a race (only what the race itself has logged).

    since, until: numbers of events, e.g. `len(machine.trace)` of a moment before; by default all. most: so many lines
    are shown, the first ones, and it is said how many there are.
    """
    found = [e for e in events_of(source)[since:until] if e.logged]
    events = found[:most]
    lines = [str(event) for event in events]
    more = f"The first {len(lines)} of " if len(lines) < len(found) else ""
    if not events:
        return Document(title, "Nothing was logged.", "", "(nothing was logged)")
    content = "\n".join(
        f"<b>{logged(text)}</b>" if event.data in LOUD else logged(text)
        for text, event in zip(lines, events, strict=True)
    )
    plain = "\n".join(lines)
    pre = (
        f'<pre class="mmsim-log" translate="no" tabindex="0" role="group" aria-label="{escape(title)}">'
        f"{content}</pre>"
    )
    return Document(title, f"{more}{plural(len(found), 'line')}.", pre, plain)


def events_of(source: Machine | Result | Outcome) -> Sequence[Event]:
    """The events to look through."""
    if isinstance(source, Machine):
        return source.trace.events
    return race_events(source) if isinstance(source, Outcome) else source.events
