"""The README's example does what its comments say, and the commands that are told to readers are there."""

import re
import shlex
from pathlib import Path

import pytest

from mmsim import questions
from mmsim.__main__ import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```python\n(.*?)```", README, re.DOTALL)
QUESTION = re.compile(r"`[^`]*python -m mmsim (question [^`]*)`")


def test_the_example_is_refused_and_then_panics(capsys):
    exec(compile(EXAMPLE[1], "README.md", "exec"), {})
    refused, *outcomes = capsys.readouterr().out.split("-EPERM\n")
    assert "memory block has holes, MOVABLE not supported" in refused
    assert outcomes[0].count("NULL pointer dereference") == 3


def test_the_example_is_short():
    assert len([line for line in EXAMPLE[1].splitlines() if line.strip()]) <= 10


@pytest.mark.parametrize("command", QUESTION.findall(README) + QUESTION.findall(CONTRIBUTING))
def test_the_commands_for_questions_are_there(command, capsys):
    name = questions.names()[0]
    assert main(shlex.split(re.sub(r"CHAPTER/SLUG|NAME", name, command))) == 0
    assert name in capsys.readouterr().out


def test_readers_and_writers_are_told_of_questions():
    assert "question list" in QUESTION.findall(README)
    assert [command for command in QUESTION.findall(CONTRIBUTING) if command.startswith("question show")]
