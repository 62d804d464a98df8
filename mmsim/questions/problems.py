"""What a reader is shown of a question: everything but what the run says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from inspect import signature
from random import Random
from typing import Any

from mmsim.draw.figure import BULLET, plural
from mmsim.questions.answers import EXAMPLES
from mmsim.questions.data import Filled, filled
from mmsim.questions.verbs import example_of, keys_of, verbs_of
from mmsim.questions.words import machine_words, phrase

UNITS = {"size": "bytes, or MiB such as 64M"}


@dataclass(frozen=True)
class Field:
    """One thing that is asked: its name and label, the kind of form, and of choices (or lines to order) the texts.

    lines: where steps are asked for, an example of each that may be used, and the keys that it may have beside those.
    """

    name: str
    label: str
    kind: str
    choices: tuple[str, ...] = ()
    unit: str = ""
    example: str = ""
    lines: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Problem:
    """A question as it is asked; nothing says what is right.

    text: paragraphs; setup: the scenario in words; rules: what an answer keeps to.
    """

    name: str
    seed: int
    title: str
    kind: str
    minutes: int
    points: int
    objectives: tuple[str, ...]
    kernel: str
    text: tuple[str, ...]
    setup: tuple[str, ...]
    rules: tuple[str, ...]
    fields: tuple[Field, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        head = f"{self.name}: {self.title}"
        about = f"{self.kind}, {plural(self.minutes, 'minute')}, {plural(self.points, 'point')}; kernel: {self.kernel}"
        setup = [f"  {index}. {line}" for index, line in enumerate(self.setup, 1)]
        parts = [f"{head}\n{about}", *self.text, "\n".join(setup), *self.rules, *map(asked, self.fields)]
        return "\n\n".join(part for part in parts if part)


def asked(field: Field) -> str:
    """A field as a terminal shows it."""
    unit = f" ({field.unit})" if field.unit else ""
    lines = [f"{field.name}: {field.label}{unit}"]
    lines += [f"  {letter}) {text}" for letter, text in zip("abcdefghijklmnop", field.choices, strict=False)]
    lines += [f"  a step: {example}{also(keys)}" for example, keys in field.lines]
    example = field.example.replace("\n", "\n    ")
    if field.kind in ("choice", "steps"):
        return "\n".join(lines)
    return "\n".join([*lines, f"  such as: {example}"])


def also(keys: str) -> str:
    """What a step may have beside the keys of its example."""
    return f" (may have {keys})" if keys else ""


def problem(name: str, seed: int = 0) -> Problem:
    """The question of this name, in the variant that a seed picks (0: the book's own). Raises ValueError."""
    question = filled(name, seed)
    data = question.data
    return Problem(
        name, seed, data["title"], data["kind"], data["minutes"], data["points"], tuple(data["objectives"]),
        data["kernel"], paragraphs(data["text"]), tuple(setup(question)), tuple(rules(question)),
        tuple(form(question, field) for field in question.fields),
    )


def paragraphs(text: str) -> tuple[str, ...]:
    """A text in the paragraphs that empty lines make, without the line breaks of the file but those of a list."""
    return tuple(block for part in text.strip().split("\n\n") for block in blocks(part))


def blocks(part: str) -> Iterator[str]:
    """What stands before a list, and the list, an item a line."""
    first, *items = (" ".join(each.split()) for each in f"\n{part}".split(f"\n{BULLET}"))
    yield from filter(None, (first, "\n".join(f"{BULLET}{item}" for item in items)))


def setup(question: Filled) -> list[str]:
    """The scenario in words. Of several runs it is told what all have in common; the text says how they differ."""
    open_ = any("sets" in field for field in question.fields) or "trials" in question.data or "cases" in question.data
    lines = []
    if not open_ and question.data.get("steps"):
        scene = question.scene()
        lines = [*machine_words(scene.machine), *map(sentence, map(phrase, scene.steps))]
    return lines + [f"{scene['title']}." for scene in question.data.get("scenes", ())]


def rules(question: Filled) -> Iterator[str]:
    """What steps, or a function, have to keep to."""
    if "limit" in question.data:
        yield f"You write at most {plural(question.data['limit'], 'step')}, one a line."
    if "function" in question.data:
        call = f"{question.data['function']}({', '.join(parameters(question))})"
        yield f"It is called as `{call}`: its name and the names of its parameters are fixed."


def parameters(question: Filled) -> list[str]:
    """What the reader's function is called with: the names of a trial, or what the function of the model gets."""
    if "replaces" not in question.data:
        return list(question.data["trials"])
    own = getattr(import_module(question.data["replaces"]), question.data["function"])
    return list(signature(own).parameters)


def sentence(text: str) -> str:
    """A phrase with a capital and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")


def form(question: Filled, field: dict[str, Any]) -> Field:
    """A field as it is asked."""
    kind = question.kind(field)
    texts = tuple(entry["text"] for entry in shuffled(question, field))
    example, unit = field.get("example", EXAMPLES.get(kind, "")), field.get("unit", UNITS.get(kind, ""))
    example = slipped(question, field) if "slip" in field else example
    lines = [(example_of(question, verb), keys_of(verb)) for verb in verbs_of(question)] if kind == "steps" else []
    return Field(field["name"], field["label"], kind, texts, unit, example.strip(), tuple(lines))


def slipped(question: Filled, field: dict[str, Any]) -> str:
    """The code that the reader starts from: the worked one with a mistake. Raises ScenarioError if it has no place."""
    worked, slip = str(question.data["worked"][field["name"]]), field["slip"]
    if worked.count(slip["old"]) != 1:
        raise question.error(f".field[{field['name']}].slip.old", "a text that the worked code has once", slip["old"])
    return worked.replace(slip["old"], slip["new"])


def shuffled(question: Filled, field: dict[str, Any]) -> list[dict[str, Any]]:
    """The choices or the lines of a field in the order in which this seed shows them."""
    entries = list(field.get("choice", field.get("line", ())))
    Random(f"{question.name}.{field['name']}.{question.seed}").shuffle(entries)
    return entries
