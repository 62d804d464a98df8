"""What a widget shows: a scene tells, for a setting of the controls, steps with a page each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mmsim.draw import Figure
from mmsim.draw.figure import prose
from mmsim.mm.kernel import ChangeName

Step = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """Where the controls stand: text for each gap of a scenario, the patches, and the steps that were added."""

    values: Mapping[str, str]
    patches: frozenset[ChangeName]
    added: Sequence[Step]


@dataclass(frozen=True)
class View:
    """What is to be seen at a step: a picture, which is also the step's text, a sentence above it, figures below.

    says: the sentence, which is announced; "" where the picture says it itself.
    """

    picture: Figure
    says: str = ""
    after: Sequence[Figure] = ()

    @property
    def html(self) -> str:
        """The page, without the style sheet."""
        says = f'<p class="mmsim-says" role="status">{prose(self.says)}</p>' if self.says else ""
        return says + "".join(figure.html(style=False) for figure in (self.picture, *self.after))


@dataclass(frozen=True)
class Telling:
    """So many steps, the first of which has the number `first`, and what draws one.

    start: the step that is seen first; paper: the one that is printed, None for the one that is seen.
    """

    steps: int
    draw: Callable[[int], View]
    start: int = 0
    name: str = ""
    paper: int | None = None
    first: int = 0

    @property
    def last(self) -> int:
        """The number of the last step."""
        return self.first + self.steps - 1


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
    """Pictures that are there already, each under its caption if there are any."""

    def __init__(self, pictures: Sequence[Figure], captions: Sequence[str] | None = None) -> None:
        if not pictures:
            raise ValueError("there is no picture to show")
        said = [""] * len(pictures) if captions is None else captions
        if len(said) != len(pictures):
            raise ValueError(f"{len(said)} captions for {len(pictures)} pictures")
        self.views = [View(picture, says) for picture, says in zip(pictures, said, strict=True)]

    def tell(self, setting: Setting) -> Told:
        """The same for every setting."""
        return Told([Telling(len(self.views), self.views.__getitem__)])
