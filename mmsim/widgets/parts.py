"""The pieces that a widget is put together from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets as w

WIDE = {"description_width": "initial"}


def row(children: Iterable[Any]) -> Any:
    """Controls side by side, as many as fit."""
    return w.Box(list(children), layout={"flex_flow": "row wrap"})


def button(name: str, action: Callable[[], None]) -> Any:
    """A button that does something."""
    made = w.Button(description=name, layout={"width": "auto"})
    made.on_click(lambda _: action())
    return made


def toggle(name: str, value: bool) -> Any:
    """A box to be checked."""
    return w.Checkbox(value, description=name, indent=False, layout={"width": "auto"})


def chooser(description: str, names: Iterable[str], first: int, index: int = 0) -> Any:
    """A list to choose from, numbered from `first`; its value counts from 0."""
    options = numbered(names, first)
    return w.Dropdown(description=description, options=options, index=index, style=WIDE, layout={"max_width": "100%"})


def offer(chooser: Any, names: Iterable[str], first: int, index: int) -> None:
    """Let a list have other names, and choose one of them; the browser hears of it once."""
    options = numbered(names, first)
    with chooser.hold_sync():
        if chooser.options != options:
            chooser.options = options
        chooser.index = index


def numbered(names: Iterable[str], first: int) -> tuple[tuple[str, int], ...]:
    """Options of a list."""
    return tuple((f"{first + index}: {name}", index) for index, name in enumerate(names))
