"""Questions as data: the files of `mmsim/chapters`, checked, and one question with its gaps filled.

A file is TOML, one `[[question]]` an entry. The question is a scenario with something left out: `machine` and `steps`
are those of `mmsim.scenario.format`, and `[[question.field]]` is what is asked about the last step. In all of it
`$name` (`${name}` before a letter) is a gap, filled from `vary` (what a seed picks from: a table of lists, or a
list of whole variants) and from `cases` (several runs that one question compares; facts are then given for each by
its name, and verdicts say it as the gap `called`, if there is one). The patches of a machine may name further changes
of `mmsim.series`. With `replaces` the reader writes `function` of that module anew, which is run in all `scenes`;
`slip` is the mistake in the worked code that the reader starts from. The text "NULL" in facts stands for JSON's null,
which TOML lacks. No key says what is right: the run does.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import product
from typing import Any

from mmsim.mm.kernel import ChangeName
from mmsim.questions.facts import Fact, kind_of, single
from mmsim.scenario.checks import (
    Object,
    ScenarioError,
    also,
    any_of,
    describe,
    enum,
    integer,
    list_of,
    map_of,
    obj,
    text,
    where,
)
from mmsim.scenario.compare import COMPARE
from mmsim.scenario.format import EXPECT, NAME, OUTCOME, SOME, STEPS, parse
from mmsim.series import CHANGES

KINDS = "predict find order build write explain"
OTHERS = {change.name for change in CHANGES if change.number is None}  # known changes that are no patches of the series
COUNTS = ("outcomes", "schedules", "orders")  # of a race: distinct outcomes, and interleavings with and without pruning
ALL = ("reachable", "unreachable", *COUNTS)  # facts about a race as a whole

GAP = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")  # $name, or ${name} before a letter
ANY = where("a value", lambda value: True)
TABLE = where("a table", lambda value: isinstance(value, dict))
SLUG = text("a slug: small letters, digits and -", "[a-z0-9]+(-[a-z0-9]+)*")
FACTS_OF = text("a path into the facts, such as errno, plugged or zones.Movable.free", r"[a-z_]+(\.[A-Za-z0-9_:+-]+)*")
TEXTS = also(list_of(SOME), "at least one")
CHOICE = obj({"text": SOME, "predicts?": TABLE, "sets?": ANY, "reason?": SOME})
LINE = obj({"text": SOME, "when?": TABLE, "step?": TABLE, "patch?": integer(1, 6)})
FIELD = also(
    obj({
        "name": NAME, "label": SOME, "kind?": enum("number size pfn errno yesno steps code text patches"),
        "case?": NAME, "unit?": SOME, "example?": SOME, "reason?": SOME, "sets?": NAME,
        "choice?": also(list_of(CHOICE), "two choices or more", lambda found: len(found) > 1),
        "line?": also(list_of(LINE), "two lines or more", lambda found: len(found) > 1),
        "asks?": FACTS_OF, "holds?": TABLE,
        "belief?": list_of(obj({"says": ANY, "reason": SOME})), "slip?": obj({"old": SOME, "new": SOME}),
    }),
    "one of choice, line, asks, holds, or a kind",
    lambda field: sum(key in field for key in ("choice", "line", "asks", "holds")) == 1 or "kind" in field,
)
SCENE = obj({"title": SOME, "machine": TABLE, "steps": also(list_of(TABLE), "at least one")})
QUESTION = obj({
    "slug": SLUG, "title": SOME, "kind": enum(KINDS), "minutes": integer(1, 60), "points": integer(1, 20),
    "objectives": TEXTS, "kernel": SOME, "text": SOME, "hint": SOME, "reason?": SOME,
    "machine?": TABLE, "steps?": list_of(TABLE), "outcome?": TABLE,
    "vary?": any_of("a table of lists, or a list of tables", also(list_of(TABLE), "at least one"),
                    map_of(NAME, also(list_of(ANY), "at least one"))),
    "cases?": map_of(NAME, TABLE),
    "field": also(list_of(FIELD), "at least one"),
    "goal?": TABLE, "limit?": integer(1, 20), "verbs?": list_of(enum(" ".join(STEPS))),
    "function?": NAME, "trials?": map_of(NAME, also(list_of(ANY), "at least one")), "worked?": TABLE,
    "replaces?": SOME, "scenes?": also(list_of(SCENE), "at least one"),
    "rubric?": list_of(obj({"says": SOME, "points": integer(1, 20)})),
})  # fmt: skip
NEEDED = {"order": ("steps",), "build": ("goal", "limit", "worked"), "write": ("function", "trials", "worked"),
          "explain": ("rubric",), "predict": ("steps",), "find": ("steps",)}
REPLACING = ("function", "scenes", "worked")  # what is needed of a function that takes the place of a model's own


@dataclass(frozen=True)
class Scene:
    """One run: the machine, the steps, and of a race at their end the one outcome that is looked at, if any is."""

    machine: Object
    patches: frozenset[ChangeName]
    steps: tuple[Object, ...]
    outcome: Object | None = None

    @property
    def race(self) -> Object | None:
        """The race at the end, if there is one."""
        last = self.steps[-1] if self.steps else {}
        return last if last.get("do") == "race" else None


@dataclass(frozen=True, eq=False)
class Filled:
    """One variant of a question: its data with the gaps filled that the seed picks. Nobody changes them."""

    name: str
    seed: int
    data: Object
    values: Object

    @property
    def file(self) -> str:
        """The name of the file that the question is in."""
        return f"{self.name.partition('/')[0]}.toml"

    @property
    def place(self) -> str:
        """The question, for messages."""
        return f"question {self.data['slug']}" + f" (seed {self.seed})" * bool(self.seed)

    @property
    def fields(self) -> list[Object]:
        """What is asked."""
        return list(self.data["field"])

    @property
    def cases(self) -> list[str]:
        """The names of the runs; one without a name if there is only one."""
        return list(self.data.get("cases", {"": {}}))

    def error(self, at: str, expected: str, found: Any) -> ScenarioError:
        """What is wrong with the file, and where."""
        return ScenarioError(f"{self.place}{at}", expected, describe(found), file=self.file)

    def scene(self, case: str = "", more: Object | None = None, steps: tuple[Object, ...] = (),
              expect: Object | None = None, at: str = "") -> Scene:
        """The run of a case, with `more` gaps filled and further `steps`; checks facts on it on the way.

        Raises ScenarioError that names the file, the question and the place in it.
        """
        values = {**self.values, **self.data.get("cases", {}).get(case, {}), **(more or {})}
        bare = {key: self.data[key] for key in ("machine", "steps", "outcome") if key in self.data}
        data = self.fill(bare, values)
        all_steps = [*data.get("steps", ()), *steps]
        return self.checked(data.get("machine", {}), all_steps, data.get("outcome"), expect or {}, at)

    def checked(self, machine: Object, steps: list[Object], outcome: Any, expect: Object, at: str) -> Scene:
        """A scene, checked as a scenario is."""
        for index, step in enumerate(steps):
            if "expect" in step:
                what = "nothing: what a step shows is asked, not told"
                raise self.error(f".steps[{index}].expect", what, step["expect"])
        race = bool(steps) and steps[-1].get("do") == "race"
        judged = {"reachable": [x for x in (outcome, expect) if x]} if race and outcome else expect
        known, others = apart(machine)
        document = {"format": "mmsim-scenario/1", "title": "a question", "source": "derived", "machine": known,
                    "steps": [*steps[:-1], {**steps[-1], "expect": judged}] if steps else []}
        try:
            found = parse(document)
        except ScenarioError as error:
            place = error.path.replace(f"$.steps[{len(steps) - 1}].expect", at or ".outcome").removeprefix("$")
            raise ScenarioError(self.place + place, error.expected, error.found, error.rule, self.file) from None
        *before, last = found.steps
        last = {key: value for key, value in last.items() if key != "expect"}
        return Scene(found.machine, found.patch_sets[0] | others, (*before, last), outcome)

    def fill(self, template: Any, values: Object, at: str = "") -> Any:
        """A part of the question with `$name` replaced everywhere."""
        def value_of(gap: re.Match[str]) -> Any:
            if (name := gap[1] or gap[2]) not in values:
                raise self.error(at, f"a gap that something fills: {', '.join(values) or 'there is none'}", gap[0])
            return values[name]

        if isinstance(template, str):
            whole = GAP.fullmatch(template)
            return value_of(whole) if whole else GAP.sub(lambda gap: str(value_of(gap)), template)
        if isinstance(template, dict):
            pairs = template.items()
            return {self.fill(key, values, at): self.fill(value, values, f"{at}.{key}") for key, value in pairs}
        if isinstance(template, list):
            return [self.fill(value, values, f"{at}[{i}]") for i, value in enumerate(template)]
        return template

    def facts(self, predicts: Object, at: str, case: str = "") -> Iterator[tuple[str, Fact]]:
        """Each single fact of a table of the file, with the case that it is about, as a scenario would have it."""
        by_case = predicts if "cases" in self.data and not case else {case: predicts}
        for name, expect in by_case.items():
            if name not in self.cases:
                raise self.error(f"{at}.{name}", f"the name of a case: {', '.join(self.cases)}", name)
            here = f"{at}.{name}" if name and not case else at
            for fact in single(self.one_run(nulled(expect), name, here)):
                outcomes = fact.said if fact.keys[0] in ALL[:2] else [None]
                yield from ((name, fact if each is None else Fact(fact.keys, [each])) for each in outcomes)

    def one_run(self, expect: Object, case: str, at: str) -> Object:
        """Facts of one run, checked; sizes become bytes."""
        rest = {key: value for key, value in expect.items() if key not in COUNTS}
        if not expect:
            raise self.error(at, "at least one fact", expect)
        scene = self.scene(case, expect=rest, at=at) if self.data.get("steps") else None
        if scene and scene.race and not scene.outcome and not set(expect) <= set(ALL):
            raise self.error(at, f"{', '.join(ALL)}, or an outcome in the question that the facts are about", expect)
        if len(rest) < len(expect) and not (scene and scene.race and not scene.outcome):
            raise self.error(at, f"{', '.join(COUNTS)} for a race as a whole only", expect)
        try:
            return {**expect, **(OUTCOME if scene and scene.outcome else EXPECT)(rest, self.place + at)}
        except ScenarioError as error:
            error.file = self.file
            raise

    def asked(self, field: Object) -> tuple[str, ...]:
        """The keys of the fact that a field asks for."""
        keys = tuple(field["asks"].split("."))
        if keys[0] not in (*COMPARE, *COUNTS):
            raise self.error(f".field[{field['name']}].asks", f"a path that begins with one of {', '.join(COMPARE)}",
                             field["asks"])
        return keys

    def kind(self, field: Object) -> str:
        """The kind of form that a field is."""
        for key, kind in (("choice", "choice"), ("line", "order"), ("holds", "yesno")):
            if key in field:
                return kind
        return str(field.get("kind") or kind_of(self.asked(field)))


def apart(machine: Object) -> tuple[Object, frozenset[ChangeName]]:
    """A machine as a scenario may have it, and those changes of its kernel that are no patches of the series."""
    patches = machine.get("patches")
    others = [each for each in patches if each in OTHERS] if isinstance(patches, list) else []
    bare = {"patches": [each for each in patches or () if each not in others]} if others else {}
    return {**machine, **bare}, frozenset(others)


def nulled(value: Any) -> Any:
    """Facts with JSON's null where the file says "NULL"."""
    if isinstance(value, dict):
        return {key: nulled(each) for key, each in value.items()}
    if isinstance(value, list):
        return [nulled(each) for each in value]
    return None if value == "NULL" else value


# -- files -------------------------------------------------------------------------------------------


def chapters() -> list[str]:
    """The names of the chapters that have questions, sorted."""
    folder = files("mmsim") / "chapters"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


@cache
def chapter(name: str) -> dict[str, Object]:
    """The questions of a chapter by slug, in the order of the file. Raises ScenarioError, and ValueError for others."""
    if name not in chapters():
        raise ValueError(f"no chapter {name!r} has questions; known are {', '.join(chapters())}")
    return read((files("mmsim") / "chapters" / f"{name}.toml").read_text(encoding="utf-8"), f"{name}.toml")


def read(document: str, file: str) -> dict[str, Object]:
    """The questions in a file's text. Raises ScenarioError with the file, the question and the place."""
    try:
        found = tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError("the whole file", f"TOML ({error})", rule="json", file=file) from None
    questions: dict[str, Object] = {}
    for index, entry in enumerate(listed(found, file)):
        slug = entry.get("slug", f"number {index + 1}") if isinstance(entry, dict) else f"number {index + 1}"
        question = check(entry, f"question {slug}", file)
        if question["slug"] in questions:
            raise ScenarioError(f"question {slug}.slug", "a slug that no other question has", describe(slug), file=file)
        questions[question["slug"]] = question
    return questions


def listed(found: Object, file: str) -> list[Any]:
    """The entries of a file."""
    entries = found.get("question")
    if set(found) != {"question"} or not isinstance(entries, list):
        raise ScenarioError("the whole file", "[[question]] entries and nothing else", ", ".join(found), file=file)
    return entries


def check(entry: Any, place: str, file: str) -> Object:
    """One question, checked as far as that goes before its gaps are filled."""
    try:
        question: Object = QUESTION(entry, "$")
        for key in REPLACING if "replaces" in question else NEEDED[question["kind"]]:
            if key not in question:
                raise ScenarioError("$", f"the key {key}, for the kind {question['kind']}", "none")
        names = [field["name"] for field in question["field"]]
        if len(set(names)) < len(names):
            raise ScenarioError("$.field", "names that differ", ", ".join(names))
        for index, field in enumerate(question["field"]):
            check_field(field, question, f"$.field[{index}]")
    except ScenarioError as error:
        path = place + error.path.removeprefix("$")
        raise ScenarioError(path, error.expected, error.found, error.rule, file) from None
    return question


def check_field(field: Object, question: Object, path: str) -> None:
    """What a field needs beside its own form."""
    keys = ["text", "sets"] if "sets" in field else ["text", "predicts", "reason"]
    for index, choice in enumerate(field.get("choice", ())):
        if set(choice) != set(keys):
            raise ScenarioError(f"{path}.choice[{index}]", f"the keys {', '.join(keys)}", ", ".join(choice))
    for index, line in enumerate(field.get("line", ())):
        if set(line) != set(field["line"][0]) or len(line) != 2:
            what = "one of step, when and patch, the same in all lines"
            raise ScenarioError(f"{path}.line[{index}]", what, ", ".join(line))
    if ("asks" in field or "holds" in field) and question["kind"] != "write" and "reason" not in field:
        raise ScenarioError(path, "the key reason", ", ".join(field))
    cases = question.get("cases", {})
    if "case" in field and field["case"] not in cases:
        raise ScenarioError(f"{path}.case", f"one of the cases {', '.join(cases)}", describe(field["case"]))
    if ("asks" in field or "holds" in field) and cases and "case" not in field:
        raise ScenarioError(path, "the key case: which run is meant", ", ".join(field))


def variants(question: Object) -> list[Object]:
    """All that the gaps of a question can be filled with; the first is the book's own."""
    vary = question.get("vary", [{}])
    if isinstance(vary, list):
        return vary
    return [dict(zip(vary, values, strict=True)) for values in product(*vary.values())]


def question_of(name: str) -> Object:
    """The data of a question by its whole name, such as `patch1/late-loser`. Raises ValueError for others."""
    chapter_name, _, slug = name.partition("/")
    questions = chapter(chapter_name)
    if slug not in questions:
        raise ValueError(f"no question {name!r}; {chapter_name} has {', '.join(questions)}")
    return questions[slug]


@lru_cache
def filled(name: str, seed: int) -> Filled:
    """A question with the gaps filled that a seed picks. Raises ValueError for a name or a seed that is none."""
    if seed < 0:
        raise ValueError(f"a seed is a number from 0 on, not {seed}")
    return fill(name, seed, question_of(name))


def fill(name: str, seed: int, question: Object) -> Filled:
    """A question with its gaps filled. What machine and steps hold stays open: cases and answers fill it, too."""
    every = variants(question)
    raw = Filled(name, seed, question, every[seed % len(every)])
    late = ("machine", "steps", "outcome", "vary", "trials", "worked")
    data = {key: value if key in late else raw.fill(value, raw.values, f".{key}") for key, value in question.items()}
    return Filled(name, seed, data, raw.values)
