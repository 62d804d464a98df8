"""Large and small things a machine does: a terabyte guest, a shrink that migrates, offlining a block, five racing
isolators, all scenarios."""

import random
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from mmsim import STAGES, Machine
from mmsim.machine.races import explore, race
from mmsim.mm import contig
from mmsim.scenario import replay_file, scenario_files

REPORT = ("MEMORY_OFFLINE", "REPORT_FAILURE")


def seconds(work, rounds=1):
    """Median time of a call."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def terabyte():
    """Plug 1 TiB, online it movable, hold half of it, shrink to what is held."""
    machine = Machine(
        boot_memory="4G", cmdline="memhp_default_state=online_movable",
        virtio_mem={"addr": "64G", "region": "1T"},
    )
    machine.resize("1T")
    machine.allocate("half", "512G")
    machine.resize("512G")
    assert machine.device.size == 512 << 30, machine.device.size


def busy_guest():
    """A guest of 4 + 4 GiB that has been in use for a while: user and kernel memory of all sizes, with gaps."""
    machine = Machine(boot_memory="4G", cmdline="memhp_default_state=online_movable", virtio_mem={"addr": "4G"})
    machine.resize("4G")
    chance = random.Random(1)
    for number in range(120):
        gfp = chance.choice(["GFP_HIGHUSER_MOVABLE"] * 3 + ["GFP_KERNEL"])
        machine.allocate(str(number), f"{chance.randrange(1, 12000) * 4}K", gfp)
    for number in chance.sample(range(120), 60):
        machine.free(str(number))
    return machine


def shrink_that_migrates():
    """Unplug all of that guest's 4 GiB: seconds, seconds in clusters of 32 pages, and the pages that were migrated."""
    machine, again = busy_guest(), busy_guest()
    at_once, rule = seconds(lambda: machine.resize(0)), contig.is_one_cluster
    contig.is_one_cluster = lambda *range_: False
    in_clusters = seconds(lambda: again.resize(0))
    contig.is_one_cluster = rule
    return at_once, in_clusters, sum(event.data[2] for event in machine.trace.since(0, "migrate"))


def calibrate():
    """Seconds that a fixed piece of plain Python takes here, to tell a slow machine from slow code."""
    return seconds(lambda: sum(i * i % 7 for i in range(1_000_000)), 3)


def offline_block():
    """Offline and online an idle block, returns the time of the first."""
    machine = Machine(boot_memory="256M", virtio_mem={"addr": "5G", "region": "8G"})
    machine.resize("128M")
    machine.write("memory40/state", "online_movable")
    return seconds(lambda: machine.write("memory40/state", "offline"))


def isolators(patches):
    """Five isolators of the same two pageblocks, all interleavings."""
    zones = [("addr:16M", "addr:40M", "Normal"), ("addr:40M", "addr:64M", "Movable")]
    machine = Machine(patches, boot_memory="64M", zone_of=zones)
    return explore(machine, *[race("isolate", start="addr:44M", end="addr:48M", flags=REPORT)] * 5)


def import_time():
    """Seconds that `import mmsim` adds to the start of Python, and whether it stays lean."""
    code = "import time; t = time.perf_counter(); import mmsim, sys; print(time.perf_counter() - t); " \
           "assert not {'ipywidgets', 'matplotlib'} & set(sys.modules)"
    run = [float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
           for _ in range(7)]
    return statistics.median(run)


def main():
    """Print one line a figure."""
    unit = calibrate()
    print(f"unit: {unit * 1000:.0f} ms (a million turns of a plain loop; the figures in brackets are multiples)")

    def say(what, value):
        print(f"{what}: {value * 1000:.1f} ms [{value / unit:.2f}]")

    say("1 TiB guest: plug, online movable, hold half, shrink", seconds(terabyte))
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    at_once, in_clusters, pages = shrink_that_migrates()
    say(f"shrink a guest by 4 GiB, {pages} pages migrated ({in_clusters / at_once:.0f} times as fast as in clusters "
        "of 32)", at_once)
    say("offline an idle 128 MiB block", statistics.median(offline_block() for _ in range(25)))
    for patches in (STAGES[0], STAGES[-1]):
        found = isolators(patches)
        say(f"five racing isolators, patches {sorted(patches)}: {found.schedules} schedules, {found.states} states",
            seconds(lambda patches=patches: isolators(patches), 3))
    files = scenario_files([str(Path(__file__).parent.parent / "tests" / "scenarios")])
    say(f"{len(files)} scenarios", seconds(lambda: [replay_file(file) for file in files]))
    say("import mmsim", import_time())


if __name__ == "__main__":
    main()
