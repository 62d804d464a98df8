"""How a call on a machine ends: with an errno, as an `OSError` or as a `Result`, or with a panic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, NoReturn, ParamSpec, Protocol, TypeVar

from mmsim.sim import errnos
from mmsim.sim.cpu import ENDLESS
from mmsim.sim.log import Event, KernelPanic, Trace
from mmsim.sim.shown import Shown

P = ParamSpec("P")
R = TypeVar("R")


class Traced(Protocol):
    """What has a trace, and may have panicked."""

    @property
    def trace(self) -> Trace:
        """Everything that has happened."""


M = TypeVar("M", bound=Traced)


def running(method: Callable[Concatenate[M, P], R]) -> Callable[Concatenate[M, P], R]:
    """A call from outside that only a running machine can answer: raises KernelPanic when it has panicked."""

    @wraps(method)
    def checked(machine: M, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if machine.trace.panicked is not None:
            raise KernelPanic(f"the machine has panicked: {machine.trace.panicked}")
        machine.trace.begin_step()
        return method(machine, *args, **kwargs)

    return checked


@dataclass(frozen=True)
class Result(Shown):
    """How one call ended: the errno's name (`"0"` for success), what it returned, and what happened in it."""

    errno: str
    value: Any = None
    panic: str | None = None
    events: tuple[Event, ...] = ()

    @property
    def log(self) -> list[str]:
        """The lines of the kernel log."""
        return [e.text for e in self.events if e.logged]

    @property
    def end(self) -> str:
        """`ok`, an errno as the kernel returns it, or `kernel panic`."""
        return "kernel panic" if self.panic else f"-{self.errno}" if self.errno != "0" else "ok"

    def __str__(self) -> str:
        return "\n".join([*(str(e) for e in self.events if e.logged), self.end])

    def __repr__(self) -> str:
        lines = len(self.log)
        return f"<Result: {self.end}; {lines} line{'' if lines == 1 else 's'} logged>"


def raise_errno(number: int, what: str, endless: bool = False) -> NoReturn:
    """Raise OSError as Python on Linux would for a system call that failed so, whatever system this runs on.

    The number is Linux's too, so its name is `mmsim.sim.errnos.errorcode[error.errno]`: Python's own
    `errno.errorcode` is the host's table, and in a browser that is another one.
    """
    raise errnos.os_error(number, ENDLESS if endless else errnos.messages[number], what)
