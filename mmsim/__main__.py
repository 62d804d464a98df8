"""The command line: `python -m mmsim replay FILE_OR_FOLDER ...`, `trace FILE`, `question ACTION ...`."""

from __future__ import annotations

import argparse
import json
import os
import sys

from mmsim.questions import commands as questions
from mmsim.scenario import Report, ScenarioError, load, replay_file, scenario_files, trace


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 all hold, 1 something diverged, 2 a file is not valid."""
    parser = argparse.ArgumentParser(prog="python -m mmsim", description=__import__("mmsim").__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    replay = commands.add_parser("replay", help="carry out scenario files and compare, step by step",
                                 description="One line a file: ok, or the first step that diverges.")
    replay.add_argument("paths", nargs="+", metavar="FILE_OR_FOLDER", help="a scenario, or a folder of them")
    replay.add_argument("--json", action="store_true", help="the whole comparison, a JSON object a line")
    tracing = commands.add_parser("trace", help="carry out one scenario and print all that happens",
                                  description="Each step, and the events in it: log lines, requests, notifications.")
    tracing.add_argument("file", metavar="FILE", help="a scenario; of several patch sets the first is taken")
    questions.add_to(commands)
    chosen = parser.parse_args(arguments)
    if chosen.command is None:
        parser.print_help()
        return 0
    if chosen.command == "question":
        return questions.run(chosen)
    return trace_file(chosen.file) if chosen.command == "trace" else replay_all(chosen.paths, chosen.json)


def trace_file(file: str) -> int:
    """Print what happens in a scenario; returns the exit status."""
    try:
        scenario = load(file)
        for line in trace(scenario, scenario.patch_sets[0]):
            print(line)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def replay_all(paths: list[str], as_json: bool) -> int:
    """Replay all files, also behind one that is not valid; returns the exit status."""
    status = 0
    files = scenario_files(paths)
    if not files:
        print("no scenario files there", file=sys.stderr)
        return 2
    for file in files:
        try:
            reports = replay_file(file)
        except (ScenarioError, OSError) as error:
            print(error, file=sys.stderr)
            status = 2
            continue
        for line in [json.dumps(r.as_json()) for r in reports] if as_json else [summary(file, reports)]:
            print(line)
        if status == 0 and any(report.differences for report in reports):
            status = 1
    return status


def summary(file: str, reports: list[Report]) -> str:
    """One line: ok, or the first step that diverges."""
    for report in reports:
        if report.differences:
            more = len(report.differences) - 1
            return f"{file}: patches {list(report.patches)}: {report.differences[0]}" + f" (+{more})" * (more > 0)
    return f"{file}: ok"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
