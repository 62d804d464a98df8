"""/proc as text: the kernel's format to the letter, and the same numbers when it is read back."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmsim import Machine
from mmsim.machine import procfs
from mmsim.mm.memmap import CODE, REFS, MemMap, Section
from mmsim.mm.mmzone import (
    MIGRATE_CMA,
    MIGRATE_ISOLATE,
    MIGRATE_MOVABLE,
    MIGRATE_UNMOVABLE,
    PAGES_PER_SECTION,
    ZONE_DMA,
    ZONE_MOVABLE,
    ZONE_NORMAL,
    Zone,
    migratetype_names,
)

GIB = 1 << 18  # in pages


@pytest.fixture
def kernel():
    """1 GiB of ZONE_NORMAL from 4 GiB on, behind it one block of ZONE_MOVABLE; nothing below."""
    kernel = SimpleNamespace(zones=[Zone(index, nr_cpus=2) for index in range(4)], memmap=MemMap())
    add_zone(kernel, ZONE_NORMAL, 4 * GIB, GIB)
    add_zone(kernel, ZONE_MOVABLE, 5 * GIB, PAGES_PER_SECTION)
    return kernel


def add_zone(kernel, index, start_pfn, pages):
    zone = kernel.zones[index]
    zone.zone_start_pfn = start_pfn
    zone.spanned_pages = zone.present_pages = zone.managed_pages = zone.nr_free_pages = pages
    zone.free_area[MIGRATE_MOVABLE][10] = range(pages // 1024)  # of a free list only the length is shown
    for number in range(start_pfn // PAGES_PER_SECTION, (start_pfn + pages) // PAGES_PER_SECTION):
        kernel.memmap.sections[number] = Section(CODE["free"], bytes([index]) * 64)


def real(path):
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError as error:
        pytest.skip(f"no {path} to compare with here: {error.strerror}")


# ---- /proc/zoneinfo ----


def test_zoneinfo_of_a_populated_zone(kernel):
    zone = kernel.zones[ZONE_NORMAL]
    zone.watermark_min, zone.watermark_low, zone.watermark_high = 2048, 2560, 3072
    zone.lowmem_reserve = [0, 0, 0, 1024]
    zone.pageset[1][0] = [4 * GIB, 4 * GIB + 1]
    text = procfs.zoneinfo(kernel)
    assert text[text.index("Node 0, zone   Normal") : text.index("Node 0, zone  Movable")] == (
        "Node 0, zone   Normal\n"
        "  per-node stats\n"
        "      nr_isolated_anon 0\n"
        "      nr_anon_pages 0\n"
        "      nr_anon_transparent_hugepages 0\n"
        "  pages free     262144\n"
        "        min      2048\n"
        "        low      2560\n"
        "        high     3072\n"
        "        spanned  262144\n"
        "        present  262144\n"
        "        managed  262144\n"
        "        protection: (0, 0, 0, 1024)\n"
        "      nr_free_pages 262144\n"
        "      nr_free_cma  0\n"
        "  pagesets\n"
        "    cpu: 0\n"
        "              count: 0\n"
        "              high:  186\n"
        "              batch: 31\n"
        "    cpu: 1\n"
        "              count: 2\n"
        "              high:  186\n"
        "              batch: 31\n"
        "  node_unreclaimable:  0\n"
        "  start_pfn:           1048576\n"
    )


def test_zoneinfo_of_an_empty_zone_ends_with_its_protection(kernel):
    assert procfs.zoneinfo(kernel).startswith(
        "Node 0, zone      DMA\n"
        "  pages free     0\n"
        "        min      0\n"
        "        low      0\n"
        "        high     0\n"
        "        spanned  0\n"
        "        present  0\n"
        "        managed  0\n"
        "        protection: (0, 0, 0, 0)\n"
        "Node 0, zone    DMA32\n"
    )


def test_zoneinfo_has_the_node_with_the_first_populated_zone_only(kernel):
    kernel.memmap.fill(4 * GIB, 4 * GIB + 7, CODE["lru"])
    kernel.memmap.fill(5 * GIB, 5 * GIB + 1, CODE["thp"])
    kernel.memmap.fill(5 * GIB + 1, 5 * GIB + 512, CODE["thp_tail"])
    kernel.memmap.set_refs(4 * GIB, 4 * GIB + 2, True)  # a pinned page is an anonymous page as well
    zones = procfs.parse_zoneinfo(procfs.zoneinfo(kernel))
    assert zones["Normal"]["per-node stats"] == {
        "nr_isolated_anon": 0,
        "nr_anon_pages": 7 + 512,
        "nr_anon_transparent_hugepages": 1,
    }
    assert [name for name in zones if "per-node stats" in zones[name]] == ["Normal"]


def test_zoneinfo_read_back_is_what_was_written(kernel):
    zones = procfs.parse_zoneinfo(procfs.zoneinfo(kernel))
    assert list(zones) == ["DMA", "DMA32", "Normal", "Movable"]
    assert zones["Movable"] == {
        "pages free": 32768, "min": 0, "low": 0, "high": 0,
        "spanned": 32768, "present": 32768, "managed": 32768, "protection": [0, 0, 0, 0],
        "nr_free_pages": 32768, "nr_free_cma": 0,
        "pagesets": {cpu: {"count": 0, "high": 186, "batch": 31} for cpu in (0, 1)},
        "node_unreclaimable": 0, "start_pfn": 5 * GIB,
    }  # fmt: skip
    assert "start_pfn" not in zones["DMA"]


def test_zoneinfo_lines_are_the_real_ones():
    text = real("/proc/zoneinfo")
    seen = procfs.parse_zoneinfo(text)
    zones = [zone for zone in map(Zone, range(4)) if zone.name in seen]
    for zone in zones:
        copy_numbers(seen[zone.name], zone)
    ours = procfs.zoneinfo(SimpleNamespace(zones=zones, memmap=MemMap())).splitlines()
    # The numbers of other lines differ: what the node uses, per-cpu sizes, a zone more in each protection.
    same = [line for line in ours if not re.search(r"_anon|count:|high: |batch:|protection", line)]
    assert set(same) <= set(text.splitlines())
    assert set(map(without_numbers, ours)) <= set(map(without_numbers, text.splitlines()))


def without_numbers(line):
    """What is left of a line; newer kernels pad the per-cpu sizes."""
    return re.sub(r"\d+", "0", re.sub(r"\(.*\)|: +(?=\d+$)", "", line))


def copy_numbers(counters, zone):
    zone.nr_free_pages = counters["pages free"]
    for name in ("min", "low", "high"):
        setattr(zone, f"watermark_{name}", counters[name])
    for name in ("spanned", "present", "managed"):
        setattr(zone, f"{name}_pages", counters[name])
    zone.zone_start_pfn = counters.get("start_pfn", 0)


def test_zoneinfo_parser_reads_one_node_of_several():
    text = "Node 0, zone      DMA\n  pages free     1\nNode 1, zone      DMA\n  pages free     2\n"
    assert procfs.parse_zoneinfo(text) == {"DMA": {"pages free": 1}}
    assert procfs.parse_zoneinfo(text, node=1) == {"DMA": {"pages free": 2}}


def test_zoneinfo_parser_knows_where_a_line_of_another_version_belongs():
    text = (
        "Node 0, zone    DMA32\n"
        "  pages free     1\n"
        "        cma      2\n"
        "  pagesets\n"
        "    cpu: 0\n"
        "              count:    3\n"
        "  vm stats threshold: 4\n"
        "  all_unreclaimable: 5\n"
    )
    per_cpu = {0: {"count": 3, "vm stats threshold": 4}}
    zone = {"pages free": 1, "cma": 2, "pagesets": per_cpu, "all_unreclaimable": 5}
    assert procfs.parse_zoneinfo(text) == {"DMA32": zone}


# ---- /proc/buddyinfo ----


def test_buddyinfo_has_populated_zones_and_counts_isolated_chunks_too(kernel):
    free_area = kernel.zones[ZONE_NORMAL].free_area
    free_area[MIGRATE_UNMOVABLE][0] = range(5)
    free_area[MIGRATE_ISOLATE][10] = range(2)
    assert procfs.buddyinfo(kernel).splitlines() == [
        "Node 0, zone   Normal      5      0      0      0      0      0      0      0      0      0    258 ",
        "Node 0, zone  Movable      0      0      0      0      0      0      0      0      0      0     32 ",
    ]
    assert procfs.parse_buddyinfo(procfs.buddyinfo(kernel))["Movable"] == [0] * 10 + [32]


def test_buddyinfo_is_the_real_text_again():
    text = real("/proc/buddyinfo")
    seen = procfs.parse_buddyinfo(text)
    zones = [Zone(index) for index in range(4)]
    for zone in zones:
        for order, count in enumerate(seen.get(zone.name, [])):
            zone.present_pages = 1
            zone.free_area[MIGRATE_MOVABLE][order] = range(count)
    ours = procfs.buddyinfo(SimpleNamespace(zones=zones))
    assert ours == "".join(f"{line}\n" for line in text.splitlines() if line.startswith("Node 0,"))


# ---- /proc/pagetypeinfo ----


def test_pagetypeinfo(kernel):
    kernel.zones[ZONE_MOVABLE].free_area[MIGRATE_MOVABLE][0] = range(100_000)
    kernel.memmap.set_pageblock_migratetype(5 * GIB, MIGRATE_ISOLATE)
    text = procfs.pagetypeinfo(kernel)
    assert text.splitlines()[:10] == [
        "Page block order: 9",
        "Pages per block:  512",
        "",
        "Free pages count per migrate type at order       0      1      2      3      4      5      6 "
        "     7      8      9     10 ",
        "Node    0, zone   Normal, type    Unmovable " + "     0 " * 11,
        "Node    0, zone   Normal, type      Movable " + "     0 " * 10 + "   256 ",
        "Node    0, zone   Normal, type  Reclaimable " + "     0 " * 11,
        "Node    0, zone   Normal, type   HighAtomic " + "     0 " * 11,
        "Node    0, zone   Normal, type          CMA " + "     0 " * 11,
        "Node    0, zone   Normal, type      Isolate " + "     0 " * 11,
    ]
    assert "Node    0, zone  Movable, type      Movable >100000      0 " in text
    zero = "           0 "
    assert text.partition("\n\nNumber of blocks type ")[2] == (
        "    Unmovable      Movable  Reclaimable   HighAtomic          CMA      Isolate \n"
        f"Node 0, zone   Normal {zero}         512 {4 * zero}\n"
        f"Node 0, zone  Movable {zero}          63 {3 * zero}           1 \n"
    )


def test_pagetypeinfo_read_back(kernel):
    kernel.zones[ZONE_MOVABLE].free_area[MIGRATE_MOVABLE][0] = range(123_456)
    tables = procfs.parse_pagetypeinfo(procfs.pagetypeinfo(kernel))
    assert list(tables["free"]["Normal"]) == list(migratetype_names)
    assert tables["free"]["Movable"]["Movable"] == [100_000] + [0] * 9 + [32]
    assert tables["blocks"]["Movable"] == dict.fromkeys(migratetype_names, 0) | {"Movable": 64}


def test_pageblocks_count_where_their_zone_is_though_spans_overlap(kernel):
    kernel.zones[ZONE_NORMAL].spanned_pages = 2 * GIB
    assert blocks(kernel, "Normal")["Movable"] == 512


def test_pageblocks_of_offline_memory_are_not_counted(kernel):
    kernel.memmap.sections[32].online = False
    assert blocks(kernel, "Normal")["Movable"] == 512 - 64


def test_pageblocks_of_a_span_that_begins_inside_one(kernel):
    add_zone(kernel, ZONE_DMA, 0, PAGES_PER_SECTION)
    kernel.zones[ZONE_DMA].zone_start_pfn, kernel.zones[ZONE_DMA].spanned_pages = 1, 4095
    assert blocks(kernel, "DMA")["Movable"] == 8


def blocks(kernel, zone):
    return procfs.parse_pagetypeinfo(procfs.pagetypeinfo(kernel))["blocks"][zone]


def test_pagetypeinfo_is_the_real_text_again(monkeypatch):
    text = real("/proc/pagetypeinfo")
    seen = procfs.parse_pagetypeinfo(text)
    zones = [zone for zone in map(Zone, range(4)) if zone.name in seen["free"]]
    for zone in zones:
        zone.present_pages = 1
        for mtype, name in enumerate(migratetype_names):
            zone.free_area[mtype] = [range(count) for count in seen["free"][zone.name].get(name, [0] * 11)]
    blocks = {zone.name: seen["blocks"][zone.name] for zone in zones}
    in_order = {zone: [row.get(mtype, 0) for mtype in migratetype_names] for zone, row in blocks.items()}
    monkeypatch.setattr(procfs, "_block_counts", lambda kernel, zone: in_order[zone.name])
    ours = procfs.pagetypeinfo(SimpleNamespace(zones=zones))
    first_node = "Page block order:" + text.split("Page block order:")[1]
    assert (ours if " CMA " in text else without_cma(ours)) == first_node


def without_cma(text):
    """The same text of a kernel built without CMA: neither its lines nor its column."""
    free, number, blocks = re.sub(".* CMA ( +[0-9]+){11} \n", "", text).partition("\nNumber")
    column = slice(23 + 4 * 13, 23 + 5 * 13)
    lines = f"{number[1:]}{blocks}".splitlines()
    return f"{free}\n" + "".join(f"{line[: column.start]}{line[column.stop :]}\n" for line in lines)


def test_pagetypeinfo_of_a_kernel_with_page_owner_has_a_third_table():
    text = "Number of mixed blocks    Unmovable      Movable \nNode 0, zone      DMA        3        4 \n"
    assert procfs.parse_pagetypeinfo(text)["mixed"] == {"DMA": {"Unmovable": 3, "Movable": 4}}


# ---- /proc/meminfo ----


def test_meminfo(kernel):
    normal, movable = kernel.zones[ZONE_NORMAL], kernel.zones[ZONE_MOVABLE]
    normal.nr_free_pages -= 3
    normal.watermark_high, normal.lowmem_reserve = 1000, [0, 0, 0, 24]
    movable.nr_free_cma = 511
    kernel.memmap.fill(4 * GIB, 4 * GIB + 3, CODE["lru"])
    kernel.memmap.fill(4 * GIB + 3, 4 * GIB + 4, CODE["hwpoison"])
    kernel.memmap.fill(4 * GIB + 512, 4 * GIB + 513, CODE["hugetlb"])
    kernel.memmap.fill(4 * GIB + 1024, 4 * GIB + 1025, CODE["hugetlb_free"])
    kernel.memmap.set_pageblock_migratetype(5 * GIB, MIGRATE_CMA)
    assert procfs.meminfo(kernel) == (
        "MemTotal:        1179648 kB\n"
        "MemFree:         1179636 kB\n"
        "MemAvailable:    1175540 kB\n"
        "AnonPages:            12 kB\n"
        "HardwareCorrupted:     4 kB\n"
        "AnonHugePages:         0 kB\n"
        "CmaTotal:           2048 kB\n"
        "CmaFree:            2044 kB\n"
        "HugePages_Total:       2\n"
        "HugePages_Free:        1\n"
        "Hugepagesize:       2048 kB\n"
        "Hugetlb:            4096 kB\n"
    )
    assert procfs.parse_meminfo(procfs.meminfo(kernel))["MemTotal"] == 9 * 131072


def test_meminfo_counts_each_section_of_those_that_look_alike(kernel):
    for number in (32, 33, 34):
        kernel.memmap.sections[number].fill(0, PAGES_PER_SECTION, CODE["lru"])
    kernel.memmap.fill(32 * PAGES_PER_SECTION, 32 * PAGES_PER_SECTION + 1, CODE["slab"])
    assert procfs.parse_meminfo(procfs.meminfo(kernel))["AnonPages"] == 4 * (3 * PAGES_PER_SECTION - 1)


def test_meminfo_counts_pages_with_further_references(kernel):
    kernel.memmap.fill(4 * GIB, 4 * GIB + 4, CODE["lru"] | REFS)
    assert procfs.parse_meminfo(procfs.meminfo(kernel))["AnonPages"] == 16


def test_meminfo_of_a_terabyte_keeps_its_columns_on_the_left(kernel):
    kernel.zones[ZONE_NORMAL].managed_pages = 1024 * GIB - PAGES_PER_SECTION
    assert procfs.meminfo(kernel).startswith("MemTotal:       1073741824 kB\n")


def test_reserves_never_make_available_memory_negative(kernel):
    kernel.zones[ZONE_NORMAL].watermark_high = GIB
    kernel.zones[ZONE_NORMAL].nr_free_pages = 0
    kernel.zones[ZONE_MOVABLE].nr_free_pages = 0
    assert procfs.parse_meminfo(procfs.meminfo(kernel))["MemAvailable"] == 0


def test_meminfo_fields_have_the_real_columns(kernel):
    text = real("/proc/meminfo")
    fields = procfs.parse_meminfo(text)
    ours = procfs.meminfo(kernel)
    optional = ("Cma", "HardwareCorrupted", "AnonHugePages", "Huge")  # depend on how the kernel was built
    for line in ours.splitlines():
        name = line.split(":")[0]
        if name in fields or not name.startswith(optional):
            assert columns(line) == columns(re.search(rf"^{name}:.*", text, re.MULTILINE)[0])


def columns(line):
    """Where number and unit of a field end; None if the number is too long for its column."""
    return [match.end() for match in re.finditer(r"\S+", line)][1:] if len(line) <= 27 else None


# ---- what is none of these files ----


@pytest.mark.parametrize("name", ["zoneinfo", "buddyinfo", "pagetypeinfo", "meminfo"])
def test_a_parser_names_the_line_it_cannot_read(name):
    with pytest.raises(ValueError, match="who wrote: this"):
        getattr(procfs, f"parse_{name}")("who wrote: this\n")


# ---- a whole machine ----


@pytest.fixture
def machine():
    machine = Machine(boot_memory="256M", virtio_mem={"addr": "5G", "region": "8G"})
    machine.resize("192M")
    machine.write("memory41/state", "online_movable")
    return machine


def test_zoneinfo_tells_what_the_zones_are(machine):
    seen = procfs.parse_zoneinfo(machine.read("/proc/zoneinfo"))
    for zone in machine.kernel.zones:
        assert seen[zone.name]["pages free"] == zone.nr_free_pages
        assert seen[zone.name]["present"] == zone.present_pages
        assert seen[zone.name]["managed"] == zone.managed_pages
        assert seen[zone.name]["protection"] == zone.lowmem_reserve
    movable = seen["Movable"]
    assert movable["start_pfn"] == 41 * PAGES_PER_SECTION
    assert (movable["present"], movable["managed"]) == (32768, 16384)  # half of the block is plugged


def test_all_files_agree_on_free_memory(machine):
    machine.allocate("a", "10M")
    zones = procfs.parse_zoneinfo(machine.read("/proc/zoneinfo"))
    chunks = procfs.parse_buddyinfo(machine.read("/proc/buddyinfo"))
    types = procfs.parse_pagetypeinfo(machine.read("/proc/pagetypeinfo"))["free"]
    memory = procfs.parse_meminfo(machine.read("/proc/meminfo"))
    for name, counts in chunks.items():
        assert sum(count << order for order, count in enumerate(counts)) == zones[name]["pages free"]
        assert [sum(column) for column in zip(*types[name].values(), strict=True)] == counts
    assert memory["MemFree"] == 4 * sum(zone["pages free"] for zone in zones.values())
    assert memory["MemTotal"] == 4 * sum(zone["managed"] for zone in zones.values())


def test_isolated_memory_is_in_the_buddy_but_not_free(machine):
    before = procfs.parse_buddyinfo(machine.read("/proc/buddyinfo")), free_pages(machine)
    machine.isolate("block:41", "block:41+1024")
    assert procfs.parse_buddyinfo(machine.read("/proc/buddyinfo")) == before[0]
    assert free_pages(machine) == before[1] - 1024
    tables = procfs.parse_pagetypeinfo(machine.read("/proc/pagetypeinfo"))
    assert sum(n << order for order, n in enumerate(tables["free"]["Movable"]["Isolate"])) == 1024
    assert tables["blocks"]["Movable"]["Isolate"] == 2


def free_pages(machine):
    return procfs.parse_zoneinfo(machine.read("/proc/zoneinfo"))["Movable"]["pages free"]


def test_user_memory_is_anonymous(machine):
    before = procfs.parse_meminfo(machine.read("/proc/meminfo"))
    machine.allocate("a", "10M")
    machine.allocate("k", "2M", gfp="GFP_KERNEL")
    after = procfs.parse_meminfo(machine.read("/proc/meminfo"))
    assert after["AnonPages"] - before["AnonPages"] == 10 << 10
    assert before["MemFree"] - after["MemFree"] == 12 << 10


def test_an_offline_block_is_no_memory(machine):
    before = procfs.parse_meminfo(machine.read("/proc/meminfo"))["MemTotal"]
    machine.write("memory41/state", "offline")
    assert before - procfs.parse_meminfo(machine.read("/proc/meminfo"))["MemTotal"] == 64 << 10
    assert "Movable" not in procfs.parse_buddyinfo(machine.read("/proc/buddyinfo"))
