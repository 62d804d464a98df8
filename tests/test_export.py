"""A machine exported as a folder: the lsmem of util-linux reads it as it reads another system."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mmsim import Machine
from mmsim.machine.export import export_tree
from mmsim.mm.mmzone import MEMORY_BLOCK_SIZE

MEMORY = "/sys/devices/system/memory"
COLUMNS = "RANGE,SIZE,STATE,REMOVABLE,BLOCK,NODE,ZONES"


def lsmem(folder, *options):
    program = shutil.which("lsmem")
    if program is None and os.environ.get("CI") != "true":
        pytest.skip("needs lsmem; install util-linux")
    assert program, "this run must not go without lsmem; install util-linux"
    command = [program, "--sysroot", str(folder), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True, env={"LC_ALL": "C"}).stdout


def rows(folder):
    return json.loads(lsmem(folder, "--json", "--bytes", "--all", "--output", COLUMNS))["memory"]


def files(**states):
    """A tree by hand: memory blocks in these states."""
    tree = {f"{MEMORY}/block_size_bytes": "8000000\n", "/proc/meminfo": "MemTotal:   1 kB\n"}
    for block, state in states.items():
        tree |= {f"{MEMORY}/{block}/state": f"{state}\n", f"{MEMORY}/{block}/removable": "1\n"}
    return tree


def below(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))


# ---- a whole machine ----


@pytest.fixture
def machine():
    """Block 40 is online in ZONE_MOVABLE; block 41, half of it plugged, is offline."""
    machine = Machine(boot_memory="256M", virtio_mem={"addr": "5G", "region": "8G"})
    machine.resize("192M")
    machine.write("memory40/state", "online_movable")
    return machine


def test_lsmem_lists_the_blocks_of_the_model(machine, tmp_path):
    machine.export(tmp_path / "machine")
    assert [(row["block"], row["state"], row["zones"]) for row in rows(tmp_path / "machine")] == [
        ("0", "online", "None"),  # pages of ZONE_DMA and of ZONE_DMA32
        ("1", "online", "DMA32"),
        ("40", "online", "Movable"),
        ("41", "offline", "Normal/Movable"),
    ]


def test_lsmem_and_the_model_agree_on_every_column(machine, tmp_path):
    machine.write("memory41/state", "online_kernel")
    machine.resize("1G")
    machine.write("memory43/state", "online")
    machine.export(tmp_path)
    assert rows(tmp_path) == [row_of(machine, block) for block in sorted(machine.kernel.memory_blocks)]


def row_of(machine, block):
    """What lsmem prints of a block; it tells whether online memory is removable, else false."""
    online = machine.kernel.memory_blocks[block].state == "online"
    start = block * MEMORY_BLOCK_SIZE
    return {
        "range": f"{start:#018x}-{start + MEMORY_BLOCK_SIZE - 1:#018x}",
        "size": MEMORY_BLOCK_SIZE,
        "state": "online" if online else "offline",
        "removable": online,
        "block": str(block),
        "node": 0,
        "zones": machine.read(f"memory{block}/valid_zones").strip().replace(" ", "/").replace("none", "None"),
    }


def test_lsmem_sums_up_the_memory(machine, tmp_path):
    machine.export(tmp_path)
    totals = [line.split()[-1] for line in lsmem(tmp_path, "--bytes", "--summary=only").splitlines()]
    assert [int(total) for total in totals] == [MEMORY_BLOCK_SIZE, 3 * MEMORY_BLOCK_SIZE, MEMORY_BLOCK_SIZE]


def test_every_file_is_exported_with_its_text(machine, tmp_path):
    machine.export(tmp_path)
    for path in machine.files():
        assert tmp_path.joinpath(path[1:]).read_text(encoding="ascii") == machine.read(path) + "\n"
    assert {"/proc/zoneinfo", "/proc/meminfo", f"{MEMORY}/memory41/state"} <= set(machine.files())


# ---- the tree ----


def test_lsmem_knows_a_block_that_is_going_offline(tmp_path):
    export_tree(files(memory1="online", memory2="going-offline"), tmp_path)
    assert [row["state"] for row in rows(tmp_path)] == ["online", "on->off"]


def test_blocks_and_node_are_linked_both_ways(tmp_path):
    export_tree(files(memory7="online"), tmp_path)
    root = tmp_path / "sys/devices/system"
    assert (root / "memory/memory7/node0").resolve() == (root / "node/node0").resolve()
    assert (root / "node/node0/memory7").resolve() == (root / "memory/memory7").resolve()


def test_a_folder_is_made_as_any_other_one(tmp_path):
    export_tree(files(memory0="online"), tmp_path / "new")
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert below(tmp_path / "new")[:2] == ["proc", "proc/meminfo"]


def test_the_working_directory_can_be_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    export_tree(files(memory0="online"), ".")
    assert Path("proc/meminfo").read_text(encoding="ascii").startswith("MemTotal:")


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "notes").write_text("mine", encoding="ascii")
    with pytest.raises(FileExistsError, match=r"not empty.*a new or an empty folder") as caught:
        export_tree(files(memory0="online"), tmp_path)
    assert caught.value.filename == str(tmp_path)
    assert below(tmp_path) == ["notes"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "notes").write_text("mine", encoding="ascii")
    with pytest.raises(NotADirectoryError, match="this is a file"):
        export_tree(files(memory0="online"), tmp_path / "notes")


def test_the_folder_needs_a_parent(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder to export into"):
        export_tree(files(memory0="online"), tmp_path / "no" / "folder")
    assert below(tmp_path) == []


@pytest.mark.parametrize("path", ["proc/meminfo", "/proc/../../etc", "", "/"])
def test_a_path_must_be_absolute_and_stay_inside(tmp_path, path):
    with pytest.raises(ValueError, match="absolute path"):
        export_tree(files(memory0="online") | {path: "text"}, tmp_path / "out")
    assert below(tmp_path) == []


def test_what_fails_half_way_leaves_nothing(tmp_path):
    under_a_file = {"/proc/meminfo/inside": "text"}
    with pytest.raises(OSError, match="meminfo"):
        export_tree(files(memory0="online") | under_a_file, tmp_path / "out")
    assert below(tmp_path) == []
