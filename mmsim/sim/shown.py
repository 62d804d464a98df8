"""How a machine, and what it returns, draws itself in a notebook."""

from __future__ import annotations


class Shown:
    """What has a picture. It is looked up when a notebook asks for it: the library below knows nothing of drawing."""

    def _repr_html_(self) -> str:
        from mmsim.draw.shown import picture

        return picture(self).html()
