"""A question as a form, and what is said to an answer, as pieces of HTML: for a built page, and for paper.

The form needs no script to be read. In a live page its button hands what was filled in to `mmsim.widgets.ask.commit`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from mmsim.draw import Figure, Table
from mmsim.draw.figure import paragraph, plural, prose, sheet
from mmsim.questions import Field, Problem, Verdict
from mmsim.questions.answers import SURE
from mmsim.questions.verdicts import Row, Why, parting

CALL = "mmsim.widgets.ask:commit"
LETTERS = "abcdefghijklmnop"
QUESTIONS = sheet("questions.css")
LARGE = ("steps", "code", "text")  # kinds of fields that take several lines
STATES = {
    "right": "✓ Right", "partly": "◐ Partly right", "wrong": "✗ The run disagrees", "unanswered": "… Not answered yet",
    "invalid": "? Not understood", "noted": "✎ Noted",
}  # fmt: skip


@dataclass(frozen=True)
class Form(Figure):
    """A question to be answered: real fields with their labels, one button, and a place for what is said to it."""

    problem: Problem
    hint: str

    @property
    def text(self) -> str:
        """The question as a terminal shows it."""
        return str(self.problem)

    def __str__(self) -> str:
        return self.text

    def html(self, style: bool = True) -> str:
        """The form is the figure, with a style sheet more."""
        made = f'{QUESTIONS if style else ""}<figure class="mmsim-fig mmsim-question">'
        return super().html(style).replace('<figure class="mmsim-fig">', made, 1)

    def body(self) -> str:
        """Text, scenario, fields, button, hint, and how else to answer."""
        p = self.problem
        key = f"{p.name}@{p.seed}" if p.seed else p.name
        return (
            f'<form class="livebook-form" data-call="{CALL}" data-key="{key}">'
            f'<input type="hidden" name="name" value="{p.name}"><input type="hidden" name="seed" value="{p.seed}">'
            f'{"".join(map(paragraph, p.text))}{self.setup()}'
            f'{"".join(field_html(key, field) for field in p.fields)}{sure_html()}'
            f'<p class="mmsim-commit"><button type="submit" hidden>{self.verb}</button></p>'
            f"<details><summary>A hint</summary><p>{prose(self.hint)}</p></details>"
            f'<p class="livebook-otherwise">Answer at the command line: <code translate="no">{self.command}</code></p>'
            f'<div class="livebook-answer" role="status"></div></form>'
        )

    @property
    def verb(self) -> str:
        """What the button says: nobody runs an essay."""
        return "Keep it, then see the rubric" if self.problem.kind == "explain" else "Commit, then run"

    def setup(self) -> str:
        """The scenario, line by line, and below it what an answer keeps to."""
        lines = "".join(f"<li>{prose(line)}</li>" for line in self.problem.setup)
        scenario = f"<ol>{lines}</ol>" if len(self.problem.setup) > 1 else f"<ul>{lines}</ul>" if lines else ""
        return scenario + "".join(map(paragraph, self.problem.rules))

    @property
    def command(self) -> str:
        """What answers the question in a terminal."""
        fields = " ".join(f"--answer {field.name}=…" for field in self.problem.fields)
        seed = f" --seed {self.problem.seed}" if self.problem.seed else ""
        return f"python -m mmsim question check {self.problem.name}{seed} {fields}"


def form(problem: Problem, hint: str) -> Form:
    """The form of a question."""
    about = [problem.kind, plural(problem.minutes, "minute"), plural(problem.points, "point")]
    return Form(problem.title, f"{', '.join(about)}; kernel: {problem.kernel}.", problem, hint)


def field_html(key: str, field: Field) -> str:
    """One field: a choice or an order is a group, all else a labelled input."""
    unit = f' <span class="mmsim-unit">({prose(field.unit)})</span>' if field.unit else ""
    if field.kind in ("choice", "yesno"):
        texts = field.choices or ("yes", "no")
        values = LETTERS if field.choices else texts
        options = [radio(field.name, value, text) for value, text in zip(values, texts, strict=False)]
        return f"<fieldset><legend>{prose(field.label)}</legend>{''.join(options)}</fieldset>"
    if field.kind == "order":
        return f"<fieldset><legend>{prose(field.label)}</legend><ol>{order_html(field)}</ol></fieldset>"
    name = f"{key}-{field.name}"
    label = f'<label for="{name}">{prose(field.label)}{unit}</label>'
    if field.kind in LARGE:
        return f'{steps_html(field)}<p class="mmsim-field">{label}{area_html(name, field)}</p>'
    part = f'<input id="{name}" name="{field.name}" type="text" autocomplete="off" spellcheck="false">'
    example = f'<small>such as <code translate="no">{escape(field.example)}</code></small>' if field.example else ""
    return f'<p class="mmsim-field">{label}{part}{example}</p>'


def area_html(name: str, field: Field) -> str:
    """A box for several lines: of code and of steps, in which each character counts."""
    start = escape(field.example) if field.kind == "code" else ""
    kind = "" if field.kind == "text" else ' class="mmsim-code"'
    about = f'id="{name}" name="{field.name}" rows="{rows_of(field)}" spellcheck="false"{kind}'
    return f"<textarea {about}>{start}</textarea>"


def rows_of(field: Field) -> int:
    """The height of a box for several lines: room for its example, and for more."""
    return max(6, field.example.count("\n") + 4)


def steps_html(field: Field) -> str:
    """A line for each step that may be used."""
    items = (f'<li><code translate="no">{escape(line)}</code>{also(keys)}</li>' for line, keys in field.lines)
    return f'<p>A step is a line such as one of these:</p><ul>{"".join(items)}</ul>' if field.lines else ""


def also(keys: str) -> str:
    """The keys that a step may have beside those of its example."""
    return f', also with <code translate="no">{escape(keys)}</code>' if keys else ""


def radio(name: str, value: str, text: str) -> str:
    """One choice; all of it can be pressed."""
    knob = f'<input type="radio" name="{name}" value="{value}">'
    return f'<label class="mmsim-choice">{knob}<span>{prose(text)}</span></label>'


def order_html(field: Field) -> str:
    """A list to choose from for each place of the order."""
    lines = "".join(
        f'<option value="{letter}">{escape(text.replace("`", ""))}</option>'
        for letter, text in zip(LETTERS, field.choices, strict=False)
    )
    options = f'<option value="">–</option>{lines}'
    return "".join(
        f'<li><select name="{field.name}" aria-label="What comes as number {number}">{options}</select></li>'
        for number in range(1, len(field.choices) + 1)
    )


def sure_html() -> str:
    """How sure the reader is: not asked for, but kept."""
    choices = "".join(radio("sure", word, word) for word in SURE)
    return f'<fieldset class="mmsim-sure"><legend>How sure are you?</legend>{choices}</fieldset>'


# -- what is said to an answer -------------------------------------------------------------------------


@dataclass(frozen=True)
class Said(Figure):
    """A verdict: in a sentence, fact by fact, and where the run parts from the answer."""

    verdict: Verdict
    so: tuple[tuple[str, str, str], ...] = ()  # label, answer and reason of what was not right
    rubric: tuple[tuple[str, int], ...] = ()

    @property
    def text(self) -> str:
        """The verdict as a terminal shows it."""
        return "\n".join([str(self.verdict), *(f"  {points}  {says}" for says, points in self.rubric)])

    def __str__(self) -> str:
        return self.text

    def body(self) -> str:
        """The facts, the moment, the belief, and the reason."""
        return "".join(self.parts())

    def parts(self) -> Iterator[str]:
        """One piece of HTML after the other."""
        v = self.verdict
        if self.rubric:
            worth = tuple((f"{points}", says) for says, points in self.rubric)
            yield Table(("points", "for"), worth).html("What an answer is worth", prose)
        if v.first:
            lead, *more = parting(v.first)
            yield f"<p><b>{lead}</b> {prose(' '.join([*more, capital(str(v.first))]))}</p>"
        items = [(why.label, "".join(self.why(why))) for why in v.whys]
        if len(items) == 1:
            yield items[0][1]
        elif items:
            told = (f"<li><b>{prose(label)}</b>{content}</li>" for label, content in items if content)
            yield f'<ul class="mmsim-whys">{"".join(told)}</ul>'
        if len(v.facts) > 1:  # of a single one the sentence has told all
            yield compared(v.facts)

    def why(self, why: Why) -> Iterator[str]:
        """What is so in one field, and why; or why one may think something else."""
        for answer, reason in ((answer, reason) for label, answer, reason in self.so if label == why.label):
            lines = answer.splitlines()
            told = f" <b>{prose(capital(answer))}</b>" if len(lines) == 1 else ""
            yield f"<p><b>What is so.</b>{told} {prose(reason)}</p>{ordered(lines) if len(lines) > 1 else ''}"
        if why.text:
            yield f"<p><b>Why {'it is so' if why.right else 'one may think otherwise'}.</b> {prose(why.text)}</p>"


def compared(facts: Sequence[Row]) -> str:
    """Fact by fact what the answer means and what the run has: there to be opened, for who wants to know."""
    amiss = sum(not fact.holds for fact in facts)
    told = f"{plural(len(facts), 'fact')} compared{f', {amiss} not so' if amiss else ''}"
    items = "".join(f"<li>{prose(str(fact))}</li>" for fact in facts)
    return f'<details><summary>{told}</summary><ul class="mmsim-facts">{items}</ul></details>'


def ordered(lines: Sequence[str]) -> str:
    """Lines as a list with numbers."""
    return f"<ol>{''.join(f'<li>{prose(line.strip())}</li>' for line in lines)}</ol>"


def capital(text: str) -> str:
    """With a capital and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def said(
    verdict: Verdict, so: tuple[tuple[str, str, str], ...] = (), rubric: tuple[tuple[str, int], ...] = ()
) -> Said:
    """A verdict as a figure; so: what is so (label, answer, reason); rubric: what an essay is worth (what, points)."""
    return Said(STATES[verdict.state], verdict.message, verdict, so, rubric)
