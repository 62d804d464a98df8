"""Charts: curves that matplotlib draws when the book is built, in the colours of the style sheet.

The library itself needs no matplotlib: it is imported when a chart is drawn, and only then.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any

from mmsim.draw.figure import Picture, Table, plural

WIDE, NARROW = 640, 300  # of a chart, in pixels: beside text, and on a phone
TALL = {WIDE: 340, NARROW: 300}
FONT = 13  # pixels
# What matplotlib draws in these colours gets those of the style sheet.
INK, GRID = "#010101", "#020202"
COLOURS = {
    INK: "fg", GRID: "line", "#030303": "movable", "#040404": "kernel", "#050505": "bad", "#060606": "kernel-soft",
}  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """A curve: its name in the table, a value for each x, its colour in the style sheet, and how it is drawn.

    width: in pixels; dashes: of a dashed line, its dashes and gaps; label: text at the curve, "" for none; at: the
    point (x, y) at which the label begins.
    """

    name: str
    values: Sequence[float]
    colour: str
    width: float = 2.5
    dashes: tuple[float, ...] = ()
    label: str = ""
    at: tuple[float, float] = (0, 0)


def chart(title: str, description: str, x: Sequence[float], curves: Sequence[Curve], axes: tuple[str, str]) -> Picture:
    """Curves over the same values x, with their numbers as a table. axes: what is told to the right and upwards.

    Raises ImportError where matplotlib is not installed, ValueError for a curve that has not one value for each x.
    """
    for curve in curves:
        if len(curve.values) != len(x):
            raise ValueError(f"{curve.name}: {plural(len(curve.values), 'value')} for {len(x)}")
    drawings = "".join(
        f'<div class="mmsim-{name}">{drawn(title, description, x, curves, axes, width)}</div>'
        for name, width in (("wide", WIDE), ("narrow", NARROW))
    )
    rows = [(f"{value:g}", *(f"{curve.values[i]:g}" for curve in curves)) for i, value in enumerate(x)]
    table = Table((axes[0], *(curve.name for curve in curves)), tuple(rows))
    return Picture(title, description, f'<div class="mmsim-fit mmsim-chart">{drawings}</div>', table)


def drawn(
    title: str, description: str, x: Sequence[float], curves: Sequence[Curve], axes: tuple[str, str], width: int
) -> str:
    """One drawing, so many pixels wide, as SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    name = f"mmsim-{zlib.crc32(repr((title, x, curves, width)).encode()):08x}"
    settings: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": name, "font.size": FONT, "path.simplify": False}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(width / 72, TALL[width] / 72))
        plot(figure, x, curves, axes, width)
        file = StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return cleaned(file.getvalue(), title, description, name)


def plot(figure: Any, x: Sequence[float], curves: Sequence[Curve], axes: tuple[str, str], width: int) -> None:
    """The curves with their labels on two axes; what is up is told above the axis, not beside it."""
    left, top, bottom = 46 / width, 1 - 28 / TALL[width], 44 / TALL[width]
    plane = figure.add_axes((left, bottom, 1 - left - 16 / width, top - bottom))
    inks = {name: colour for colour, name in COLOURS.items()}
    for curve in curves:
        (line,) = plane.plot(x, curve.values, color=inks[curve.colour], linewidth=curve.width, clip_on=False,
                             solid_capstyle="round")
        if curve.dashes:
            line.set_dashes(curve.dashes)
        plane.text(*curve.at, curve.label, color=INK, linespacing=1.3)
    plane.set_xlim(min(x), max(x))
    plane.set_ylim(0)
    plane.set_xlabel(axes[0], color=INK)
    plane.set_title(axes[1], loc="left", x=-left / (1 - left), color=INK, fontsize=FONT)
    plane.locator_params(axis="x", nbins=5 if width == NARROW else 10)
    plane.tick_params(length=0, pad=6, labelcolor=INK)
    plane.grid(color=GRID, linewidth=0.4, clip_on=False)
    plane.patch.set_visible(False)
    figure.patch.set_visible(False)
    for side, spine in plane.spines.items():
        spine.set(color=GRID, visible=side in ("left", "bottom"))


def cleaned(svg: str, title: str, description: str, name: str) -> str:
    """What a page needs of matplotlib's SVG: the drawing, in the colours and the type of the style sheet."""
    body = svg[svg.index("</defs>") + len("</defs>") :]  # behind its style sheet, which would be the whole page's
    for pattern, new in (
        (r"<!--.*?-->|</?g[^>]*>|<defs>.*?</defs>", ""), (r' id="[^"]*"| transform="rotate\(-0 [^"]*"', ""),
        (r" font-family: [^;]*;", ""), (r"\s*\n\s*", " "), (r"\s+(?=[\"<])", ""),
    ):  # fmt: skip
        body = re.sub(pattern, new, body, flags=re.DOTALL)
    for colour, role in COLOURS.items():
        body = body.replace(colour, f"var(--mmsim-{role})")
    box = re.search(r'viewBox="[^"]*"', svg)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {box[0] if box else ""} role="img" '
        f'aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{escape(title)}</title>'
        f'<desc id="{name}-d">{escape(description)}</desc>{body.strip()}'
    )
