"""What a step of a race did, as facts; and from them, by one table, a headline and the reason in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mmsim.draw.race import kind_of, shown
from mmsim.mm.mmzone import pageblock_nr_pages
from mmsim.sim.log import Event

PAGES_PER_MIB = 256


def place(pfn: int) -> str:
    """Where a pageblock begins."""
    return f"{pfn // PAGES_PER_MIB} MiB"


def places(pfns: Sequence[int]) -> str:
    """Pageblocks that are neighbours, or one."""
    low, high = min(pfns), max(pfns)
    return place(low) if low == high else f"{low // PAGES_PER_MIB} to {place(high + pageblock_nr_pages)}"


@dataclass(frozen=True)
class Facts:
    """What is known of a step.

    who: its task; pfn: what it called the function for; owner: who had isolated that before ("" if nobody had);
    result: what the function gave, None if it has not ended; early: it returned from below the lock; movable: is it
    about ZONE_MOVABLE; warned_before: has the race warned before; between: the task that is between two pageblocks
    now, without a lock; errno: how the task's whole path has ended, None if it has not; waits: for which lock.
    """

    who: str
    events: tuple[Event, ...]
    said: tuple[str, ...]
    pfn: int | None
    owner: str
    result: object
    early: bool
    movable: bool
    warned_before: bool
    between: str
    errno: str | None
    waits: str

    def of(self, kind: str) -> list[Event]:
        """The events of a kind; `isolate` and `undo` are told apart."""
        return [event for event in self.events if kind_of(event) == kind]

    def pfns(self, kind: str) -> list[int]:
        """The pageblocks that were isolated, or given back."""
        return [event.data for event in self.of(kind) if isinstance(event.data, int)]

    @property
    def busy(self) -> bool:
        """Did the function refuse the pageblock?"""
        return isinstance(self.result, int) and self.result < 0

    @property
    def lost(self) -> bool:
        """Did somebody else have the pageblock?"""
        return bool(self.owner) and (self.busy or bool(self.of("panic")))

    @property
    def here(self) -> str:
        """The pageblock that the function was called for."""
        return place(self.pfn or 0)

    @property
    def won(self) -> str:
        """The pageblocks isolated."""
        return places(self.pfns("isolate"))

    @property
    def back(self) -> str:
        """The pageblocks given back."""
        return places(self.pfns("undo"))

    @property
    def panic(self) -> str:
        """What stopped the machine."""
        return self.of("panic")[0].text

    @property
    def end(self) -> str:
        """What the task's path returned."""
        return shown(self.errno)

    @property
    def why_quiet(self) -> str:
        """Why a lost race was not warned about."""
        if not self.movable:
            return "the zone isn't `ZONE_MOVABLE`, so there is no warning"
        return "this place has warned once since boot, so not again" if self.warned_before else "nothing warns"

    @property
    def dump(self) -> str:
        """What became of `dump_page()` after a lost race."""
        return "and `dump_page()` is called with it." if self.of("dump") else "no dump."

    @property
    def things(self) -> str:
        """All that it did, in some words."""
        return "; ".join(dict.fromkeys(self.said))


Rule = tuple[Callable[[Facts], object], str, str]

# A fact, the headline and the reason where it holds; the first one that does is told.
RULES: tuple[Rule, ...] = (
    (lambda f: f.of("panic") and "panic_on_warn" in f.panic,
     "{f.who} warns, and the machine stops", "It was booted with `panic_on_warn=1`: a warning is a panic."),
    (lambda f: f.of("panic") and f.lost,
     "{f.who} finds {f.here} isolated, and crashes",
     "`unmovable` is `None`, and `dump_page()` is called with it: it dereferences `NULL`."),
    (lambda f: f.of("panic"), "{f.who} stops the machine", "{f.panic}."),
    (lambda f: f.lost and f.early,
     "{f.who} finds {f.here} isolated, and leaves",
     "{f.here} is isolated already by {f.owner}: it returns at once. Nothing was looked at, so nothing is reported."),
    (lambda f: f.lost and f.of("warn"),
     "{f.who} finds {f.here} isolated, and warns",
     "{f.here} is isolated already: `ret` keeps `-EBUSY`, so it warns. `unmovable` keeps `None`: {f.dump}"),
    (lambda f: f.lost,
     "{f.who} finds {f.here} isolated",
     "{f.here} is isolated already: `ret` keeps `-EBUSY`; {f.why_quiet}. `unmovable` keeps `None`: {f.dump}"),
    (lambda f: f.busy and f.of("dump"),
     "{f.who} finds an unmovable page at {f.here}",
     "`unmovable` is a page: `ret` keeps `-EBUSY`, and `dump_page()` says which page it is."),
    (lambda f: f.busy,
     "{f.who} finds an unmovable page at {f.here}",
     "`unmovable` is a page: `ret` keeps `-EBUSY`. Without `REPORT_FAILURE` the page isn't dumped."),
    (lambda f: len(f.pfns("isolate")) > 1,
     "{f.who} isolates {f.won}",
     "Each pageblock is taken under `zone.lock` by itself: between two of them {f.who} holds no lock."),
    (lambda f: f.of("isolate") and f.between,
     "{f.who} isolates {f.won}",
     "Between two pageblocks {f.between} holds no lock: {f.who} slips in."),
    (lambda f: f.of("isolate"),
     "{f.who} isolates {f.won}",
     "Nobody had isolated {f.won}, and nothing unmovable is in there: under `zone.lock` it gets the label."),
    (lambda f: f.of("undo") and f.errno not in (None, "0"),
     "{f.who} gives {f.back} back, and fails",
     "It undoes only what it has isolated itself, and returns `{f.end}`."),
    (lambda f: f.of("undo"),
     "{f.who} gives {f.back} back", "It undoes what it has isolated itself."),
    (lambda f: f.errno not in (None, "0"), "{f.who} fails", "In this step: {f.things}."),
    (lambda f: f.errno == "0" and f.result == 0,
     "{f.who} is done", "Every pageblock of its range is isolated: it returns 0."),
    (lambda f: f.errno == "0", "{f.who} is done", "In this step: {f.things}."),
    (lambda f: f.waits, "{f.who} waits", "`{f.waits}` is taken: it sleeps until it is given back."),
    (lambda f: f.result == 0 and f.of("drain"),
     "{f.who} has {f.here}, and goes on",
     "The pages on the per-CPU lists of {f.here} are drained, `ret` is 0: on to the next pageblock, without a lock."),
    (lambda f: True, "{f.who} goes on", "In this step: {f.things}."),
)  # fmt: skip


def told(facts: Facts) -> tuple[str, str]:
    """Headline and reason of a step."""
    for holds, headline, reason in RULES:
        if holds(facts):
            return headline.format(f=facts), reason.format(f=facts)
    raise AssertionError("the last rule always holds")
