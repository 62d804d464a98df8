"""What a reader says, in many spellings, as one value each.

Each reader of a kind takes a text as typed, or a value, and returns the value that facts are compared with; for what
it can't understand it raises ValueError with a sentence that says what an answer looks like.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mmsim.machine.sizes import pfn, size
from mmsim.mm.mmzone import PAGE_SIZE
from mmsim.scenario.checks import ScenarioError
from mmsim.scenario.format import EXPECT
from mmsim.series import PATCHES
from mmsim.sim.cpu import ENDLESS
from mmsim.sim.errnos import errorcode

SIZE = r"([0-9]+(?:\.[0-9]+)?) ?([KMGT])(?:iB|B)?"
SURE = ("guess", "fairly", "certain")
NOBODY = ("none", "null", "no page")
EXAMPLES = {
    "errno": "0, EBUSY or -16", "size": "64M, 64 MiB or 67108864", "pfn": "0x2e00, 11776 or addr:46M", "number": "3",
    "yesno": "yes or no", "patches": "none, 4 or 1, 3", "order": "b, a, c", "text": "a few sentences",
    "code": "def …",
}  # fmt: skip


class Misread(ValueError):
    """An answer that can't be understood; says in which field, and what an answer looks like."""


@contextmanager
def misreading(field: str) -> Iterator[None]:
    """Turn an answer's ValueError into Misread that names the field; an error in the question's file stays one."""
    try:
        yield
    except ScenarioError:
        raise
    except ValueError as error:
        raise Misread(f"{field}: {error}") from None


def empty(said: Any) -> bool:
    """Has nothing been said?"""
    return said is None or (isinstance(said, str) and not said.strip()) or (isinstance(said, list) and not said)


def nonsense(said: Any, what: str, kind: str) -> ValueError:
    """The sentence for what can't be understood."""
    return ValueError(f"{str(said).strip()!r} is not {what}: write such as {EXAMPLES[kind]}")


def plain(said: Any) -> str:
    """A text without what spells the same thing otherwise: spaces around, separators of thousands, signs."""
    text = str(said).strip().replace("\u2212", "-").replace("\u00a0", " ")
    return re.sub(r"(?<=[0-9])[,_ ](?=[0-9]{3}(?![0-9]))", "", text)


def errno(said: Any) -> str:
    """The name of an errno, without its sign; "0" for success."""
    text = plain(said).upper().removeprefix("-")
    if text in (ENDLESS, "0"):
        return text
    name = errorcode.get(int(text)) if re.fullmatch("[0-9]{1,4}", text) else text
    if name not in errorcode.values() or isinstance(said, bool):
        raise nonsense(said, "an errno", "errno")
    return str(name)


def in_bytes(said: Any) -> int:
    """A size in bytes; a bare number is bytes, and has to be whole pages."""
    text = plain(said)
    if found := re.fullmatch(SIZE, text, re.IGNORECASE):
        bytes_ = float(found[1]) * size("1" + found[2].upper())
    elif re.fullmatch("[0-9]{1,18}", text) and not isinstance(said, bool):
        bytes_ = int(text)
    else:
        raise nonsense(said, "a size", "size")
    if bytes_ % PAGE_SIZE:
        raise ValueError(f"{str(said).strip()} is {bytes_:g} bytes, no whole pages: write such as {EXAMPLES['size']}")
    return int(bytes_)


def frame(said: Any) -> int | None:
    """A page frame number, decimal, in hex or as an address; None for no page."""
    text = plain(said)
    if text.lower() in NOBODY:
        return None
    try:
        return int(text, 16) if re.fullmatch("0[xX][0-9a-fA-F]{1,16}", text) else pfn(text)
    except ValueError:
        raise nonsense(said, "a page", "pfn") from None


def number(said: Any) -> int:
    """A whole number, decimal or in hex."""
    text = plain(said)
    if isinstance(said, bool) or not re.fullmatch("-?[0-9]{1,18}|0[xX][0-9a-fA-F]{1,16}", text):
        raise nonsense(said, "a whole number", "number")
    return int(text, 0) if text.lower().startswith("0x") else int(text)


def yes_or_no(said: Any) -> bool:
    """Yes or no."""
    text = plain(said).lower().rstrip(".")
    if text not in ("yes", "y", "true", "no", "n", "false"):
        raise nonsense(said, "yes or no", "yesno")
    return text in ("yes", "y", "true")


def patch_set(said: Any) -> list[int]:
    """Numbers of patches, sorted; the word `none` for the empty set."""
    listed = said if isinstance(said, list | tuple | set | frozenset) else [said]
    text = " ".join(str(each).strip().strip("{}[]") for each in listed)
    words = [] if text.lower() in ("none", "no patch", "") else re.split(r"[\s,+]+(?:and\s+)?", text)
    known = [str(patch.number) for patch in PATCHES]
    if not set(words) <= set(known):
        raise nonsense(said, f"a set of the patches {', '.join(known)}", "patches")
    return sorted({int(word) for word in words})


def choose(said: Any, texts: Sequence[str]) -> int:
    """Which of these choices is meant, by its text or its letter (a, b, c, … as they are shown)."""
    spoken, shown = squeeze(said), [squeeze(text) for text in texts]
    letters = [chr(ord("a") + i) for i in range(len(texts))]
    for names in (shown, letters):
        if spoken.rstrip(")") in names or spoken in names:
            return names.index(spoken if spoken in names else spoken.rstrip(")"))
    raise ValueError(f"{str(said).strip()!r} is none of the choices: write {', '.join(letters[:-1])} or {letters[-1]}")


def arrange(said: Any, texts: Sequence[str]) -> list[int]:
    """An order of these lines, all of them, each once: their letters or their texts."""
    words = said if isinstance(said, list | tuple) else re.split(r"[\s,>→]+", str(said).strip())
    if isinstance(said, str) and len(words) == 1 and len(said.strip()) == len(texts):
        words = list(said.strip())
    order = [choose(word, texts) for word in words]
    if sorted(order) != list(range(len(texts))):
        raise ValueError(f"an order has each of the {len(texts)} lines once")
    return order


def squeeze(said: Any) -> str:
    """A text for comparing: no marks of code, single spaces, small letters."""
    return " ".join(str(said).replace("`", "").split()).casefold()


READERS: dict[str, Callable[[Any], Any]] = {
    "errno": errno, "size": in_bytes, "pfn": frame, "number": number, "yesno": yes_or_no, "patches": patch_set,
    "text": str, "code": str,
}  # fmt: skip


# -- facts that somebody writes as code --------------------------------------------------------------


def predicted(key: str, said: Any) -> Any:
    """One key of `expect` as a scenario would have it. Raises ValueError that names the place and what is expected."""
    value = listed(said)
    try:
        if key == "errno":
            value = list(map(errno, value)) if isinstance(value, list) else errno(value)
        if key in ("plugged", "requested"):
            value = {end: in_bytes(n) for end, n in value.items()} if isinstance(value, dict) else in_bytes(value)
        return EXPECT({key: value}, "$")[key]
    except ScenarioError as error:
        found = f", not {said!r}" if error.path == f"$.{key}" else f", found {error.found}"
        raise ValueError(f"{error.path.removeprefix('$.')}: expected {error.expected}{found}") from None
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def listed(said: Any) -> Any:
    """Python's tuples and numbers as keys, as JSON would have them."""
    if isinstance(said, dict):
        return {str(key): listed(value) for key, value in said.items()}
    return [listed(each) for each in said] if isinstance(said, list | tuple) else said
