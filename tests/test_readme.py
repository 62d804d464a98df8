"""The README's example does what its comments say."""

import re
from pathlib import Path

EXAMPLE = re.search(r"```python\n(.*?)```", (Path(__file__).parent.parent / "README.md").read_text(), re.DOTALL)


def test_the_example_is_refused_and_then_panics(capsys):
    exec(compile(EXAMPLE[1], "README.md", "exec"), {})
    refused, *outcomes = capsys.readouterr().out.split("-EPERM\n")
    assert "memory block has holes, MOVABLE not supported" in refused
    assert outcomes[0].count("NULL pointer dereference") == 3


def test_the_example_is_short():
    assert len([line for line in EXAMPLE[1].splitlines() if line.strip()]) <= 10
