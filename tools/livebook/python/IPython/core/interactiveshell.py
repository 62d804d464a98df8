"""The shell that libraries ask for: it formats and publishes, and the page's kernel does the rest."""

from __future__ import annotations

import sys

import livebook_magics
from IPython.core.events import EventManager, available_events
from IPython.core.formatters import DisplayFormatter
from traitlets import Any
from traitlets.config.configurable import SingletonConfigurable


class InteractiveShell(SingletonConfigurable):
    """Its `display_pub` and `kernel` are the kernel that makes it."""

    display_formatter = Any()
    display_pub = Any()
    events = Any()
    kernel = Any()
    user_ns = Any()
    run_line_magic = staticmethod(livebook_magics.run_line_magic)
    run_cell_magic = staticmethod(livebook_magics.run_cell_magic)
    system = getoutput = staticmethod(livebook_magics.system)

    def _display_formatter_default(self) -> DisplayFormatter:
        return DisplayFormatter(parent=self)

    def showtraceback(self, *ignored: object, **keys: object) -> None:
        """Show the error that is being handled: what a widget calls has failed."""
        self.kernel.show_error(sys.exception())

    def _events_default(self) -> EventManager:
        return EventManager(self, available_events)
