"""traitlets.config in a page: command lines and the set-up of logging are loaded only for who asks for them."""

from importlib import import_module


def __getattr__(name: str) -> object:
    for module in ("configurable", "loader", "application"):
        found = vars(import_module(f"traitlets.config.{module}"))
        if name in found:
            return found[name]
    raise AttributeError(f"module 'traitlets.config' has no attribute {name!r}")
