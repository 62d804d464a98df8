"""Controls as data: sizes and choices that a reader fills into a scenario's gaps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets as w

from mmsim.machine.sizes import size
from mmsim.widgets.parts import WIDE

MIB = 1 << 20


@dataclass(frozen=True)
class Size:
    """A slider for a size, in MiB on the page; `$name` in a scenario is replaced by e.g. `192M`."""

    name: str
    description: str
    value: str
    max: str
    step: str = "4M"
    min: str = "0"

    def widget(self) -> Any:
        """The slider."""
        low, high, step, value = (size(s) // MIB for s in (self.min, self.max, self.step, self.value))
        name, layout = f"{self.description} (MiB)", {"width": "calc(100% - 12px)", "max_width": "44rem"}
        return w.IntSlider(value, low, high, step, description=name, style=WIDE, layout=layout)

    def text(self, value: Any) -> str:
        """The slider's value as a scenario has it."""
        return f"{value}M"


@dataclass(frozen=True)
class Choice:
    """A list to choose from: what the reader sees -> what replaces `$name` in a scenario. The first is chosen."""

    name: str
    description: str
    options: Mapping[str, str]

    def widget(self) -> Any:
        """The list."""
        return w.Dropdown(options=list(self.options.items()), description=self.description, style=WIDE)

    def text(self, value: Any) -> str:
        """The value itself."""
        return str(value)


Control = Size | Choice


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """A scenario's part with `$name` replaced everywhere. Raises KeyError for a name without a control."""
    if isinstance(template, str):
        return re.sub(r"\$(\w+)", lambda gap: values[gap[1]], template)
    if isinstance(template, Mapping):
        return {key: filled(value, values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, values) for value in template]
    return template
