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
    now, without the zone's lock; errno: how the task's whole path has ended, None if it has not; waits: for which lock;
    took: the mutex that it has had since these moves; refused: the pageblocks refused in them; code: the lines of the
    function.
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
    took: str = ""
    refused: tuple[int, ...] = ()
    code: tuple[str, ...] = ()

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
        if not self.has("warn_on_once"):
            return "no line is there that warns"
        if not self.movable:
            return "the zone isn't `ZONE_MOVABLE`, so there is no warning"
        return "this place has warned once since boot, so not again" if self.warned_before else "nothing warns"

    def has(self, *words: str) -> bool:
        """Is there a line in the function with all these words?"""
        return any(all(word in line for word in words) for line in self.code)

    @property
    def keeps(self) -> str:
        """What stands before an errno that the function returns."""
        return "`ret` keeps" if self.has("return ret") else "it returns"

    @property
    def sets(self) -> str:
        """What stands before a 0 that the function returns."""
        return "`ret` is" if self.has("return ret") else "it returns"

    @property
    def dump(self) -> str:
        """What became of `dump_page()` after a lost race."""
        if self.of("dump"):
            return "and `dump_page()` is called with it."
        asked = self.has("REPORT_FAILURE", "unmovable")
        return "no dump." if asked else "no dump, but only since nobody has set `REPORT_FAILURE`."

    def text(self, *kinds: str) -> str:
        """What the events of these kinds say."""
        return "; ".join(event.text for event in self.events if event.kind in kinds)

    @property
    def tries(self) -> int:
        """How many times the function refused."""
        return len(self.refused)

    @property
    def range(self) -> str:
        """The pageblocks refused, in the order in which they were."""
        return f"from {place(self.refused[0])} to {place(self.refused[-1])}"

    @property
    def requests(self) -> str:
        """What was asked of the device: the request, its block, its first subblock, and how many."""
        return self.text("request")

    @property
    def retry(self) -> str:
        """What the driver's timer was set for."""
        return self.text("timer").partition(", ")[2]

    @property
    def block(self) -> str:
        """The memory block that is going online or offline, or has."""
        return self.text("state").partition(":")[0]

    @property
    def things(self) -> str:
        """All that it did, in some words."""
        return "; ".join(dict.fromkeys(self.said))


Rule = tuple[Callable[[Facts], object], str, str]

# A fact, the headline and the reason where it holds; the first one that does is told.
RULES: tuple[Rule, ...] = (
    (lambda f: f.of("panic") and "panic_on_warn" in f.panic,
     "{f.who} warns, and the machine stops", "It was booted with `panic_on_warn=1`: a warning is a panic."),
    (lambda f: f.of("panic") and f.lost and f.of("dump"),
     "{f.who} finds {f.here} isolated, and crashes",
     "`unmovable` is `None`, and `dump_page()` is called with it: it dereferences `NULL`."),
    (lambda f: f.of("panic"), "{f.who} stops the machine", "{f.panic}."),
    (lambda f: f.of("timer") and f.lost,
     "{f.who} gets nothing, and sets its timer",
     "{f.here} was the last that it could try, and is isolated already by {f.owner}, too: it {f.retry}."),
    (lambda f: f.lost and len(f.refused) > 1,
     "{f.who} finds one after the other isolated",
     "It tries {f.tries} times, {f.range}: each time it finds a pageblock of {f.owner}, leaves it, and goes on."),
    (lambda f: f.lost and f.early,
     "{f.who} finds {f.here} isolated, and leaves",
     "{f.here} is isolated already by {f.owner}: it returns at once. Nothing was looked at, so nothing is reported."),
    (lambda f: f.lost and f.of("warn"),
     "{f.who} finds {f.here} isolated, and warns",
     "{f.here} is isolated already: {f.keeps} `-EBUSY`, so it warns. `unmovable` keeps `None`: {f.dump}"),
    (lambda f: f.lost,
     "{f.who} finds {f.here} isolated",
     "{f.here} is isolated already: {f.keeps} `-EBUSY`; {f.why_quiet}. `unmovable` keeps `None`: {f.dump}"),
    (lambda f: f.busy and f.of("dump"),
     "{f.who} finds an unmovable page at {f.here}",
     "`unmovable` is a page: {f.keeps} `-EBUSY`, and `dump_page()` says which page it is."),
    (lambda f: f.busy,
     "{f.who} finds an unmovable page at {f.here}",
     "`unmovable` is a page: {f.keeps} `-EBUSY`. Without `REPORT_FAILURE` the page isn't dumped."),
    (lambda f: len(f.pfns("isolate")) > 1,
     "{f.who} isolates {f.won}",
     "Each pageblock is taken under `zone.lock` by itself: between two of them {f.who} doesn't hold it."),
    (lambda f: f.of("isolate") and f.between,
     "{f.who} isolates {f.won}",
     "Between two pageblocks {f.between} doesn't hold `zone.lock`: {f.who} slips in."),
    (lambda f: f.of("isolate"),
     "{f.who} isolates {f.won}",
     "Nobody had isolated {f.won}, and nothing unmovable is in there: under `zone.lock` it gets the label."),
    (lambda f: f.of("undo") and f.errno not in (None, "0"),
     "{f.who} gives {f.back} back, and fails",
     "It undoes only what it has isolated itself, and returns `{f.end}`."),
    (lambda f: f.of("undo"),
     "{f.who} gives {f.back} back", "It takes the label off again that it has put there itself."),
    (lambda f: f.errno not in (None, "0"), "{f.who} fails", "In this step: {f.things}."),
    (lambda f: f.errno == "0" and f.result == 0,
     "{f.who} is done", "Every pageblock of its range is isolated: it returns 0."),
    (lambda f: f.errno == "0" and f.of("zone"),
     "{f.who} is done", "{f.block} is offline: its pages belong to no zone any more. It returns 0."),
    (lambda f: f.errno == "0" and not f.events, "{f.who} is done", "It has said what it wants, and returns 0."),
    (lambda f: f.errno == "0", "{f.who} is done", "In this step: {f.things}."),
    (lambda f: f.requests,
     "{f.who} asks the device",
     "`{f.requests}`: the memory block, its first subblock, and how many. The guest no longer uses them."),
    (lambda f: f.of("timer"), "{f.who} sets its timer", "Not all could be had: it {f.retry}."),
    (lambda f: "MEM_GOING_OFFLINE" in f.text("notify") and f.result is None,
     "{f.who} asks whether anybody objects",
     "All its pageblocks are isolated. Now each notifier hears `MEM_GOING_OFFLINE`, virtio-mem's driver too."),
    (lambda f: f.waits, "{f.who} waits", "`{f.waits}` is taken: it sleeps until it is given back."),
    (lambda f: "Offlined Pages" in f.text("printk"),
     "{f.who} takes the pages", "All that could be moved has gone elsewhere: the pages leave the allocator."),
    (lambda f: "requested size" in f.text("printk"),
     "{f.who} wakes", "The host wants another size: it reads how much is plugged, and how much is requested."),
    (lambda f: f.of("state"), "{f.who} begins", "{f.block} is on its way, and nothing is isolated yet."),
    (lambda f: f.took, "{f.who} takes {f.took}", "Whoever wants it now sleeps until it is given back."),
    (lambda f: f.result == 0 and f.of("drain"),
     "{f.who} has {f.here}, and goes on",
     "The pages on the per-CPU lists of {f.here} are drained, {f.sets} 0: on to the next pageblock, without a lock."),
    (lambda f: not f.events, "{f.who} goes on", "Nothing is to be seen in this step."),
    (lambda f: True, "{f.who} goes on", "In this step: {f.things}."),
)  # fmt: skip


def told(facts: Facts) -> tuple[str, str]:
    """Headline and reason of a step."""
    for holds, headline, reason in RULES:
        if holds(facts):
            return headline.format(f=facts), reason.format(f=facts)
    raise AssertionError("the last rule always holds")
