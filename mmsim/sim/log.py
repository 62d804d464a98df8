"""The kernel log and the event trace: one list of events, which pictures and widgets replay.

Everything a reader can see happens as an `Event`: a line of the kernel log (`printk`), a WARN, a
dumped page, a notification, a request to the device, migrated pages. Models kernel/printk/printk.c,
kernel/panic.c and lib/ratelimit.c, v5.8, as far as they can be seen from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

RATELIMIT_INTERVAL = 5  # seconds
RATELIMIT_BURST = 10


class KernelPanic(Exception):
    """The modelled kernel has stopped: a BUG(), a NULL dereference, or a WARN under panic_on_warn."""


class Event(NamedTuple):
    """One thing that happened.

    time is simulated, in seconds since boot; cpu is the number of the CPU; kind is `printk`, `warn`,
    `dump`, `panic`, `notify`, `veto`, `request`, `timer`, `migrate`, `test`, `drain`, `isolate`, `state` or `zone`;
    text says it to a person; data says it to a program (for `printk`: the level).
    """

    time: float
    cpu: int
    kind: str
    text: str
    data: object = None

    @property
    def logged(self) -> bool:
        """Is it a line of the kernel log? pr_debug is not, on an ordinary kernel."""
        return self.kind == "printk" and self.data != "debug"

    def __str__(self) -> str:
        return f"[{self.time:12.6f}] {self.text}"


@dataclass
class RateLimit:
    """struct ratelimit_state: when the present window began (in seconds), how often it was printed and left out."""

    begin: float = -inf
    printed: int = 0
    missed: int = 0


def nobody(key: Hashable) -> None:
    """Told of an event when nobody wants to know."""


class Trace:
    """All events since boot, in order. `time` (seconds) and `cpu` stamp the next event."""

    def __init__(self, panic_on_warn: bool = False) -> None:
        self.events: list[Event] = []
        self.time = 0.0
        self.cpu = 0
        self.panic_on_warn = panic_on_warn
        self.warned: set[str] = set()
        self.limits: dict[tuple[str, str], RateLimit] = {}
        self.panicked: str | None = None
        # Told of every key of shared state that an event depends on; see cpu.Task.writes.
        self.writes: Callable[[Hashable], None] = nobody

    def __len__(self) -> int:
        return len(self.events)

    def since(self, mark: int, *kinds: str) -> Iterator[Event]:
        """The events from number `mark` on, of these kinds (of all kinds if none is named)."""
        return (event for event in self.events[mark:] if not kinds or event.kind in kinds)

    def emit(self, kind: str, text: str, data: object = None) -> None:
        """Add an event, stamped with the simulated time and the CPU."""
        self.events.append(Event(self.time, self.cpu, kind, text, data))

    def printk(self, text: str, level: str = "info") -> None:
        """A line for the kernel log. Level `debug` is pr_debug: in the trace, but not in the log."""
        self.writes("log")
        self.emit("printk", text, level)

    def ratelimit(self, function: str, place: str = "") -> bool:
        """__ratelimit(): may this be printed? Ten times in 5 seconds, for each place of a function.

        The first call of a later window says in the log how many calls the earlier one left out.
        """
        self.writes("log")  # also if nothing is printed: that depends on who printed before
        limit = self.limits.setdefault((function, place), RateLimit())
        if self.time > limit.begin + RATELIMIT_INTERVAL:
            if limit.missed:
                self.printk(f"{function}: {limit.missed} callbacks suppressed", "warning")
            limit.begin, limit.printed, limit.missed = self.time, 0, 0
        allowed = limit.printed < RATELIMIT_BURST
        limit.printed += allowed
        limit.missed += not allowed
        return allowed

    def begin_step(self) -> None:
        """A call from outside begins: simulated time stands still inside one, so that it passes between two."""
        for limit in self.limits.values():
            limit.begin = -inf

    def lines(self, mark: int = 0) -> list[str]:
        """The kernel log from event number `mark` on, as dmesg prints it, without the time stamps."""
        return [e.text for e in self.since(mark) if e.logged]

    def dmesg(self, mark: int = 0) -> str:
        """The kernel log from event number `mark` on, each line with its time stamp in seconds."""
        return "\n".join(str(e) for e in self.since(mark) if e.logged)

    def warn(self, where: str, text: str = "") -> None:
        """WARN(): a report with a place, and a panic if the machine was booted with panic_on_warn=1."""
        self.printk("------------[ cut here ]------------", "warning")
        if text:
            self.printk(text, "warning")
        self.printk(f"WARNING: CPU: {self.cpu} PID: {53 + self.cpu} at {where}", "warning")
        self.emit("warn", where)
        if self.panic_on_warn:
            self.panic("panic_on_warn set ...")
        self.printk("---[ end trace ]---", "warning")

    def warn_on_once(self, condition: bool, where: str) -> None:
        """WARN_ON_ONCE(): one warning a boot for each place, whatever the cause."""
        if condition:
            self.writes("warned")
            if where not in self.warned:
                self.warned.add(where)
                self.warn(where)

    def panic(self, text: str) -> None:
        """Stop the machine for good. Raises `KernelPanic`."""
        self.printk(f"Kernel panic - not syncing: {text}", "emerg")
        self.emit("panic", text)
        self.panicked = text
        raise KernelPanic(text)

    def null_dereference(self, function: str) -> None:
        """An access through a NULL page pointer: an oops, which is a panic here."""
        self.printk("BUG: kernel NULL pointer dereference", "alert")
        self.printk(f"RIP: 0010:{function}", "alert")
        self.panic(f"BUG: kernel NULL pointer dereference in {function}")

    def bug_on(self, condition: bool, where: str) -> None:
        """BUG_ON(): the model's kernel met a state that it holds to be impossible."""
        if condition:
            self.printk(f"kernel BUG at {where}!", "emerg")
            self.panic(f"Fatal exception: BUG at {where}")
