"""A scenario with gaps: sizes and choices that a reader fills in, and the story told as a list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets as w

from mmsim.draw.figure import size as readable
from mmsim.result import Result
from mmsim.sizes import size
from mmsim.widgets.stepper import WIDE

Step = dict[str, Any]
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
        return w.IntSlider(value, low, high, step, description=f"{self.description} (MiB)", style=WIDE)

    def text(self, value: Any) -> str:
        """The slider's value as a scenario has it."""
        return f"{value}M"


@dataclass(frozen=True)
class Choice:
    """A list to choose from: what the reader sees -> what replaces `$name` in a scenario."""

    name: str
    description: str
    options: Mapping[str, str]
    value: str | None = None

    def widget(self) -> Any:
        """The list."""
        value = self.value if self.value is not None else next(iter(self.options.values()))
        return w.Dropdown(options=list(self.options.items()), value=value, description=self.description, style=WIDE)

    def text(self, value: Any) -> str:
        """The value itself."""
        return str(value)


Control = Size | Choice


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """A scenario's part with `$name` replaced everywhere. Raises KeyError for a name without a control."""
    if isinstance(template, str):
        return re.sub(r"\$(\w+)", lambda match: values[match[1]], template)
    if isinstance(template, Mapping):
        return {key: filled(value, values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, values) for value in template]
    return template


# -- a story as a list -------------------------------------------------------------------------------

PHRASES = {
    "write": "{value} > {path}",
    "allocate": "allocate {size} as {as}",
    "free": "free {what}",
    "pin": "pin {what}",
    "unpin": "unpin {what}",
    "wait": "{seconds} seconds pass",
}


def phrase(step: Step) -> str:
    """A step in words: its note if it has one."""
    if "note" in step:
        return str(step["note"])
    if step["do"] == "resize":
        return f"the host asks for {readable(size(step['to']))}"
    if step["do"] in PHRASES:
        return PHRASES[step["do"]].format(**step)
    return " ".join([step["do"], *(f"{key}={value}" for key, value in step.items() if key not in ("do", "expect"))])


def story(steps: Sequence[Step], results: Sequence[Result]) -> str:
    """The steps with how they ended; the last one done is marked, those to come have no ending yet."""
    items = []
    for number, step in enumerate(steps):
        here, end = number == len(results) - 1, ""
        if number < len(results):
            result = results[number]
            end = f": <b>{'panic' if result.panic else 'ok' if result.errno == '0' else '-' + result.errno}</b>"
        current = ' aria-current="step"' if here else ""
        items.append(f"<li{current}>{escape(phrase(step))}{end}{' ← shown' if here else ''}</li>")
    return f'<ol class="mmsim-story">{"".join(items)}</ol>' if items else ""
