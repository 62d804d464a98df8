"""Scenario files: `format`, `checks` and `rules` say what they are, `replay` carries them out, `compare` compares."""

from mmsim.scenario.checks import ScenarioError
from mmsim.scenario.format import Scenario, load, parse
from mmsim.scenario.replay import Report, carry_out, racer, replay, replay_file, scenario_files, trace

__all__ = [
    "Report", "Scenario", "ScenarioError", "carry_out", "load", "parse", "racer", "replay", "replay_file",
    "scenario_files", "trace",
]  # fmt: skip
