"""A matrix whose cells open their run: a lab of two choices that are laid out as a table of what comes of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from html import escape
from typing import Any, Protocol

import ipywidgets as w

from mmsim import draw
from mmsim.draw import Document, Figure, Mark
from mmsim.mm.kernel import ChangeName
from mmsim.series import STAGES
from mmsim.widgets.controls import Choice
from mmsim.widgets.lab import Lab
from mmsim.widgets.parts import button
from mmsim.widgets.telling import Scene, Setting

Cell = tuple[str, str]  # the values of its row and of its column
COVERED = "?"


class Ending(Scene, Protocol):
    """A scene that has an end, which a cell is marked by."""

    def end(self, setting: Setting) -> Any:
        """Run it to its end."""


class Matrix(Lab):
    """A cell for each row and column; pressing it shows the mark of what comes of it, and opens its run below.

    A cell that was not pressed shows none, so that a reader may guess first; a button shows all, and so does paper.
    rows, columns: what replaces two `$name` in the scene (a choice named `patches` is the kernel); mark: says what a
    cell shows, from the last step's `Result` of a `Story`, or from the `Exploration` of a `Race`.
    """

    def __init__(
        self, title: str, scene: Ending, rows: Choice, columns: Choice, mark: Callable[[Any], Mark],
        patches: Collection[ChangeName] = STAGES[-1],
    ) -> None:  # fmt: skip
        self.rows, self.columns, self.ending, self.mark = rows, columns, scene, mark
        super().__init__(title, scene, [rows, columns], patches=patches)
        self.go_to(self.where)
        self.step_to(self.walk.telling.first)  # its end is still to be guessed
        self.initial = [None] * len(self.knobs)  # a chapter may open another cell first: the open one is always kept

    def parts(self) -> Iterator[Any]:
        """The cells in the place of the two lists, then the pages of the one that is open."""
        self.marks = {cell: self.mark(self.ending.end(self.setting_of(cell))) for cell in self.places()}
        self.seen = set[Cell]()
        self.cells = {cell: self.opener(cell) for cell in self.places()}
        self.buttons["Show all"] = button("Show all", self.show_all)
        grid = w.GridBox(list(self.table())).add_class("mmsim-fig").add_class("mmsim-cells")
        grid.layout.grid_template_columns = f"repeat({1 + len(self.columns.options)}, minmax(min-content, 1fr))"
        title, *rest = super().parts()
        on_paper = self.walk.area(self.table_of_marks.html(style=False)).add_class("mmsim-paper")
        yield from (title, grid, on_paper)
        yield from (part for part in rest if part not in (*self.inputs.values(), self.overview))

    def places(self) -> Iterator[Cell]:
        """Every cell, row by row."""
        return ((row, column) for row in self.rows.options.values() for column in self.columns.options.values())

    def table(self) -> Iterator[Any]:
        """Heads and cells, row by row."""
        yield from map(self.head, (self.rows.description, *self.columns.options))
        for name, row in self.rows.options.items():
            yield self.head(name)
            yield from (self.cells[row, column] for column in self.columns.options.values())

    def head(self, name: str) -> Any:
        """The head of a row or a column; a long name may be broken at its underscores."""
        return self.walk.area(f"<b>{escape(name).replace('_', '_<wbr>')}</b>")

    def opener(self, cell: Cell) -> Any:
        """The button that opens a cell's run."""
        made = button(COVERED, partial(self.open_cell, cell))
        made.layout, made.tooltip = self.walk.layout, f"{self.called(cell)}: open the run"
        return made

    def show(self, cell: Cell) -> None:
        """Show the mark of a cell."""
        self.seen.add(cell)
        self.cells[cell].description = str(self.marks[cell])
        self.cells[cell].add_class(f"mmsim-mark-{self.marks[cell].kind}")

    def show_all(self) -> None:
        """Show the marks of all cells."""
        for cell in self.cells:
            self.show(cell)

    def called(self, cell: Cell) -> str:
        """The heads of a cell's row and column."""
        pairs = zip((self.rows, self.columns), cell, strict=True)
        return ", ".join(name for choice, wanted in pairs for name, value in choice.options.items() if value == wanted)

    def setting_of(self, cell: Cell) -> Setting:
        """The setting in which a cell is run."""
        return self.setting_with(dict(zip(self.inputs, cell, strict=True)))

    @property
    def where(self) -> Cell:
        """The cell that is open."""
        row, column = (box.value for box in self.inputs.values())
        return row, column

    def open_cell(self, cell: Cell) -> None:
        """Show a cell's mark, and its run from its start."""
        self.show(cell)
        self.go_to(cell)

    def go_to(self, cell: Cell) -> None:
        """Show a cell's run from its start; of a race, the way to end that the cell speaks of."""
        self.quiet = True
        for box, value in zip(self.inputs.values(), cell, strict=True):
            box.value = value
        self.quiet = False
        self.moved(way=self.marks[cell].way)
        self.step_to(self.walk.telling.start)

    def step_to(self, step: int) -> None:
        """Show a step of the run that is open."""
        self.walk.fit(step, self.walk.telling.last)

    def moved(self, change: Any = None, step: int | None = None, way: int | None = None) -> bool:
        """Tell the cell that is open now, and mark it."""
        done = super().moved(change, step, way)
        for cell, made in self.cells.items():
            (made.add_class if cell == self.where else made.remove_class)("mmsim-open")
        return done

    def take_up(self, before: Lab) -> None:
        """Go on where another matrix was, with the marks that were seen there."""
        assert isinstance(before, Matrix)
        super().take_up(before)
        was, now = before.walk, self.walk.telling
        self.step_to(now.start if was.slider.value == was.telling.start else min(was.slider.value, now.last))
        for cell in before.seen & set(self.cells):
            self.show(cell)

    @property
    def table_of_marks(self) -> Document:
        """The whole matrix as a figure."""
        rows = {name: [self.marks[row, column] for column in self.columns.options.values()]
                for name, row in self.rows.options.items()}
        return draw.matrix(self.title, self.rows.description, list(self.columns.options), rows)

    @property
    def figures(self) -> list[Figure]:
        """The matrix, and the run that is open."""
        return [self.table_of_marks, *super().figures]
