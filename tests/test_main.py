"""The command line: what it prints, where, and its exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmsim.__main__ import main

ROOT = Path(__file__).parent.parent
GOOD = {"format": "mmsim-scenario/1", "title": "t", "source": "derived",
        "machine": {"boot_memory": "128M", "zone_of": []}, "steps": [{"do": "isolate", "start": 0, "end": 512}]}
EXPECT = {"drains": 7, "warns": 1, "errno": "EIO"}
WRONG = {**GOOD, "steps": [{**GOOD["steps"][0], "expect": EXPECT}]}
BROKEN = {**GOOD, "steps": [{"do": "jump"}]}
IMPOSSIBLE = {**GOOD, "steps": [{"do": "isolate", "start": 1, "end": 512}]}


@pytest.fixture
def file(tmp_path):
    """Write a scenario; returns its path."""

    def write(document, name="s.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return str(path)

    return write


def test_a_scenario_that_holds(file, capsys):
    path = file(GOOD)
    assert main(["replay", path]) == 0
    assert capsys.readouterr() == (f"{path}: ok\n", "")


def test_a_scenario_that_diverges_is_one_line(file, capsys):
    path = file(WRONG)
    assert main(["replay", path]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    (line,) = out.splitlines()
    assert line.startswith(f"{path}: patches [1, 2, 3, 4, 5, 6]: $.steps[0].expect.")
    assert line.endswith(" (+2)")


@pytest.mark.parametrize(("document", "message"), [
    (BROKEN, "$.steps[0].do: expected"),
    (IMPOSSIBLE, "$.steps[0]: expected something that can be done, found misaligned pfn 1"),
    ("{", "line 1, column 2: expected JSON"),
    ("[]", "$: expected an object"),
    ({**GOOD, "extra": 1}, "$.extra: expected one of the keys"),
])
def test_a_file_that_is_no_scenario(file, capsys, document, message):
    path = file(document)
    assert main(["replay", path]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{path}: {message}")
    assert err.count("\n") == 1


def test_a_missing_file(tmp_path, capsys):
    assert main(["replay", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err


def test_an_empty_folder(tmp_path, capsys):
    assert main(["replay", str(tmp_path)]) == 2
    assert capsys.readouterr() == ("", "no scenario files there\n")


def test_a_folder_is_searched_below(file, tmp_path, capsys):
    paths = [file(GOOD, "a/x.json"), file(GOOD, "b.json")]
    assert main(["replay", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "".join(f"{path}: ok\n" for path in paths)


@pytest.mark.parametrize(("documents", "status"), [
    ((GOOD, GOOD), 0), ((GOOD, WRONG), 1), ((WRONG, GOOD), 1), ((WRONG, BROKEN), 2), ((BROKEN, WRONG), 2),
    ((BROKEN, GOOD), 2)])
def test_all_files_are_replayed_and_the_worst_counts(file, capsys, documents, status):
    paths = [file(document, f"{i}.json") for i, document in enumerate(documents)]
    assert main(["replay", *paths]) == status
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == sum(document is not BROKEN for document in documents)
    assert len(err.splitlines()) == documents.count(BROKEN)


def test_json_has_an_object_a_line_for_each_patch_set(file, capsys):
    document = {**WRONG, "for_patches": [[], [1, 2]]}
    assert main(["replay", "--json", file(document), file(GOOD, "good.json")]) == 1
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(Path(o["file"]).name, o["patches"], o["ok"], len(o["differences"])) for o in objects] == [
        ("s.json", [], False, 3), ("s.json", [1, 2], False, 3), ("good.json", [1, 2, 3, 4, 5, 6], True, 0)]
    assert {"path": "$.steps[0].expect.drains", "expected": 7, "found": 1} in objects[0]["differences"]


def test_a_broken_file_under_json_leaves_the_output_valid(file, capsys):
    assert main(["replay", "--json", file(BROKEN), file(GOOD, "good.json")]) == 2
    out, err = capsys.readouterr()
    assert [json.loads(line)["ok"] for line in out.splitlines()] == [True]
    assert "$.steps[0].do" in err


def test_without_arguments_help_is_printed(capsys):
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert "replay" in out
    assert err == ""


@pytest.mark.parametrize("arguments", [["--help"], ["replay", "--help"]])
def test_help(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    assert "usage: python -m mmsim" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["replay"], ["nothing"], ["replay", "--nothing", "x"]])
def test_bad_usage(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().out == ""


def run(*arguments, **keys):
    return subprocess.Popen([sys.executable, "-m", "mmsim", *arguments], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keys)


def test_it_runs_as_a_module(file):
    process = run("replay", file(WRONG))
    out, err = process.communicate()
    assert (process.returncode, err) == (1, "")
    assert "$.steps[0].expect" in out


@pytest.mark.skipif(os.name == "nt", reason="there are no broken pipes")
def test_a_reader_that_has_seen_enough_gets_no_traceback(file, tmp_path):
    for i in range(2000):
        file(GOOD, f"{i}.json")
    process = run("replay", "--json", *[str(tmp_path)] * 3)
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 1


def test_trace_prints_each_step_and_what_happened_in_it(file, capsys):
    assert main(["trace", file(GOOD)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "0: isolate start=0 end=512"
    assert any("pageblock 0x0: Isolate" in line for line in out)
    assert out[-1] == "   -> 0"


@pytest.mark.parametrize("document", [BROKEN, IMPOSSIBLE])
def test_trace_of_what_can_not_be_done(file, capsys, document):
    assert main(["trace", file(document)]) == 2
    assert capsys.readouterr().err
