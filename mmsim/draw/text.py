"""Text as figures: the difference between two listings, and the kernel log."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher, unified_diff
from html import escape

from mmsim.draw.figure import Document
from mmsim.explore import Outcome
from mmsim.log import Event
from mmsim.machine import Machine, Result

Side = tuple[int, str] | None  # line number from 1, and the line as HTML
Pair = tuple[str, Side, Side]  # how they differ: `equal`, `delete`, `insert` or `replace`

MARKS = {"equal": " ", "del": "−", "ins": "+"}


def diff(before: str, after: str, titles: Sequence[str] = ("before", "after"), title: str = "") -> Document:
    """Two listings side by side, on a narrow page one below the other; as text a unified diff."""
    old, new = before.splitlines(), after.splitlines()
    changes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    removed = sum(i2 - i1 for tag, i1, i2, _, _ in changes if tag != "equal")
    added = sum(j2 - j1 for tag, _, _, j1, j2 in changes if tag != "equal")
    pairs = list(aligned(marked_up(before), marked_up(after), changes))
    title = title or f"{titles[0]} → {titles[1]}"
    content = side_by_side(pairs, titles) + unified(pairs, titles)
    plain = "\n".join(unified_diff(old, new, titles[0], titles[1], lineterm="")) or "no difference"
    description = f"{count(removed, 'line')} removed, {count(added, 'line')} added."
    return Document(title, description, content, plain)


def count(number: int, what: str) -> str:
    """`1 line`, `2 lines`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


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
        return "<th></th><td></td><td></td>"
    number, text = side
    name = {"del": "removed ", "ins": "added "}.get(kind, "")
    spoken = f' aria-label="{name.strip()}"' if name else ""
    return (
        f'<th scope="row">{number}</th><td class="mmsim-mark mmsim-{kind}"{spoken}>{MARKS[kind]}</td>'
        f'<td class="mmsim-src mmsim-{kind}"><code>{text}</code></td>'
    )


def table(kind: str, label: str, head: str, rows: str) -> str:
    """A table of code in a region of its own."""
    return (
        f'<div class="mmsim-code mmsim-{kind} mmsim-scroll" role="region" tabindex="0" aria-label="{escape(label)}">'
        f"<table>{head}<tbody>{rows}</tbody></table></div>"
    )


def side_by_side(pairs: list[Pair], titles: Sequence[str]) -> str:
    """For wide pages."""
    head = "".join(f'<th scope="colgroup" colspan="3">{escape(title)}</th>' for title in titles)
    rows = "".join(
        f"<tr>{cells(left, 'equal' if tag == 'equal' else 'del')}{cells(right, 'equal' if tag == 'equal' else 'ins')}</tr>"
        for tag, left, right in pairs
    )
    return table("side", f"{titles[0]} and {titles[1]}, side by side", f"<thead><tr>{head}</tr></thead>", rows)


def unified(pairs: list[Pair], titles: Sequence[str]) -> str:
    """For narrow pages: removed lines above the added ones."""
    rows, added = [], []
    for tag, left, right in [*pairs, ("equal", None, None)]:
        if tag == "equal":
            rows += [*added, f"<tr>{cells(right, 'equal')}</tr>" if right else ""]
            added = []
            continue
        if left:
            rows.append(f"<tr>{cells(left, 'del')}</tr>")
        if right:
            added.append(f"<tr>{cells(right, 'ins')}</tr>")
    title = f"− {titles[0]}, + {titles[1]}"
    head = f'<thead><tr><th scope="colgroup" colspan="3">{escape(title)}</th></tr></thead>'
    return table("uni", title, head, "".join(rows))


# -- the log -----------------------------------------------------------------------------------------

LOUD = ("emerg", "alert", "err", "warning")


def log(source: Machine | Result | Outcome, title: str = "Kernel log") -> Document:
    """The kernel log of a machine, of one call, or of a race (only what the race itself has logged)."""
    events = [e for e in events_of(source) if e.kind == "printk" and e.data != "debug"]
    lines = [str(event) for event in events]
    content = "\n".join(
        f"<b>{escape(text)}</b>" if event.data in LOUD else escape(text)
        for text, event in zip(lines, events, strict=True)
    )
    plain = "\n".join(lines) or "(nothing was logged)"
    pre = (
        f'<pre class="mmsim-log" tabindex="0" role="region" aria-label="{escape(title)}">'
        f"{content or escape(plain)}</pre>"
    )
    return Document(title, f"{count(len(lines), 'line')}.", pre, plain)


def events_of(source: Machine | Result | Outcome) -> Sequence[Event]:
    """The events to look through."""
    if isinstance(source, Machine):
        return source.trace.events
    if isinstance(source, Outcome):
        return source.events[source.schedule[0].first :] if source.schedule else ()
    return source.events
