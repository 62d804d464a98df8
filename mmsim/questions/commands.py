"""The command line's part on questions: `python -m mmsim question list|show|check|hint|solve`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from mmsim.questions.answers import SURE
from mmsim.questions.problems import problem
from mmsim.questions.questions import check, hint, names, solve

ABOUT = {
    "list": "the names of all questions, or of a chapter's",
    "show": "a question, as it is asked",
    "check": "what the run says to an answer; exit status 0: right, 1: not right, 2: not understood",
    "hint": "the hint of a question",
    "solve": "the model's answer",
}


def add_to(commands: Any) -> None:
    """Add the command `question` to the command line's parser."""
    question = commands.add_parser("question", help="ask the book's questions, check an answer by running it",
                                   description="The questions of the book; what is right is what the run says.")
    actions = question.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, about in ABOUT.items():
        parser = actions.add_parser(action, help=about, description=about)
        if action == "list":
            parser.add_argument("chapter", nargs="?", default="", metavar="CHAPTER", help="such as patch1")
        else:
            parser.add_argument("name", metavar="NAME", help="such as patch1/late-loser")
        if action not in ("list", "hint"):
            parser.add_argument("--seed", type=int, default=0, metavar="N", help="another variant (0: the book's own)")
        parser.add_argument("--json", action="store_true", help="the same as plain data")
        if action == "check":
            parser.add_argument("--answer", action="append", default=[], metavar="FIELD=VALUE",
                                help="what you say in a field; FIELD=@FILE takes it from a file. Once for each field")
            parser.add_argument("--sure", choices=SURE, default="", help="how sure you are")


def run(chosen: argparse.Namespace) -> int:
    """Do what was chosen; returns the exit status: 0, 1 for an answer that isn't right, 2 for bad input."""
    try:
        return ACTIONS[chosen.action](chosen)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def say(chosen: argparse.Namespace, text: object, data: Any) -> None:
    """Print text, or with --json the data."""
    print(json.dumps(data, ensure_ascii=False) if chosen.json else text)


def list_all(chosen: argparse.Namespace) -> int:
    """Names, minutes and titles."""
    found = names(chosen.chapter)
    shown = [problem(name) for name in found] if not chosen.json else []
    lines = [f"{p.name:28} {p.kind:8} {p.minutes:2} min  {p.title}" for p in shown]
    say(chosen, "\n".join(lines), found)
    return 0


def show(chosen: argparse.Namespace) -> int:
    """A question, as it is asked, and how to answer it."""
    asked = problem(chosen.name, chosen.seed)
    fields = " ".join(f"--answer {field.name}=…" for field in asked.fields)
    seed = f" --seed {chosen.seed}" if chosen.seed else ""
    say(chosen, f"{asked}\n\nAnswer with: python -m mmsim question check {asked.name}{seed} {fields}", asked.as_json())
    return 0


def check_one(chosen: argparse.Namespace) -> int:
    """The verdict on an answer."""
    answer = dict(map(said, chosen.answer))
    verdict = check(chosen.name, answer | ({"sure": chosen.sure} if chosen.sure else {}), chosen.seed)
    say(chosen, verdict, verdict.as_json())
    return 2 if verdict.state == "invalid" else 0 if verdict.right else 1


def said(text: str) -> tuple[str, str]:
    """The field and the answer of `FIELD=VALUE`, or of `FIELD=@FILE`. Raises ValueError and OSError."""
    field, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--answer {text}: expected FIELD=VALUE")
    if value.startswith("@"):
        with open(value[1:], encoding="utf-8") as file:
            value = file.read()
    return field, value


def give_hint(chosen: argparse.Namespace) -> int:
    """The hint."""
    text = hint(chosen.name)
    say(chosen, text, {"name": chosen.name, "hint": text})
    return 0


def solve_one(chosen: argparse.Namespace) -> int:
    """The model's answer."""
    solution = solve(chosen.name, chosen.seed)
    say(chosen, solution, solution.as_json())
    return 0


ACTIONS = {"list": list_all, "show": show, "check": check_one, "hint": give_hint, "solve": solve_one}
