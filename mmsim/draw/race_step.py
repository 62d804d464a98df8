"""A step of a race as a figure that fits any width: listing, variables, locks, log, pageblocks and the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, pairwise, repeat

from mmsim.draw.figure import Figure, logged
from mmsim.draw.race_facts import place
from mmsim.draw.race_steps import NOWHERE, Actor, Cell, RaceStep
from mmsim.mm.mmzone import pageblock_nr_pages

KINDS = ("first", "second", "third")  # actors that look different; one more looks like the third, with its own letter


def race_step(step: RaceStep, title: str = "") -> RaceFigure:
    """The picture of a frame of `race_steps`. Its title is the step's number, with `title` before it."""
    return RaceFigure(f"{title}: {step.numbers}" if title else step.numbers, f"{step.headline}.", step)


@dataclass(frozen=True)
class RaceFigure(Figure):
    """A frame of a race. What is still to come is not in it, but how many frames."""

    step: RaceStep

    @property
    def text(self) -> str:
        """The frame as plain text."""
        return "\n".join(plain(self.step))

    def caption(self) -> str:
        """The actor's badge, the number and the headline."""
        head = f"{badge(self.step, self.step.actor)} <b>{escape(self.title)}</b> · {escape(self.description[:-1])}"
        return f'<figcaption>{head}</figcaption>'

    def body(self) -> str:
        """What is so now, and then the listing: beside the state where there is room, folded while nobody is in it."""
        step, code = self.step, listing(self.step)
        name = f'<code translate="no">{step.function}()</code>'
        if inside(step):
            ran = f'<div class="mmsim-ran"><p>{name}</p>{code}</div>'
            rest = f'<div class="mmsim-cols"><div>{variables(step)}{log(step)}</div>{ran}</div>'
        else:
            rest = f"{log(step)}<details><summary>Nobody is in {name} now: its lines</summary>{code}</details>"
        state = f'<div class="mmsim-now">{elsewhere(step)}{locks(step)}</div>'
        return f'<div class="mmsim-race">{reason(step)}{blocks(step)}{state}{rest}{dots(step)}</div>'


# -- pieces of HTML ----------------------------------------------------------------------------------


def kind(step: RaceStep, number: int) -> str:
    """The class of an actor."""
    index = [actor.number for actor in step.actors].index(number)
    return kinds([actor.name for actor in step.actors])[index]


def kinds(names: Sequence[str]) -> list[str]:
    """The classes of actors: who takes memory offline looks the same in all pictures, the others come after it."""
    others = chain((f"mmsim-{kind}" for kind in KINDS[1:]), repeat(f"mmsim-{KINDS[-1]}"))
    return [f"mmsim-{KINDS[0]}" if "offlin" in name else next(others) for name in names]


def badge(step: RaceStep, number: int, spoken: bool = False) -> str:
    """The letter of an actor in its shape."""
    actor = next(actor for actor in step.actors if actor.number == number)
    hidden = f'role="img" aria-label="{escape(actor.name)}"' if spoken else 'aria-hidden="true"'
    return f'<b class="mmsim-who {kind(step, number)}" translate="no" {hidden}>{actor.letter}</b>'


def marked(text: str) -> str:
    """A sentence, with code between backticks."""
    return re.sub(r"`(.*?)`", r'<code translate="no">\1</code>', escape(text))


def listing(step: RaceStep) -> str:
    """The lines: which of them ran in this step, where CPUs stand, and which one decided."""
    (acting,) = (actor for actor in step.actors if actor.number == step.actor)
    lines = []
    for index, text in enumerate(step.listing):
        here = [actor for actor in step.actors if actor.stands == index]
        classes = ["mmsim-did"] * (index in acting.ran) + [f"mmsim-at {kind(step, a.number)}" for a in here[:1]]
        classes += ["mmsim-decides"] * (index == step.deciding)
        badges = "".join(badge(step, actor.number, spoken=True) for actor in here) + ("▸" if here else "")
        gutter = f"<span>{badges}</span>" if badges else ""
        indent, code = (len(text) - len(text.lstrip())) // 4, escape(text.lstrip())
        named = f' class="{" ".join(classes)}"' if classes else ""
        lines.append(f'<li{named} style="--i:{indent}">{gutter}<code>{code}</code></li>')
    label = f"{step.function}(): {acting.name} ran {spans(acting.ran)}"
    return f'<ol class="mmsim-src {kind(step, step.actor)}" translate="no" aria-label="{label}">{"".join(lines)}</ol>'


def inside(step: RaceStep) -> bool:
    """Is anybody in the function now, or was in this step?"""
    return any(actor.ran or actor.stands is not None for actor in step.actors)


def spans(indices: tuple[int, ...]) -> str:
    """`lines 1–4 and 7`, counted from 1."""
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    words = [f"{run[0] + 1}" + (f"–{run[-1] + 1}" if len(run) > 1 else "") for run in runs]
    return f"lines {', '.join(words)}" if words else "no line of it"


def elsewhere(step: RaceStep) -> str:
    """Where those stand that are outside of the function."""
    rows = [f"<li>{badge(step, a.number)}▸ {escape(a.name)}: {escape(a.where)}</li>"
            for a in step.actors if a.stands is None]  # fmt: skip
    return f'<ul class="mmsim-out">{"".join(rows)}</ul>' if rows else ""


def variables(step: RaceStep) -> str:
    """A column for each actor."""
    heads = "".join(f'<th scope="col">{badge(step, a.number)} {escape(a.name)}</th>' for a in step.actors)
    rows = [
        f'<tr><th scope="row"><code translate="no">{name}</code></th>'
        + "".join(cell(step, actor, index) for actor in step.actors) + "</tr>"
        for index, (name, _, _) in enumerate(step.actors[0].values)
    ]  # fmt: skip
    return f'<table class="mmsim-vars"><thead><tr><td></td>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def cell(step: RaceStep, actor: Actor, index: int) -> str:
    """A variable's value; set in this step, it is tinted and bold."""
    _, value, new = actor.values[index]
    code = f'<code translate="no">{escape(value)}</code>'
    return f'<td class="mmsim-new {kind(step, actor.number)}"><b>{code}</b></td>' if new else f"<td>{code}</td>"


def locks(step: RaceStep) -> str:
    """Who has which lock."""
    rows = []
    for lock in step.locks:
        state = f"held by {escape(lock.owner)}" if lock.owner else "free"
        note = f"<small>{escape(lock.note)}</small>" if lock.note else ""
        rows.append(f'<dt><code translate="no">{lock.name}</code></dt><dd><b>{state}</b> {note}</dd>')
    return f'<dl class="mmsim-facts">{"".join(rows)}</dl>' if rows else ""


def log(step: RaceStep) -> str:
    """What the kernel has logged so far."""
    lines = [(text, "mmsim-loud" if new and loud else "") for text, loud, new in step.log if not text.startswith("---")]
    code = "".join(f'<code class="{name}">{logged(text)}</code>' for text, name in lines)
    said = f'<dd translate="no">{code}</dd>' if code else "<dd>empty</dd>"
    return f'<dl class="mmsim-facts"><dt>log</dt>{said}</dl>'


def reason(step: RaceStep) -> str:
    """Why the step ended so: what is announced when the step changes."""
    return f'<p class="mmsim-says {kind(step, step.actor)}" role="status">{marked(step.reason)}</p>'


def blocks(step: RaceStep) -> str:
    """The pageblocks in the order of their addresses, and who has isolated them."""
    items = []
    for now, after in pairwise([*step.pageblocks, None]):
        assert now is not None
        isolated = now.label == "Isolate"
        by = ""
        if isolated:
            by = f" by {badge(step, now.by, spoken=True)}" if now.by is not None else " before"
        label = f'<b class="mmsim-badge" translate="no">{now.label}</b>' if isolated else f"<span>{now.label}</span>"
        did = '<b class="mmsim-busy">▲ busy</b>' if now.busy else "<b>changed</b>" if now.changed else ""
        look = " mmsim-iso" if isolated else " mmsim-nowhere" if now.label == NOWHERE else ""
        box = f'<div class="mmsim-pb{look}">{label}{by}</div>'
        items.append(f"<li>{box}<small>{span(now)}</small> {did}</li>")
        if after is not None and after.first != now.last + pageblock_nr_pages:
            items.append('<li class="mmsim-gap">…</li>')
    return f'<ol class="mmsim-pbs" aria-label="Pageblocks">{"".join(items)}</ol>' if items else ""


def span(now: Cell) -> str:
    """Where a cell begins, and how many pageblocks it is."""
    count = (now.last - now.first) // pageblock_nr_pages + 1
    return f"{count} pageblocks from {place(now.first)}" if count > 1 else place(now.first)


def dots(step: RaceStep) -> str:
    """Who acted so far; what is to come is hollow."""
    past = "".join(badge(step, number) for number in step.done)
    later = "<i></i>" * (step.frames - len(step.done))
    return f'<p class="mmsim-beads" aria-hidden="true">{past}{later}</p>'


# -- plain text --------------------------------------------------------------------------------------


def plain(step: RaceStep) -> Iterator[str]:
    """All of it as lines: `|` ran in this step, `O>` stands there, `!` decided."""
    (acting,) = (actor for actor in step.actors if actor.number == step.actor)
    yield step.reason.replace("`", "")
    yield ""
    for index, text in enumerate(step.listing):
        here = "".join(actor.letter for actor in step.actors if actor.stands == index)
        mark = "!" if index == step.deciding else "|" if index in acting.ran else " "
        yield f"{here + '>' if here else '':>4} {mark} {text}".rstrip()
    yield ""
    for actor in step.actors:
        values = ", ".join(f"{name} = {value}" for name, value, _ in actor.values)
        where = actor.where if actor.stands is None else f"at {step.listing[actor.stands].strip()}"
        yield f"{actor.letter} {actor.name}: {where}; {values}"
    for lock in step.locks:
        state = f"held by {lock.owner}" if lock.owner else "free"
        yield f"{lock.name}: {state}{lock.note and '; '}{lock.note}"
    names = {actor.number: actor.name for actor in step.actors}
    for now in step.pageblocks:
        by = f" by {names[now.by]}" if now.by is not None else ""
        yield f"{span(now)}: {now.label}{by}{', changed' if now.changed else ''}{', busy' if now.busy else ''}"
    yield from (f"log: {text}" for text, _, _ in step.log)
