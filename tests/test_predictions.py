"""Predictions of a reader, checked."""

import pytest

from mmsim import predict


@pytest.fixture
def seen(unit):
    machine = unit()
    machine.place(7, "slab")
    return machine, machine.attempt("isolate", 0, 512, ("REPORT_FAILURE",))


def test_what_comes_true(seen):
    verdict = predict(*seen, errno="EBUSY", dumped=[7], warns=0)
    assert verdict.right
    assert [line.split(" = ")[0] for line in str(verdict).splitlines()] == [
        "right: errno", "right: dumped", "right: warns"]


def test_what_does_not_is_answered(seen):
    verdict = predict(*seen, errno="0", dumped=[7])
    assert not verdict.right
    wrong, right = str(verdict).splitlines()
    assert wrong.startswith("wrong: errno = 0")
    assert "EBUSY" in wrong
    assert right.startswith("right: dumped")


def test_without_a_result_the_state_can_be_predicted(seen):
    machine, _ = seen
    assert predict(machine, blocks={"0": "online Normal", "1": "online Movable", "2": "absent"}).right
    assert not predict(machine, blocks={"1": "offline"}).right


def test_sizes_of_the_device_are_said_and_shown_as_sizes(virtio):
    machine = virtio(requested="64M")
    assert predict(machine, requested="64M", plugged=64 << 20).right
    verdict = predict(machine, requested={"min": "65M"}, plugged={"min": "1M", "max": "32M"})
    assert str(verdict) == (
        "wrong: requested = at least 65 MiB, not 64 MiB\nwrong: plugged = at least 1 MiB, at most 32 MiB, not 64 MiB")


@pytest.mark.parametrize("said", ["much", {"min": "65X"}])
def test_what_is_no_size_is_refused(virtio, said):
    with pytest.raises(ValueError, match="is not a size"):
        predict(virtio(), requested=said)


@pytest.mark.parametrize(("pages", "text"), [
    ([], "nothing"), ([1, 2, 3, 4], "0x1; 0x2; 0x3; 0x4"), ([1, 2, 3, 4, 5], "0x1; 0x2; 0x3; 0x4; … (5 in all)")])
def test_of_a_long_list_four_entries_are_shown(seen, pages, text):
    assert str(predict(*seen, dumped=pages)) == f"wrong: dumped = {text}, not 0x7"


def test_what_can_not_be_predicted_is_named(seen):
    with pytest.raises(ValueError, match="can't be predicted: 'weather'; known are"):
        predict(*seen, weather="fine")


def test_a_notebook_shows_a_table_with_everything_escaped(seen):
    table = predict(*seen, log=["<0>"], warns=0)._repr_html_()
    assert "✗ wrong" in table
    assert "✓ right" in table
    assert "&lt;0&gt;" in table
    assert "<0>" not in table


def test_nothing_predicted_is_not_right(seen):
    verdict = predict(*seen)
    assert not verdict.right
    assert str(verdict) == "nothing was predicted"
    assert "Nothing was predicted" in verdict._repr_html_()


@pytest.mark.parametrize("said", ["EBUSY", "-EBUSY", "ebusy", 16, -16, "16", "-16", " \u2212EBUSY "])
def test_an_errno_has_many_spellings(seen, said):
    assert predict(*seen, errno=said).right


def test_a_size_has_many_spellings(virtio):
    machine = virtio(requested="64M")
    assert all(predict(machine, plugged=said).right for said in ("64M", "64 MiB", 64 << 20, "67108864", "67,108,864"))
    assert not predict(machine, plugged="64K").right


@pytest.mark.parametrize(("key", "said", "expected"), [
    ("panic", "no", "panic: expected true or false, not 'no'"),
    ("dumped", None, "dumped: expected a list, not None"),
    ("errno", "EBIG", "errno: 'EBIG' is not an errno"),
    ("plugged", "much", "plugged: 'much' is not a size"),
    ("warns", "many", "warns: expected an integer"),
    ("zones", {"Highmem": None}, "zones.Highmem: expected one of DMA"),
])
def test_nonsense_gets_a_sentence_that_names_the_key(seen, key, said, expected):
    with pytest.raises(ValueError, match=expected):
        predict(*seen, **{key: said})


def test_pythons_own_values_are_taken(seen):
    assert predict(*seen, dumped=(7,), pageblocks={0: "Movable"}).right
