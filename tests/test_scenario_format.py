"""What a scenario file is: the given ones, what the JSON Schema allows, and the rules that it can't see."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mmsim.machine.sizes import pfn, size
from mmsim.scenario import ScenarioError, load, parse
from mmsim.scenario.format import STEPS

HERE = Path(__file__).parent
FILES = sorted((HERE / "scenarios").rglob("*.json"))
SCHEMA = json.loads((HERE / "scenario.schema.json").read_text())
ORACLE = Draft202012Validator(SCHEMA)

UNIT = {
    "boot_memory": "64M",
    "zone_of": [["addr:16M", "addr:40M", "Normal"], ["addr:40M", "addr:64M", "Movable"]],
}
DEVICE = {"boot_memory": "256M", "virtio_mem": {"addr": "5G", "region": "8G"}}


def scenario(*steps, machine=UNIT, **keys):
    given = {"format": "mmsim-scenario/1", "title": "a title", "source": "derived", "machine": machine}
    return given | {"steps": list(steps) or [{"do": "boot"}]} | keys


def refusal(document):
    with pytest.raises(ScenarioError) as caught:
        parse(document, "a.json")
    return caught.value


def place(start="addr:24M", kind="lru", **keys):
    return {"do": "place", "pfn": start, "kind": kind} | keys


def isolate(start, end):
    return {"do": "isolate", "start": start, "end": end}


def race(*outcomes, tasks=2):
    return {"do": "race", "tasks": [isolate(0, 512)] * tasks, "expect": {"reachable": list(outcomes)}}


def expecting(do="poison", **expect):
    keys = {"poison": {"pfn": 0}, "write": {"path": "memory1/state", "value": "offline"}}
    return {"do": do, "expect": expect} | keys.get(do, {})


# ---- Files that are scenarios ------------------------------------------------------------------------------


def test_there_are_files():
    assert len(FILES) >= 114


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_given_file_is_a_scenario(file):
    found, given = load(file), json.loads(file.read_text())
    assert (found.title, found.source) == (given["title"], given["source"])
    assert [step["do"] for step in found.steps] == [step["do"] for step in given["steps"]]


def test_sizes_become_bytes_and_pfns_stay_as_they_are_written():
    found = parse(
        scenario(
            {"do": "resize", "to": "68M", "expect": {"plugged": "68M", "requested": {"min": 1.0}}},
            {"do": "allocate", "as": "a", "size": "4K", "within": ["addr:5G", "block:41"]},
            place(6144.0),
            machine=DEVICE | {"zone_of": [["addr:0", 4096, "DMA"]]},
        )
    )
    mib = 1 << 20
    assert found.machine == {
        "boot_memory": 256 * mib,
        "virtio_mem": {"addr": 5120 * mib, "region": 8192 * mib},
        "zone_of": [["addr:0", 4096, "DMA"]],
    }
    resize, allocate, placed = found.steps
    assert resize == {
        "do": "resize",
        "to": 68 * mib,
        "expect": {"plugged": 68 * mib, "requested": {"min": 1}},
    }
    assert (allocate["size"], allocate["within"]) == (4096, ["addr:5G", "block:41"])
    assert type(placed["pfn"]) is int


def test_a_document_is_not_changed():
    given = scenario({"do": "wait", "seconds": 0.5}, machine={"patches": [1], "boot_memory": "64M"})
    before = copy.deepcopy(given)
    parse(given)
    assert given == before


@pytest.mark.parametrize(
    ("keys", "sets"),
    [
        ({}, [{1, 2, 3, 4, 5, 6}]),
        ({"machine": {"patches": []}}, [set()]),
        ({"machine": {"patches": [2, 1]}}, [{1, 2}]),
        ({"for_patches": [[], [1], [1, 2]]}, [set(), {1}, {1, 2}]),
        ({"for_patches": [[1, 2], [2, 1]]}, [{1, 2}]),  # a set, its order means nothing
    ],
)
def test_patch_sets(keys, sets):
    found = parse(scenario(**keys))
    assert list(found.patch_sets) == sets
    assert "patches" not in found.machine


@pytest.mark.parametrize(
    ("written", "number"),
    [(0, 0), ("7", 7), ("4K", 4096), ("68M", 68 << 20), ("2G", 2 << 30), ("1T", 1 << 40)],
)
def test_size(written, number):
    assert size(written) == number


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (6144, 6144),
        ("6144", 6144),
        ("addr:4G", 1 << 20),
        ("addr:0x100000000", 1 << 20),
        ("addr:24M+5", 6149),
        ("addr:4096", 1),
        ("block:41", 41 * 32768),
        ("block:41+512", 41 * 32768 + 512),
    ],
)
def test_pfn(written, number):
    assert pfn(written) == number


@pytest.mark.parametrize("written", ["", "-1", "4KB", "4 K", "0x10", "٤", "4K\n"])
def test_no_size(written):
    with pytest.raises(ValueError, match="not a size"):
        size(written)


@pytest.mark.parametrize("written", ["", "4G", "addr:", "addr:4G-1", "block:4K", "block:1+", "6144+1"])
def test_no_pfn(written):
    with pytest.raises(ValueError, match="not a pfn"):
        pfn(written)


def test_the_address_of_a_pfn_is_that_of_a_page():
    with pytest.raises(ValueError, match="1K is not on a page boundary"):
        pfn("addr:1K")


# ---- Files that are not even JSON --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        (b'{\n "title" "t"\n}', "line 2, column 10", "JSON"),
        (b"", "line 1, column 1", "JSON"),
        (b'{"title": "\xff"}', "byte 11", "UTF-8"),
        (b"\xef\xbb\xbf{}", "line 1, column 1", "JSON"),
        (b"[" * 100_000, "$", "depth"),
        (b'{"format": ' + b"9" * 5000 + b"}", "$", "length"),
    ],
)
def test_no_json(tmp_path, text, place, found):
    file = tmp_path / "a.json"
    file.write_bytes(text)
    with pytest.raises(ScenarioError) as caught:
        load(file)
    assert (caught.value.file, caught.value.path, caught.value.rule) == (str(file), place, "json")
    assert found in caught.value.expected


@pytest.mark.parametrize(
    ("old", "new", "place", "found"),
    [
        ('"do": "wait"', '"do": "wait", "do": "wait"', "$.steps[0]", 'an object that has "do" twice'),
        ('"warns": 1', '"warns": 1, "drains": 1, "warns": 1', "$.steps[0].expect", '"warns" twice'),
        ('"seconds": 5', '"seconds": NaN', "$.steps[0].seconds", "NaN"),
        ('"seconds": 5', '"seconds": Infinity', "$.steps[0].seconds", "Infinity"),
        ('"seconds": 5', '"seconds": 1e999', "$.steps[0].seconds", "a number that is too large"),
        ('"warns": 1', '"warns": -Infinity', "$.steps[0].expect.warns", "-Infinity"),
    ],
)
def test_what_python_reads_but_json_does_not_have(tmp_path, old, new, place, found):
    text = json.dumps(scenario({"do": "wait", "seconds": 5, "expect": {"warns": 1}}))
    assert old in text
    (tmp_path / "a.json").write_text(text.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path / "a.json")
    assert caught.value.path == place
    assert found in caught.value.found


def test_a_file_that_cannot_be_read_is_no_wrong_scenario(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.json")


# ---- The message -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "$: expected an object, found a list"),
        (scenario({"do": "wait"}), "$.steps[0]: expected the key seconds, found an object without it"),
        (scenario({"pfn": 1}), "$.steps[0].do: expected one of boot, resize, write"),
        (scenario({"do": "jump"}), "$.steps[0].do: expected one of boot, resize, write"),
        (
            scenario({"do": "boot", "expct": {}}),
            "$.steps[0].expct: expected one of the keys do, note, expect, found",
        ),
        (
            scenario(place("addr:1Q")),
            '$.steps[0].pfn: expected a pfn: an integer, or a string such as "addr:4G"',
        ),
        (
            scenario(place("addr:1K")),
            "$.steps[0].pfn: expected a pfn ('addr:1K' is misaligned: 1K is not on a page boundary), found",
        ),
        (scenario(place(True)), 'or "block:41+512", found true'),
        (
            scenario(machine={"boot_memory": "2GB"}),
            "$.machine.boot_memory: expected a size: an integer of bytes or",
        ),
        (
            scenario(expecting(zones={"Movable": {"free": -1}})),
            "$.steps[0].expect.zones.Movable.free: expected an int",
        ),
        (scenario(expecting(warns={"min": "1"})), "$.steps[0].expect.warns.min: expected an integer from 0"),
        (
            scenario(expecting(blocks={"4x": "offline"})),
            '$.steps[0].expect.blocks["4x"]: expected a memory block',
        ),
        (
            scenario(expecting(pageblocks={"addr:4M": "CM"})),
            '$.steps[0].expect.pageblocks["addr:4M"]: expected one',
        ),
        (scenario(title="x" * 200, source="x" * 200), "..."),
        (scenario(source="\n\ud800"), 'found "\\n\\ud800"'),
    ],
)
def test_the_message_names_file_and_place_and_what_belongs_there(document, message):
    text = str(refusal(document))
    assert text.startswith("a.json: $")
    assert message in text
    assert len(text.encode().splitlines()) == 1


def test_a_deep_document_is_refused_like_any_other():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert refusal(scenario(deep)).path == "$.steps[0]"
    while deep:  # so that nothing needs the stack to take it down
        deep = deep.pop()


# ---- The JSON Schema, as an oracle of its own --------------------------------------------------------------

# fmt: off
TASKS = [
    {"do": "isolate", "start": 0, "end": 512, "note": "a note", "by": "X"},
    {"do": "undo_isolate", "start": 0, "end": 512},
    {"do": "alloc_contig", "start": 0, "end": 512, "as": "d"},
    {"do": "free", "what": "b"},
    {"do": "unpin", "what": "b"},
    {"do": "write", "path": "memory1/state", "value": "offline"},
    {"do": "resize", "to": 0},
]
EVERYTHING = scenario(
    {"do": "boot", "note": "a note", "expect": {"errno": "0"}},
    {"do": "resize", "to": "1G", "expect": {
        "plugged": {"min": 1, "max": 2}, "requested": "1G", "blocks": {"1-2": "absent"},
    }},
    {"do": "write", "path": "/proc/x", "value": "", "expect": {"zones": {
        "DMA": None,
        "Movable": {"start": "block:1", "spanned": 1, "present": {"max": 1}, "managed": 1, "free": 1},
    }}},
    {"do": "write_each", "paths": ["memory1/state"], "value": "online", "expect": {
        "errno": ["0"], "valid_zones": {"1": "Normal Movable"},
    }},
    {"do": "read", "path": "memory1/state", "expect": {"text": ""}},
    {"do": "wait", "seconds": 0.5, "expect": {"driver": {
        "states": {"1": "UNUSED"}, "subblocks": {"1": 1}, "rc": "EBUSY", "retry_ms": None, "broken": False,
        "requests": ["PLUG 41 0 16 BUSY"],
    }}},
    {"do": "allocate", "as": "a", "size": "4K", "gfp": "GFP_USER|__GFP_MOVABLE", "order": 0,
     "within": [0, 1]},
    {"do": "pin", "what": "a", "longterm": True, "expect": {
        "pageblocks": {"block:1": "CMA"}, "nr_isolate": {"DMA": 0},
    }},
    {"do": "unpin", "what": "a", "expect": {"log": ["x"], "no_log": ["y"], "warns": 0, "dumped": [None, 1]}},
    {"do": "free", "what": "a", "expect": {"drains": 1, "migrated": 1, "panic": False, "panic_text": "x"}},
    {"do": "poison", "pfn": 5},
    {"do": "signal", "after_rounds": 3},
    {"do": "unpin_after", "what": "a", "after_rounds": 3},
    {"do": "free_after", "what": "a", "after_rounds": 3},
    {"do": "device", "busy": True},
    {"do": "device", "answers": ["ACK", "NACK"]},
    {"do": "unbind"},
    {"do": "place", "pfn": 512, "kind": "thp", "count": 1, "as": "b"},
    {"do": "ref", "pfn": 1, "delta": -1},
    {"do": "set_pageblock", "pfn": 512, "type": "CMA"},
    {"do": "isolate", "start": 0, "end": 512, "flags": ["MEMORY_OFFLINE"], "migratetype": "CMA", "by": "X"},
    {"do": "undo_isolate", "start": 0, "end": 512, "migratetype": "CMA"},
    {"do": "has_unmovable", "pfn": 512, "flags": [], "migratetype": "CMA", "expect": {"unmovable": None}},
    {"do": "alloc_contig", "start": 0, "end": 512, "migratetype": "CMA", "as": "c"},
    {"do": "notifier", "name": "n", "veto": None, "expect": {"notified": {"*": ["MEM_ONLINE"], "n": []}}},
    {"do": "fail", "what": "add_memory", "errno": "ENOMEM", "times": 2},
    {"do": "race", "tasks": [{"do": "free", "what": "b"}, {"do": "unpin", "what": "b"}], "expect": {
        "reachable": [{"errno": ["0", None]}], "unreachable": [{"panic": True}],
    }},
    kernel="x", note="y", for_patches=[[], [1, 2]], machine={
        "boot_memory": "256M", "cmdline": "memhp_default_state=online movablecore=10% kernelcore=0x80m",
        "virtio_mem": {
            "addr": "4G", "region": "4G", "block": "2M", "unplug_online": True,
            "requested": 0, "plugged": 0, "busy": False, "usable": "1G",
        },
        "zone_of": [[0, "block:1", "Normal"]],
    },
)
# fmt: on
VALUES = [
    *(
        None,
        True,
        False,
        -1,
        0,
        0.0,
        1,
        7,
        11,
        1.5,
        1e300,
        "",
        "x",
        "0",
        "4K",
        "6144",
        "1-2",
        "addr:4G",
    ),
    *(
        "addr:1",
        "block:1+1",
        "EBUSY",
        "CMA",
        "offline",
        "DMA Normal",
        "GFP_USER",
        "UNPLUG_ALL",
    ),
    *("MEM_ONLINE", "*", "recorded", [], [""], ["0"], [None], [0, 1], [1, 1], [0, 0, "DMA"]),
    *(["REPORT_FAILURE"] * 2, {}, {"x": 1}, {"min": 1}, {"max": -1}, {"min": 3, "max": 1}, {"do": "boot"}),
]
KEYS = ["x", "note", "what", "busy", "answers", "expect", "patches", "min", "40", "*", ""]


def nodes(value):
    """Every place of a document: its container, and its key in there."""
    for key, each in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(each, dict | list):
            yield from nodes(each)


def variants(document):
    """The document, again and again, each time with another thing about it that is not as it was."""
    for container, key in list(nodes(document)):
        before = copy.copy(container)
        for value in VALUES:
            container[key] = value
            yield document
        container[key] = before[key]
        for more in KEYS if isinstance(container, dict) and key == next(iter(before)) else []:
            container[more] = before[key]
            yield document
            container.clear()
            container |= before
        del container[key]
        yield document
        if isinstance(container, dict):
            container |= before
        else:
            container[:] = [*before, before[key]]
            yield document
            container[:] = before


def broken_rule(document):
    try:
        parse(document)
    except ScenarioError as error:
        return error.rule
    return None


def check_against_the_schema(document):
    """The extra rules come after the schema's: with one thing wrong it is clear which one must be broken."""
    assert broken_rule(document) in ([None, "format"] if ORACLE.is_valid(document) else ["schema"]), document


ALONE = EVERYTHING["steps"] + [{"do": "race", "tasks": [task] * 2, "expect": {}} for task in TASKS]


@pytest.mark.parametrize("step", ALONE, ids=lambda step: step["do"])
def test_a_step_with_one_thing_wrong_is_refused_as_by_the_schema_or_by_an_extra_rule(step):
    document = scenario(json.loads(json.dumps(step)), machine={"virtio_mem": {}})
    for variant in variants(document["steps"]):
        check_against_the_schema(document | {"steps": variant})


def test_so_is_what_stands_around_the_steps():
    for variant in variants(copy.deepcopy(EVERYTHING) | {"steps": [{"do": "boot"}]}):
        check_against_the_schema(variant)


PATTERNS = {
    "size": lambda text: {"do": "resize", "to": text},
    "pfn": lambda text: {"do": "poison", "pfn": text},
    "gfp": lambda text: {"do": "allocate", "as": "a", "size": 0, "gfp": text},
    "path": lambda text: {"do": "read", "path": text},
    "name": lambda text: {"do": "notifier", "name": text},
    "request": lambda text: expecting(driver={"requests": [text]}),
}


@pytest.mark.parametrize("form", PATTERNS)
@settings(derandomize=True, database=None, deadline=None, max_examples=100)
@given(st.data())
def test_so_is_a_text_with_one_other_character_in_it(form, data):
    schema = SCHEMA["$defs"][form]
    pattern = schema.get("pattern") or schema["anyOf"][1]["pattern"]
    text = data.draw(st.from_regex(pattern.removesuffix("$") + r"\Z", alphabet=st.characters(codec="ascii")))
    i, other = data.draw(st.integers(0, len(text))), data.draw(st.sampled_from(["", *"0a_G|:+ -\u0664"]))
    step = PATTERNS[form](text[:i] + other + text[i + 1 :])
    check_against_the_schema(scenario(step, machine={"virtio_mem": {}}))


@pytest.mark.parametrize("path", ["/sys/", "/proc/", "/sys/k", "k"])
def test_so_is_a_path_of_which_little_is_left(path):
    check_against_the_schema(scenario({"do": "read", "path": path}))


@st.composite
def mutants(draw):
    """A copy of a given scenario where one to three values were deleted, replaced or put somewhere else."""
    document = copy.deepcopy(draw(st.sampled_from(GIVEN)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(nodes(document))
        container, key = draw(st.sampled_from(places))
        other, its_key = draw(st.sampled_from(places))
        value = copy.deepcopy(draw(st.sampled_from([*VALUES, other[its_key]])))
        action = draw(st.sampled_from(["delete", "replace", "add"]))
        if action == "delete" and len(document) > 1:
            del container[key]
        elif action == "add" and isinstance(container, list):
            container.insert(key, value)
        else:
            container[draw(st.sampled_from(KEYS)) if action == "add" else key] = value
    return document


GIVEN = [json.loads(file.read_text()) for file in FILES]


@settings(derandomize=True, database=None, deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(mutants())
def test_so_are_the_given_files_with_several_things_wrong_in_them(document):
    assert broken_rule(document) in ([None, "format"] if ORACLE.is_valid(document) else ["schema", "format"])


def test_the_example_has_every_step_with_every_key():
    ORACLE.validate(EVERYTHING)
    parse(EVERYTHING)
    seen = {do: set() for do in [*STEPS, "race"]}
    for step in EVERYTHING["steps"]:
        seen[step["do"]] |= step.keys() - {"note", "expect", "do"}
    for do, keys in seen.items():
        assert keys == SCHEMA["$defs"][f"step_{do}"]["properties"].keys() - {"note", "expect", "do"}, do
    expected = set().union(*(step.get("expect", ()) for step in EVERYTHING["steps"]))
    assert expected == SCHEMA["$defs"]["expect"]["properties"].keys()


# ---- The rules that the schema can't see -------------------------------------------------------------------

HELD = place(**{"as": "p"})


@pytest.mark.parametrize(
    ("document", "path"),
    [
        # order
        (scenario(HELD, {"do": "boot"}), "$.steps[1].do"),
        (scenario(race(), HELD), "$.steps[0].do"),
        (scenario(expecting(panic=True), HELD), "$.steps[0].expect.panic"),
        # names
        (scenario({"do": "free", "what": "p"}), "$.steps[0].what"),
        (scenario({"do": "pin", "what": "q"}, place(**{"as": "q"})), "$.steps[0].what"),
        (scenario({"do": "unpin_after", "what": "p", "after_rounds": 1}), "$.steps[0].what"),
        (
            scenario(
                {
                    "do": "race",
                    "tasks": [
                        {"do": "alloc_contig", "start": 0, "end": 512, "as": "x"},
                        {"do": "free", "what": "x"},
                    ],
                    "expect": {},
                }
            ),
            "$.steps[0].tasks[1].what",
        ),
        (scenario(expecting(notified={"*": [], "n": []})), "$.steps[0].expect.notified.n"),
        # keys of expect that belong to one step
        (scenario(expecting(text="x")), "$.steps[0].expect.text"),
        (scenario(expecting(unmovable=None)), "$.steps[0].expect.unmovable"),
        (scenario(expecting(unreachable=[{"warns": 1}])), "$.steps[0].expect.unreachable"),
        # lists of errno
        (scenario(expecting("write", errno=["0"])), "$.steps[0].expect.errno"),
        (scenario(expecting("write", errno=[])), "$.steps[0].expect.errno"),
        (
            scenario({"do": "write_each", "paths": ["a", "b"], "value": "", "expect": {"errno": ["0"]}}),
            "$.steps[0].expect.errno",
        ),
        (scenario(race({"warns": 1}, {"errno": ["0"]})), "$.steps[0].expect.reachable[1].errno"),
        (scenario(race({"errno": ["0"] * 2}, tasks=3)), "$.steps[0].expect.reachable[0].errno"),
        # ranges
        (scenario(expecting(warns={"min": 2, "max": 1})), "$.steps[0].expect.warns"),
        (scenario(expecting(plugged={"min": 2, "max": 1})), "$.steps[0].expect.plugged"),
        (scenario(expecting(blocks={"39-32": "offline"})), '$.steps[0].expect.blocks["39-32"]'),
        (scenario(isolate("addr:26M", "addr:24M")), "$.steps[0].end"),
        (scenario({"do": "allocate", "as": "a", "size": 0, "within": [2, 1]}), "$.steps[0].within[1]"),
        (scenario(machine={"zone_of": [[2, 1, "DMA"]]}), "$.machine.zone_of[0][1]"),
        # pages
        (scenario(place("addr:5")), "$.steps[0].pfn"),
        (scenario(expecting(zones={"DMA": {"start": "addr:5+1"}})), "$.steps[0].expect.zones.DMA.start"),
        (scenario(expecting(dumped=[None, "addr:5"])), "$.steps[0].expect.dumped[1]"),
        (scenario(place(kind="slab_compound", count=6)), "$.steps[0].count"),
        (scenario(place("addr:24M+8", "thp")), "$.steps[0].pfn"),
        (scenario(place("addr:24M+511", "hugetlb_free")), "$.steps[0].pfn"),
        # a pfn outside the machine
        (scenario(place("block:1")), "$.steps[0].pfn"),
        (scenario(place("addr:120M", "thp", count=5)), "$.steps[0].pfn"),
        (scenario(place("block:0+32767", count=2)), "$.steps[0].pfn"),
        (scenario(isolate("block:1", "block:2")), "$.steps[0].start"),
        (scenario(isolate("addr:24M", "block:1+1")), "$.steps[0].end"),
        (scenario(expecting(pageblocks={"block:1": "CMA"})), '$.steps[0].expect.pageblocks["block:1"]'),
        (
            scenario(race({"pageblocks": {"99999": "CMA"}})),
            '$.steps[0].expect.reachable[0].pageblocks["99999"]',
        ),
        (scenario(place("addr:2G"), machine={}), "$.steps[0].pfn"),
        (scenario(place("addr:8G"), machine={"virtio_mem": {}}), "$.steps[0].pfn"),
        (
            scenario(machine={"boot_memory": "64M", "zone_of": [[0, "addr:1G", "DMA"]]}),
            "$.machine.zone_of[0][1]",
        ),
        # types of pageblocks
        (scenario(isolate("addr:24M", "addr:24M") | {"migratetype": "Isolate"}), "$.steps[0].migratetype"),
        (
            scenario(race() | {"tasks": [{"do": "alloc_contig", "start": 0, "end": 0, "migratetype": "Isolate"}] * 2}),
            "$.steps[0].tasks[0].migratetype",
        ),
        # the device
        (scenario({"do": "resize", "to": 0}), "$.steps[0].do"),
        (scenario({"do": "unbind"}), "$.steps[0].do"),
        (scenario({"do": "device", "busy": True}), "$.steps[0].do"),
        (
            scenario({"do": "race", "tasks": [{"do": "resize", "to": 0}] * 2, "expect": {}}),
            "$.steps[0].tasks[0].do",
        ),
        (scenario(machine={"virtio_mem": {"block": "3M"}}), "$.machine.virtio_mem.block"),
        (scenario(machine={"virtio_mem": {"block": 0}}), "$.machine.virtio_mem.block"),
        # numbers that no machine has
        (scenario(machine={"boot_memory": "9" * 5000}), "$.machine.boot_memory"),
    ],
)
def test_refused_although_the_schema_allows_it(document, path):
    assert ORACLE.is_valid(document)
    error = refusal(document)
    assert (error.path, error.rule) == (path, "format")


def test_for_patches_replaces_the_patches_of_the_machine():
    error = refusal(scenario(machine={"patches": []}, for_patches=[[1]]))
    assert (error.path, error.rule) == ("$.machine.patches", "schema")


@pytest.mark.parametrize(
    "document",
    [
        scenario(machine={}),
        scenario(isolate("addr:24M", "addr:24M")),  # nothing is in it
        scenario(isolate("addr:24M+1", "addr:24M+3")),
        scenario(isolate("addr:0", "block:1")),  # up to the end, which is not in it
        scenario(place("addr:100M")),  # a hole: the block is there
        scenario(isolate("block:1", "block:1")),
        scenario(place("block:15"), machine={}),
        scenario(place("block:63"), machine={"virtio_mem": {}}),
        scenario(place("block:32"), machine={"virtio_mem": {"addr": "4160M"}}),
        scenario(isolate("addr:0", "block:40"), machine=DEVICE | {"virtio_mem": {"addr": "4G"}}),
        scenario(place("addr:8G"), machine={"virtio_mem": {"region": "5G"}}),
        scenario(place("addr:24M+3", "slab_compound", count=4)),
        scenario(place("addr:24M", "lru", count=3)),
        scenario(
            HELD, {"do": "free", "what": "p"}, HELD, {"do": "free_after", "what": "p", "after_rounds": 0}
        ),
        scenario({"do": "allocate", "as": "a", "size": 5000, "order": 3}),
        scenario({"do": "notifier", "name": "n", "expect": {"notified": {"n": []}}}),
        scenario(expecting(panic=True, errno="EBUSY", panic_text="NULL")),
        scenario(expecting(panic=False), HELD),
        scenario(
            expecting(plugged=0, driver={"requests": []})
        ),  # there is no device, and nothing diverges yet
        scenario({"do": "write_each", "paths": ["a", "b"], "value": "", "expect": {"errno": ["0", "EBUSY"]}}),
        scenario({"do": "write_each", "paths": ["a", "b"], "value": "", "expect": {"errno": "0"}}),
        scenario(
            {"do": "write_each", "paths": ["a", "b"], "value": "", "expect": {"errno": ["0"], "panic": True}}
        ),
        scenario({"do": "fail", "what": "add_memory", "errno": "ENOMEM"}),
        scenario(race({"errno": ["0", None]}, {"pageblocks": {"0": "Isolate"}})),
        scenario(race() | {"expect": {}}),
        scenario({"do": "boot", "expect": {"panic": True}}),
        scenario(expecting(blocks={"32-32": "offline"}, warns={"min": 2, "max": 2.0})),
    ],
)
def test_allowed_although_it_is_close(document):
    assert ORACLE.is_valid(document)
    parse(document)
