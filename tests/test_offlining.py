"""The chapter's offlining, step by step: numbered captions, and a run that fails opens where it is decided."""

import pytest

from mmsim.chapters import memory_blocks

WAYS = [(way, zone) for way in memory_blocks.IN_THE_WAY for zone in memory_blocks.ZONES.values()]
DECIDED = {
    ("an objection of B", "Normal"): "3 Tell", ("an objection of B", "Movable"): "3 Tell",
    ("pinned pages", "Normal"): "4 Migrate", ("pinned pages", "Movable"): "4 Migrate",
    ("kernel data", "Normal"): "2 Isolate", ("kernel data", "Movable"): "5 Test",
    ("no free memory elsewhere", "Normal"): "4 Migrate", ("no free memory elsewhere", "Movable"): "4 Migrate",
    ("boot allocations", "Normal"): "2 Isolate", ("boot allocations", "Movable"): "2 Isolate",
    ("pages in a pagevec", "Normal"): "2 Isolate",
}  # fmt: skip
LOGGED = {
    "kernel data": ("unmovable page", "failed to isolate pfn d000"), "pinned pages": ("ret:300", "ret:300"),
    "no free memory elsewhere": ("ret:-12", "ret:-12"), "boot allocations": ("flags: (reserved)", "flags: (reserved)"),
}  # fmt: skip


def views(way, zone):
    """All steps of a run, and the one that is seen first."""
    walk = memory_blocks.offlining(way, zone).walk
    return [walk.look(step) for step in range(1, walk.telling.last + 1)], walk.look(walk.slider.value)


@pytest.mark.parametrize(("way", "zone"), WAYS)
def test_the_captions_number_the_steps(way, zone):
    says = [view.says for view in views(way, zone)[0]]
    numbers = [int(said[0]) for said in says if said[0].isdigit()]
    assert numbers == list(range(1, numbers[-1] + 1)), "as the slider counts"
    assert all(said.startswith(("Undone.", "Cancelled.", "The end.")) for said in says[len(numbers) :])


@pytest.mark.parametrize(("way", "zone"), WAYS)
def test_a_run_that_fails_opens_at_the_step_that_decides(way, zone):
    assert views(way, zone)[1].says.startswith(DECIDED.get((way, zone), "1 Look"))


@pytest.mark.parametrize(("way", "zone"), WAYS)
def test_what_has_moved_stays_only_where_something_had(way, zone):
    steps = [view.says for view in views(way, zone)[0]]
    undone = [said for said in steps if said.startswith("Undone.")]
    moved = any("have been migrated" in said for said in steps)
    words = "What has moved stays" if moved else "Nothing had moved"
    assert all(words in said for said in undone)


@pytest.mark.parametrize(("way", "zone"), [pair for pair in WAYS if pair[0] in LOGGED])
def test_the_log_below_says_why(way, zone):
    words = LOGGED[way][zone == "Movable"]
    seen = "\n".join(str(figure) for figure in views(way, zone)[1].after)
    assert words in seen
    assert "The first 4 of 40 lines." in seen or "3 lines." in seen


def test_the_new_blocks_have_no_log_of_their_own():
    lab = memory_blocks.added()
    assert [lab.walk.look(0).after, "Offlined" in str(lab.picture)] == [[], False]
    lab.happen("online_movable > memory1/state")
    assert lab.walk.look(1).says == "Step 1 of 1: online_movable > memory1/state: done."
    lab.happen("offline > memory1/state")
    assert str(lab.walk.look(2).after[0]).count("Offlined Pages") == 1
