"""What a widget shows: a scene tells, for a setting of the controls, steps with a page each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mmsim.draw import Figure
from mmsim.mm.kernel import ChangeName

NUMBERED = re.compile(r"^Step \d+ of \d+: ")
Step = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """Where the controls stand: text for each gap of a scenario, the patches, and the steps that were added."""

    values: Mapping[str, str]
    patches: frozenset[ChangeName]
    added: Sequence[Step]


@dataclass(frozen=True)
class View:
    """What is to be seen at a step: a picture, which is also the step's text, and what stands around it."""

    picture: Figure
    before: str = ""  # HTML
    after: Sequence[Figure] = ()

    @property
    def html(self) -> str:
        """The page, without the style sheet."""
        return self.before + "".join(figure.html(style=False) for figure in (self.picture, *self.after))


@dataclass(frozen=True)
class Telling:
    """Steps from 0 on: a caption for each, and what draws it. `at_end`: a reader first sees the last one."""

    captions: Sequence[str]
    draw: Callable[[int], View]
    at_end: bool = True
    name: str = ""

    @property
    def start(self) -> int:
        """The step that is seen first."""
        return len(self.captions) - 1 if self.at_end else 0


@dataclass(frozen=True)
class Told:
    """All that a scene tells: one telling, or several to choose from under a figure that compares them."""

    tellings: Sequence[Telling]
    overview: Figure | None = None


class Scene(Protocol):
    """What a widget is about."""

    def tell(self, setting: Setting) -> Told:
        """Tell it for a setting. This and drawing raise ValueError or OSError for what can't be done."""


class Pictures:
    """Pictures that are there already; without captions: their descriptions."""

    def __init__(self, pictures: Sequence[Figure], captions: Sequence[str] | None = None) -> None:
        if not pictures:
            raise ValueError("there is no picture to show")
        self.views = [View(picture) for picture in pictures]
        self.captions = [short(p.description) for p in pictures] if captions is None else captions
        if len(self.captions) != len(pictures):
            raise ValueError(f"{len(self.captions)} captions for {len(pictures)} pictures")

    def tell(self, setting: Setting) -> Told:
        """The same for every setting."""
        return Told([Telling(self.captions, self.views.__getitem__, at_end=False)])


def short(description: str) -> str:
    """A description as a caption, which has a number already."""
    return NUMBERED.sub("", description)
