"""Every scenario holds; and a scenario that does not hold is noticed, whatever it is that is expected wrongly."""

import copy
import json
import sys
from pathlib import Path

import pytest

from mmsim.scenario import ScenarioError, load, parse, replay, replay_file, scenario_files
from mmsim.scenario.compare import compare

FOLDER = Path(__file__).parent / "scenarios"
FILES = {str(file.relative_to(FOLDER)): file for file in sorted(FOLDER.rglob("*.json"))}
replaying = sys.modules["mmsim.scenario.replay"]  # the module, not the function that hides it


def differences(file):
    return [str(d) for report in replay_file(file) for d in report.differences]


@pytest.mark.parametrize("name", FILES)
def test_the_scenario_holds(name):
    assert differences(FILES[name]) == []


# -- what is expected wrongly is noticed -----------------------------------------------------------------


def other_number(value):
    """A number, or bounds, that this one is not."""
    if isinstance(value, dict):
        return {"min": value["max"] + 1} if "max" in value else {"max": value["min"] - 1}
    return value + 1


def other_word(value, *words):
    return next(word for word in words if word != value)


def wrong_values(key, value):
    """Expectations under one key that can't hold where `value` does."""
    if key == "errno":
        if isinstance(value, list):
            return [[*value[:i], other_word(one, "EBUSY", "0"), *value[i + 1 :]] for i, one in enumerate(value)]
        return [other_word(value, "EBUSY", "0")]
    if key in ("plugged", "requested", "warns", "drains", "migrated"):
        return [other_number(value)]
    if key in ("blocks", "valid_zones", "pageblocks", "nr_isolate", "notified", "states", "subblocks"):
        return [{k: other(key, v)} for k, v in value.items()]
    if key in ("zones", "driver"):
        return [{k: bad} for k, v in value.items() for bad in (wrong_zone(v) if key == "zones" else wrong_values(k, v))]
    if key == "log":
        return [["no such line"], *([piece, "no such line"] for piece in value)]
    if key == "dumped":
        return [[*value, 1], value[1:]] if value else [[1], [None]]
    if key == "requests":
        return [[*value, "UNPLUG_ALL"], value[1:]] if value else [["UNPLUG_ALL"]]
    if key in ("text", "panic_text"):
        return [value + " and more"]
    if key in ("panic", "broken"):
        return [not value]
    if key == "rc":
        return [other_word(value, "EPERM", "0")]
    if key == "retry_ms":
        return [1, None] if value is not None else [1]
    if key == "unmovable":
        return [1, None] if value is not None else [1]
    assert key == "no_log", f"{key}: how could that be wrong?"
    return []


def other(key, value):
    if key == "notified":
        return [*value, "MEM_ONLINE"]
    if key in ("nr_isolate", "subblocks"):
        return other_number(value)
    words = {"blocks": ("absent", "offline"), "valid_zones": ("DMA", "DMA32"), "pageblocks": ("CMA", "Isolate"),
             "states": ("PLUGGED", "OFFLINE")}
    return other_word(value, *words[key])


def wrong_zone(value):
    if value is None:
        return [{"present": 1}, {"free": {"min": 1}}, {"start": 0}]
    return [None, *({k: 1 if k == "start" else other_number(v)} for k, v in value.items())]


@pytest.fixture
def mutate(monkeypatch):
    """Have every expectation of a replay compared again, each time with something else expected; counts them."""
    seen = []

    def compare_all(expect, see, path):
        for key, value in expect.items():
            for wrong in wrong_values(key, value):
                if key == "errno" and see.panic is not None:
                    continue
                seen.append(f"{path}.{key}")
                found = list(compare({key: wrong}, see, path))
                assert found, f"{path}.{key}: {wrong!r} is not noticed"
                assert all(d.path.startswith(f"{path}.{key}") for d in found)
        for piece in expect.get("log", ()):
            assert list(compare({"no_log": [piece]}, see, path))
        for piece in expect.get("no_log", ()):
            assert list(compare({"log": [piece]}, see, path))
        yield from compare(expect, see, path)

    monkeypatch.setattr(replaying, "compare", compare_all)
    return seen


@pytest.mark.parametrize("name", [name for name, file in FILES.items() if '"race"' not in file.read_text()])
def test_every_wrong_expectation_is_noticed(name, mutate):
    assert differences(FILES[name]) == []
    assert len(mutate) > len(load(FILES[name]).steps)


def swapped(document):
    """The race of a scenario with what is reachable and what is not the other way round, one by one."""
    race = document["steps"][-1]["expect"]
    for outcome in race.get("reachable", ()):
        yield {"unreachable": [outcome]}
    for outcome in race.get("unreachable", ()):
        yield {"reachable": [outcome]}


@pytest.mark.parametrize("name", [name for name, file in FILES.items() if '"race"' in file.read_text()])
def test_every_wrong_outcome_of_a_race_is_noticed(name):
    document = json.loads(FILES[name].read_text())
    for expect in swapped(document):
        wrong = copy.deepcopy(document)
        wrong["steps"][-1]["expect"] = expect
        scenario = parse(wrong)
        (kind,) = expect
        for patches in scenario.patch_sets:
            found = [d.path for d in replay(scenario, patches).differences]
            assert found == [f"$.steps[{len(wrong['steps']) - 1}].expect.{kind}[0]"]


@pytest.mark.parametrize("name", FILES)
def test_a_step_that_fails_unexpectedly_is_noticed(name):
    """Without `errno` a step must end with "0", and without `panic` it must not panic."""
    document = json.loads(FILES[name].read_text())
    errnos = [step["expect"].pop("errno", "0") if "expect" in step else "0" for step in document["steps"]]
    panic = [step["expect"].pop("panic", False) if "expect" in step else False for step in document["steps"]]
    scenario = parse(document)
    bad = [i for i, errno in enumerate(errnos) if errno != "0" and (not isinstance(errno, list) or set(errno) != {"0"})]
    bad = sorted({*bad, *(i for i, stops in enumerate(panic) if stops)})
    for patches in scenario.patch_sets:
        report = replay(scenario, patches)
        assert [d.path.split(".expect")[0] for d in report.differences[:1]] == [f"$.steps[{i}]" for i in bad[:1]]
        assert report.steps == (bad[0] if bad else len(document["steps"]))


# -- small scenarios -------------------------------------------------------------------------------------


def scenario(*steps, machine=None, **keys):
    machine = machine or {"boot_memory": "128M", "zone_of": [["block:0", "block:1", "Normal"]]}
    return parse({"format": "mmsim-scenario/1", "title": "t", "source": "derived", "machine": machine,
                  "steps": list(steps), **keys})


ISOLATE = {"do": "isolate", "start": 0, "end": 512}


def test_the_first_step_that_diverges_is_reported_and_the_rest_left_out():
    report = replay(scenario(ISOLATE, ISOLATE, {**ISOLATE, "expect": {"errno": "EBUSY"}}), {1})
    assert [str(d) for d in report.differences] == ["$.steps[1].expect.errno: expected '0', found 'EBUSY'"]
    assert (report.steps, report.patches) == (1, (1,))


def test_all_differences_of_a_step_are_reported():
    step = {**ISOLATE, "expect": {"errno": "EIO", "drains": 2, "warns": 0, "nr_isolate": {"Normal": 7}}}
    report = replay(scenario(step), ())
    assert [d.path for d in report.differences] == [
        "$.steps[0].expect.errno", "$.steps[0].expect.drains", "$.steps[0].expect.nr_isolate.Normal"]


def test_a_panic_that_was_not_expected_is_a_difference():
    steps = [ISOLATE, {**ISOLATE, "flags": ["REPORT_FAILURE"]}]
    assert "$.steps[1].expect.panic" in [d.path for d in replay(scenario(*steps), {4}).differences]
    steps[1]["expect"] = {"panic": True, "panic_text": "dump_page"}
    assert replay(scenario(*steps), {4}).differences == ()


def test_each_patch_set_is_replayed_on_a_fresh_machine(tmp_path):
    document = {"format": "mmsim-scenario/1", "title": "t", "source": "derived", "for_patches": [[], [1], [2, 1]],
                "machine": {"boot_memory": "128M", "zone_of": []}, "steps": [ISOLATE]}
    (tmp_path / "s.json").write_text(json.dumps(document))
    reports = replay_file(tmp_path / "s.json")
    assert [(r.patches, r.steps, r.differences) for r in reports] == [((), 1, ()), ((1,), 1, ()), ((1, 2), 1, ())]


def test_a_report_as_json():
    report = replay(scenario({**ISOLATE, "expect": {"drains": 9}}), {2, 1}, "a.json").as_json()
    assert json.loads(json.dumps(report)) == {
        "file": "a.json", "patches": [1, 2], "steps": 0, "ok": False,
        "differences": [{"path": "$.steps[0].expect.drains", "expected": 9, "found": 1}]}


@pytest.mark.parametrize(("wanted", "differs"), [
    ("0", True), (["0", "ENOENT"], False), (["0", "0"], True), ("ENOENT", True)])
def test_write_each_has_one_errno_for_all_or_one_for_each(wanted, differs):
    step = {"do": "write_each", "paths": ["auto_online_blocks", "memory9/state"], "value": "online",
            "expect": {"errno": wanted}}
    assert bool(replay(scenario(step), ()).differences) == differs


# what no machine could carry out, though the file is well-formed: (steps, machine, the path named)
VIRTIO = {"boot_memory": "128M", "virtio_mem": {"addr": "512M", "region": "256M"}}
IMPOSSIBLE = {
    "no device to unbind twice": ([{"do": "unbind"}, {"do": "unbind"}], VIRTIO, "$.steps[1]"),
    "a name that is taken": ([{"do": "allocate", "as": "a", "size": "4K"}] * 2, None, "$.steps[1]"),
    "a name given back before": ([{"do": "allocate", "as": "a", "size": "4K"}, {"do": "free", "what": "a"},
                                  {"do": "free", "what": "a"}], None, "$.steps[2]"),
    "more than there can be": ([{"do": "resize", "to": "1G"}], VIRTIO, "$.steps[0]"),
    "an unaligned range": ([{"do": "isolate", "start": 1, "end": 512}], None, "$.steps[0]"),
    "a page that is not free": ([{"do": "place", "pfn": 0, "kind": "slab"}] * 2, None, "$.steps[1]"),
    "a page of a block that is not there": ([{"do": "poison", "pfn": "block:4"}], VIRTIO, "$.steps[0]"),
    "a device inside boot memory": ([{"do": "boot"}], {"virtio_mem": {"addr": "1G"}}, "$.machine"),
    "too much boot memory": ([{"do": "boot"}], {"boot_memory": "64G"}, "$.machine"),
    "a racer that can't start": ([{"do": "race", "tasks": [
        {"do": "isolate", "start": 1, "end": 512}, ISOLATE], "expect": {}}], None, "$.steps[0]"),
}  # fmt: skip


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_no_machine_can_do_is_an_invalid_scenario(case):
    steps, machine, path = IMPOSSIBLE[case]
    with pytest.raises(ScenarioError) as error:
        replay(scenario(*steps, machine=machine), (), "file.json")
    assert (error.value.path, error.value.file) == (path, "file.json")


def test_scenario_files_are_found_in_folders_below(tmp_path):
    for name in ("b.json", "a/c.json", "a/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    found = scenario_files([str(tmp_path), "other"])
    assert [Path(f).name for f in found] == ["c.json", "b.json", "other"]
