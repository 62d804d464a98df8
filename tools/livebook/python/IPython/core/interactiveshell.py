"""The shell that libraries ask for: it formats and publishes, and the page's kernel does the rest."""

from __future__ import annotations

from IPython.core.formatters import DisplayFormatter
from traitlets import Any
from traitlets.config.configurable import SingletonConfigurable


class InteractiveShell(SingletonConfigurable):
    """Its `display_pub` and `kernel` are the kernel that makes it."""

    display_formatter = Any()
    display_pub = Any()
    kernel = Any()
    user_ns = Any()

    def _display_formatter_default(self) -> DisplayFormatter:
        return DisplayFormatter(parent=self)
