"""Text as figures: the difference between two listings, and the kernel log."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher, unified_diff
from html import escape

from mmsim.draw.figure import Document, plural, scrollable
from mmsim.draw.race import events_of as race_events
from mmsim.machine.machine import Machine
from mmsim.machine.result import Result
from mmsim.sim.interleavings import Outcome
from mmsim.sim.log import Event

Side = tuple[int, str] | None  # line number from 1, and the line as HTML
Pair = tuple[str, Side, Side]  # how they differ: `equal`, `delete`, `insert` or `replace`

MARKS = {"equal": " ", "del": "−", "ins": "+"}


def diff(before: str, after: str, titles: Sequence[str] = ("before", "after"), title: str = "") -> Document:
    """Two listings side by side, on a narrow page one below the other; as text a unified diff."""
    old, new = before.splitlines(), after.splitlines()
    changes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    removed = sum(i2 - i1 for tag, i1, i2, _, _ in changes if tag != "equal")
    gained = sum(j2 - j1 for tag, _, _, j1, j2 in changes if tag != "equal")
    pairs = list(aligned(marked_up(before), marked_up(after), changes))
    title = title or f"{titles[0]} → {titles[1]}"
    content = f'<div class="mmsim-both">{side_by_side(pairs, titles)}{unified(pairs, titles)}</div>'
    plain = "\n".join(unified_diff(old, new, titles[0], titles[1], lineterm="")) or "no difference"
    description = f"{plural(removed, 'line')} removed, {plural(gained, 'line')} added."
    return Document(title, description, content, plain)


def aligned(
    old: list[str], new: list[str], changes: Sequence[tuple[str, int, int, int, int]]
) -> Iterator[Pair]:
    """Lines that belong together, with None where one side has no line."""
    for tag, i1, i2, j1, j2 in changes:
        for k in range(max(i2 - i1, j2 - j1)):
            left = (i1 + k + 1, old[i1 + k]) if i1 + k < i2 else None
            right = (j1 + k + 1, new[j1 + k]) if j1 + k < j2 else None
            yield tag, left, right


def marked_up(listing: str) -> list[str]:
    """The lines as HTML, with comments in italics if it is Python."""
    comments = comment_columns(listing)
    lines = []
    for number, text in enumerate(listing.splitlines(), 1):
        cut = comments.get(number, len(text))
        comment = f"<i>{escape(text[cut:])}</i>" if cut < len(text) else ""
        lines.append(escape(text[:cut]) + comment)
    return lines


def comment_columns(listing: str) -> dict[int, int]:
    """Line number -> column where its comment starts; empty if it is no Python."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(listing).readline))
    except (tokenize.TokenError, SyntaxError):
        return {}
    return {token.start[0]: token.start[1] for token in tokens if token.type == tokenize.COMMENT}


def cells(side: Side, kind: str) -> str:
    """Line number, mark and text of one line."""
    if side is None:
        return "<td></td><td></td><td></td>"
    number, text = side
    hang = min(len(text) - len(text.lstrip()) + 2, 14)  # a line that wraps goes on a little further in
    name = {"del": "removed ", "ins": "added "}.get(kind, "")
    spoken = f' aria-label="{name.strip()}"' if name else ""
    return (
        f'<th scope="row">{number}</th><td class="mmsim-mark mmsim-{kind}"{spoken}>{MARKS[kind]}</td>'
        f'<td class="mmsim-src mmsim-{kind}"><code style="--mmsim-hang:{hang}ch">{text}</code></td>'
    )


def table(kind: str, label: str, head: str, rows: str) -> str:
    """A table of code in a region of its own."""
    content = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="mmsim-code mmsim-{kind}">{scrollable(content, label)}</div>'


def side_by_side(pairs: list[Pair], titles: Sequence[str]) -> str:
    """For wide pages."""
    rows = []
    for tag, left, right in pairs:
        old, new = ("equal", "equal") if tag == "equal" else ("del", "ins")
        rows.append(f"<tr>{cells(left, old)}{cells(right, new)}</tr>")
    head = "".join(column_head(title) for title in titles)
    return table("side", f"{titles[0]} and {titles[1]}, side by side", head, "".join(rows))


def unified(pairs: list[Pair], titles: Sequence[str]) -> str:
    """For narrow pages: removed lines above the added ones."""
    rows: list[str] = []
    added: list[str] = []
    for tag, left, right in pairs:
        if tag == "equal":
            rows += [*added, f"<tr>{cells(right, 'equal')}</tr>"]
            added = []
            continue
        if left:
            rows.append(f"<tr>{cells(left, 'del')}</tr>")
        if right:
            added.append(f"<tr>{cells(right, 'ins')}</tr>")
    title = f"− {titles[0]}, + {titles[1]}"
    return table("uni", title, column_head(title), "".join(rows + added))


def column_head(title: str) -> str:
    """The head over line number, mark and text."""
    return f'<th scope="colgroup" colspan="3">{escape(title)}</th>'


# -- the log -----------------------------------------------------------------------------------------

LOUD = ("emerg", "alert", "err", "warning")


def log(source: Machine | Result | Outcome, title: str = "Kernel log", since: int = 0) -> Document:
    """The kernel log of a machine, of one call, or of a race (only what the race itself has logged).

    since: leave out so many of the first events, e.g. `len(machine.trace)` of a moment before.
    """
    events = [e for e in events_of(source)[since:] if e.logged]
    lines = [str(event) for event in events]
    content = "\n".join(
        f"<b>{escape(text)}</b>" if event.data in LOUD else escape(text)
        for text, event in zip(lines, events, strict=True)
    )
    plain = "\n".join(lines) or "(nothing was logged)"
    pre = (
        f'<pre class="mmsim-log" tabindex="0" role="group" aria-label="{escape(title)}">'
        f"{content or escape(plain)}</pre>"
    )
    return Document(title, f"{plural(len(lines), 'line')}.", pre, plain)


def events_of(source: Machine | Result | Outcome) -> Sequence[Event]:
    """The events to look through."""
    if isinstance(source, Machine):
        return source.trace.events
    return race_events(source) if isinstance(source, Outcome) else source.events
