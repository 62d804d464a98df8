"""What every picture has in common: a figure in both colour schemes, and its equivalent in plain text.

No script, no other file: a figure is one piece of HTML that can be put on any page, also a stored one.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from importlib.resources import files

Row = tuple[str, ...]
SHORT = 16  # characters that a table keeps on one line
BULLET = "* "  # how an item of a list begins


def compact(sheet: str) -> str:
    """A style sheet without comments and without the blanks that mean nothing: each figure has a copy of it."""
    words = " ".join(re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL).split())
    return re.sub(r"(?<=[{};,:]) | (?=[{}])", "", words)


def sheet(name: str) -> str:
    """A style sheet of this package, as a piece of HTML."""
    return f"<style>{compact(files(__package__).joinpath(name).read_text(encoding='utf-8'))}</style>"


STYLE = sheet("style.css")


@dataclass(frozen=True)
class Table:
    """The text equivalent of a picture: a header, and rows as long as the header."""

    header: Row
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        widths = [max(len(row[i]) for row in (self.header, *self.rows)) for i in range(len(self.header))]
        rows = (self.header, tuple("-" * width for width in widths), *self.rows)
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)

    def html(self, caption: str, write: Callable[[str], str] = escape) -> str:
        """As an HTML table, in a region that scrolls by keyboard too; write: what makes HTML of a cell (or `prose`)."""
        head = "".join(f'<th scope="col">{escape(cell)}</th>' if cell else "<td></td>" for cell in self.header)
        body = "".join(html_row(row, write) for row in self.rows)
        return scrollable(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", caption)


def html_row(row: Row, write: Callable[[str], str]) -> str:
    """A row of a table; its first cell is its name."""
    short = ['class="mmsim-short"' if len(cell) <= SHORT else "" for cell in row[1:]]
    cells = "".join(f"<td {kind}>{write(cell)}</td>" for kind, cell in zip(short, row[1:], strict=True))
    return f'<tr><th scope="row">{write(row[0])}</th>{cells}</tr>'


@dataclass(frozen=True)
class Figure:
    """Something to look at, with its title, a description in a sentence or two, and the same as plain text."""

    title: str
    description: str

    @property
    def text(self) -> str:
        """All that the figure shows, as plain text."""
        raise NotImplementedError

    def body(self) -> str:
        """The figure without its caption, as HTML."""
        raise NotImplementedError

    def html(self, style: bool = True) -> str:
        """The whole figure; without the style sheet where the page has it already."""
        return f'{STYLE if style else ""}<figure class="mmsim-fig">{self.caption()}{self.body()}</figure>'

    def caption(self) -> str:
        """The title, and the description."""
        title = self.title if self.title.endswith((".", "?", "!")) else f"{self.title}."
        return f"<figcaption><b>{prose(title)}</b> {prose(self.description)}</figcaption>"

    def __str__(self) -> str:
        return "\n".join([self.title, *([self.description] if self.description else []), "", self.text])

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self.html()}


@dataclass(frozen=True)
class Picture(Figure):
    """An SVG with the table that says the same."""

    svg: str
    table: Table

    @property
    def text(self) -> str:
        """The table as plain text."""
        return str(self.table)

    def body(self) -> str:
        """The SVG, and the table to be unfolded."""
        table = self.table.html(f"{self.title}: as a table")
        return f"{self.svg}<details><summary>The same as a table</summary>{table}</details>"


@dataclass(frozen=True)
class Document(Figure):
    """A figure that is text already: a listing, a table or a log."""

    content: str  # HTML
    plain: str

    @property
    def text(self) -> str:
        """The same without markup."""
        return self.plain

    def body(self) -> str:
        """The content."""
        return self.content


def table(title: str, head: Row, rows: Iterable[Row], description: str = "") -> Document:
    """A table as a figure: cells of text, rows as long as the head, and the first cell of each row is its name."""
    cells = Table(head, tuple(rows))
    return Document(title, description, cells.html(title), str(cells))


def scrollable(content: str, label: str) -> str:
    """What may be wider than the page: it can be reached and scrolled by keyboard. No landmark, there are too many."""
    return f'<div class="mmsim-scroll" role="group" tabindex="0" aria-label="{escape(label)}">{content}</div>'


def prose(text: str) -> str:
    """Text with `code` in backticks and *stress* in asterisks, as HTML; code is not for a browser's translator.

    An errno such as -EBUSY isn't broken behind its sign.
    """
    parts = re.split(r"`([^`]*)`", escape(text))
    whole = [re.sub(r"-E[A-Z]+\b", r'<span class="mmsim-whole">\g<0></span>', part) for part in parts[::2]]
    plain = [re.sub(r"\*([^*]+)\*", r"<em>\1</em>", part) for part in whole]
    code = [f'<code translate="no">{part}</code>' for part in parts[1::2]] + [""]
    return "".join(piece for pair in zip(plain, code, strict=True) for piece in pair)


def paragraph(text: str) -> str:
    """A paragraph of `prose`; or a list, if its lines begin with an asterisk and a blank."""
    if not text.startswith(BULLET):
        return f"<p>{prose(text)}</p>"
    return f"<ul>{''.join(f'<li>{prose(line.removeprefix(BULLET))}</li>' for line in text.splitlines())}</ul>"


# -- SVG ---------------------------------------------------------------------------------------------

WIDTH = 360  # of every picture, in units: a phone shows all of it at nearly its size


def svg(title: str, description: str, height: float, parts: Iterable[str]) -> str:
    """A whole SVG. Its ids depend on what it shows alone: the same picture has the same ids."""
    content = "".join(parts)
    name = f"mmsim-{zlib.crc32((title + description + content).encode()):08x}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {num(height)}" role="img" '
        f'aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{escape(title)}</title>'
        f'<desc id="{name}-d">{escape(description)}</desc>{content}</svg>'
    )


def num(value: float) -> str:
    """A coordinate, as short as it can be."""
    return f"{value:.1f}".removesuffix(".0")


def rect(x: float, y: float, width: float, height: float, kind: str, radius: float = 0) -> str:
    """A rectangle of a class `mmsim-KIND` (several: separated by blanks)."""
    rounded = f' rx="{num(radius)}"' if radius else ""
    return (
        f'<rect x="{num(x)}" y="{num(y)}" width="{num(width)}" height="{num(height)}"{rounded} '
        f'class="{classes(kind)}"/>'
    )


def label(x: float, y: float, text: str, kind: str = "t") -> str:
    """A line of text; y is its base line."""
    return f'<text x="{num(x)}" y="{num(y)}" class="{classes(kind)}">{escape(text)}</text>' if text else ""


def hatch(x: float, y: float, width: float, height: float, step: float = 5) -> str:
    """Diagonal lines that fill a rectangle: drawn, since a pattern would need an id that all of a page shares."""
    strokes, offset = [], step / 2
    while offset < width + height:
        x1, y1 = x + max(0.0, offset - height), y + min(offset, height)
        x2, y2 = x + min(offset, width), y + max(0.0, offset - width)
        strokes.append(f"M{num(x1)} {num(y1)}L{num(x2)} {num(y2)}")
        offset += step
    return f'<path d="{"".join(strokes)}" class="mmsim-hatch"/>'


def classes(kind: str) -> str:
    """Class names with our prefix."""
    return " ".join(f"mmsim-{part}" for part in kind.split())


def size(value: int) -> str:
    """Bytes for a reader, in MiB or GiB, or in KiB what is less than one MiB."""
    if 0 < value < 1 << 20:
        return f"{value / 1024:g} KiB"
    return f"{value >> 30} GiB" if value and value % (1 << 30) == 0 else f"{round(value / (1 << 20), 1):g} MiB"


def logged(text: str) -> str:
    """A line of the kernel's log as HTML; behind a size in hexadecimal bytes stands what a reader can compare."""
    return re.sub(r"size: (0x[0-9a-f]+)$", lambda found: f"{found[0]} <small>({size(int(found[1], 16))})</small>",
                  escape(text))  # fmt: skip


def plural(number: int, what: str) -> str:
    """`1 line`, `2 lines`."""
    return f"{number} {what}{'' if number == 1 else 's'}"
