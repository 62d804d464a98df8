"""The gates of has_unmovable_pages() as a figure: a lane for each who asks, as far as they have come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from mmsim.draw.figure import Figure, plural
from mmsim.draw.gate_steps import Gate, Walk, gates, is_comment
from mmsim.draw.race_facts import place
from mmsim.draw.race_step import kinds
from mmsim.machine.machine import Machine
from mmsim.mm.mmzone import migratetype_names

# A test -> what it asks, and what a yes means.
WORDS = {
    "is_migrate_cma_page(k, start)": ("Is the whole pageblock CMA's?", "only CMA may isolate its own pageblocks"),
    "page is KINDS[ABSENT]": ("Is there no page?", "the memory map has a gap here"),
    "page.reserved": ("Is it reserved?", "a page of boot memory or of a hole stays where it is"),
    "zone.index == ZONE_MOVABLE": ("Is the zone ZONE_MOVABLE?", "what was allocated there should be movable"),
    "page.compound": ("Is it part of a larger page?", "huge pages can be migrated, larger pages of kernel data can't"),
    "k.page_count(pfn) == 0": ("Has it no references?", "nobody uses it"),
    "isol_flags & MEMORY_OFFLINE and page.hwpoison": ("Offlining, and is it poisoned?", "nobody will get it again"),
    "isol_flags & MEMORY_OFFLINE and page.offline": ("Offlining, and is it PG_offline?", "its driver may let go"),
    "page.lru or page.movable_ops": ("Is it on an LRU list, or can its driver move it?", "such pages can be migrated"),
    "": ("All else.", "it is in use, and nothing says that it could be moved"),
}
MARKS = {
    "reserved": "PG_reserved",
    "compound": "part of a larger page",
    "hugetlb": "huge",
    "lru": "on an LRU list",
    "movable_ops": "its driver can move it",
    "hwpoison": "poisoned",
    "offline": "PG_offline",
}
SIGNS = {"passes": "✓", "stuck": "✗"}
HEAD = 'gate; its yes means: <i class="mmsim-passes">✓</i>not in the way, <i class="mmsim-stuck">✗</i>in the way'


@dataclass(frozen=True)
class Page:
    """What the tests can know of a page."""

    pfn: int
    zone: str
    label: str
    references: int
    marks: tuple[str, ...]

    def __str__(self) -> str:
        marks = ", ".join(self.marks) or "none"
        where = f"{place(self.pfn)} in ZONE_{self.zone.upper()}, pageblock labelled {self.label}"
        return f"{where}; references: {self.references}; marks: {marks}"


def page(machine: Machine, pfn: int) -> Page:
    """What the tests can know of a page of a machine."""
    k = machine.kernel
    kind, label = k.memmap.kind(pfn), migratetype_names[k.memmap.get_pageblock_migratetype(pfn)]
    marks = tuple(words for name, words in MARKS.items() if getattr(kind, name))
    return Page(pfn, k.page_zone(pfn).name, label, k.page_count(pfn), marks)


def walked(machine: Machine, title: str, pfn: int, walks: Mapping[str, Walk], step: int) -> Gates:
    """The gates of a machine's kernel after so many steps of a page's walks, each under the name of who asks."""
    return Gates(title, f"{page(machine, pfn)}.", gates(machine.kernel.changes), walks, step)


def steps(walks: Mapping[str, Walk]) -> int:
    """How many steps it takes until all walks have ended: a gate each."""
    return max(walk.end for walk in walks.values()) + 1


@dataclass(frozen=True)
class Gates(Figure):
    """The gates, and what those who ask have heard at the first `step` of them. What is to come is not in it."""

    gates: tuple[Gate, ...]
    walks: Mapping[str, Walk]
    step: int

    @property
    def now(self) -> Gate | None:
        """The gate of this step; none before the first."""
        return self.gates[self.step - 1] if self.step else None

    def heard(self, name: str, gate: Gate) -> str:
        """What somebody has heard at a gate so far: no, passes or stuck; nothing where the page has not come to it."""
        walk = self.walks[name]
        if gate.number >= self.step or gate.number not in walk.gates:
            return ""
        return ("stuck" if walk.stuck else "passes") if gate.number == walk.end else "no"

    @property
    def says(self) -> str:
        """The step in a sentence or two."""
        if self.now is None:
            return f"The page stands before gate 0. Of {plural(len(self.gates), 'gate')}, which will decide?"
        here = {name: said for name in self.walks if (said := self.heard(name, self.now))}
        groups = {said: [name for name in here if here[name] == said] for said in dict.fromkeys(here.values())}
        told = [answer(self.now, said, names if len(groups) > 1 else []) for said, names in groups.items()]
        return " ".join([f"Gate {self.now.number}: {words(self.now)[0]}", *told, *self.end()])

    def end(self) -> Iterator[str]:
        """What the whole call gives, when nobody has more to ask."""
        if self.step == steps(self.walks):
            for answer in dict.fromkeys(walk.answer for walk in self.walks.values()):
                found = "finds nothing unmovable" if answer is None else f"returns page {answer:#x}"
                names = [name for name, walk in self.walks.items() if walk.answer == answer]
                who = "" if len(names) == len(self.walks) else f"For {names[0]} "
                yield f"{who or 'So '}has_unmovable_pages() {found}."

    # -- HTML --------------------------------------------------------------------------------------------

    def body(self) -> str:
        """Gates and lanes, and below them the lines of the gate that is asked now."""
        return f'<div class="mmsim-race mmsim-gates">{self.table()}{self.code()}</div>'

    def table(self) -> str:
        """A row for each gate, a column for each who asks."""
        heads = "".join(f'<th scope="col">{self.badge(name)} {breakable(name)}</th>' for name in self.walks)
        rows = "".join(map(self.row, self.gates))
        return f'<table><thead><tr><th scope="col">{HEAD}</th>{heads}</tr></thead><tbody>{rows}</tbody></table>'

    def row(self, gate: Gate) -> str:
        """One gate: what it asks, what a yes means, and what was heard there."""
        asks, _ = words(gate)
        yes = "".join(f'<i class="mmsim-{end}">{sign}</i>' for end, sign in SIGNS.items() if end in gate.ends)
        name = f'<th scope="row"><b class="mmsim-number">{gate.number}</b>{yes} {escape(asks)}</th>'
        cells = "".join(map(lane, (self.heard(name, gate) for name in self.walks)))
        return f'<tr{" class=mmsim-asked" if gate is self.now else ""}>{name}{cells}</tr>'

    def code(self) -> str:
        """The lines of the gate that is asked now, with who ran them, and its comment."""
        if self.now is None:
            return ""
        lines = "".join(self.line(number, text) for number, text in self.now.lines)
        label = f"Gate {self.now.number} in the code"
        return f'<ol class="mmsim-src" translate="no" aria-label="{label}">{lines}</ol>'

    def line(self, number: int, text: str) -> str:
        """One line, with the badges of those for whom it ran in the run."""
        ran = self.ran(number)
        indent = (len(text) - len(text.lstrip())) // 4 - 1
        gutter = f"<span>{''.join(map(self.badge, ran))}</span>" if ran else ""
        kind = "mmsim-said" if is_comment(text) else "mmsim-did" if ran else ""
        return f'<li class="{kind}" style="--i:{indent}">{gutter}<code>{escape(text.strip())}</code></li>'

    def ran(self, number: int) -> list[str]:
        """Those for whom a line ran."""
        return [name for name, walk in self.walks.items() if number in walk.lines]

    def badge(self, name: str) -> str:
        """The letter of somebody who asks, in a shape of its own."""
        kind = dict(zip(self.walks, kinds([*self.walks]), strict=True))[name]
        return f'<b class="mmsim-who {kind}" translate="no" aria-hidden="true">{name[0].upper()}</b>'

    # -- plain text --------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """All of it as lines."""
        return "\n".join(self.plain())

    def plain(self) -> Iterator[str]:
        """The sentence, a line for each gate, and the lines of the one that is asked now."""
        yield self.says
        yield ""
        for gate in self.gates:
            heard = [f"{name}: {said}" for name in self.walks if (said := self.heard(name, gate))]
            yield "  ".join([">" if gate is self.now else " ", str(gate.number), words(gate)[0], *heard])
        for number, text in self.now.lines if self.now else ():
            yield f"{''.join(name[0].upper() for name in self.ran(number)):>4} {text}"


def answer(gate: Gate, said: str, names: Sequence[str]) -> str:
    """What is heard at a gate; by whom, if not by all who ask there."""
    who = f"For {' and '.join(names)} " if names else ""
    if said == "no":
        return f"{who}no." if who else "No."
    end = f"{'yes, ' if gate.test else ''}the page {'passes' if said == 'passes' else 'is unmovable'}"
    return f"{who or end[0].upper()}{end if who else end[1:]}: {words(gate)[1]}."


def words(gate: Gate) -> tuple[str, str]:
    """What a gate asks, and what a yes means; a test that has no words asks its code."""
    return WORDS.get(gate.test, (f"{gate.test}?", "so says the code"))


def lane(said: str) -> str:
    """What somebody has heard at a gate."""
    text = f"{SIGNS.get(said, '')} {said}".strip()
    return f'<td class="mmsim-lane-{said}">{text}</td>' if said else "<td></td>"


def breakable(name: str) -> str:
    """A name that may be broken at its underscores."""
    return escape(name).replace("_", "_<wbr>")
