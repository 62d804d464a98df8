"""Host, device, guest and driver: what is said is what was sent."""

import re

import pytest

from mmsim.chapters import virtio_mem


def asked(to, what=""):
    """The three moments of the chapter's scene."""
    lab = virtio_mem.asking()
    lab.inputs["to"].value, lab.inputs["what"].value = to, what
    return [lab.walk.look(step) for step in range(3)]


@pytest.mark.parametrize(("to", "what", "sent", "ends"), [
    (124, "", "UNPLUG: 4 MiB, in 1 request", "124 MiB are plugged, as the host has asked."),
    (64, "lru", "UNPLUG: 64 MiB, in 16 requests", "64 MiB are plugged, as the host has asked."),
    (0, "lru_pinned", "UNPLUG: 96 MiB, in 24 requests", "32 MiB are plugged, and 0 MiB were asked for."),
    (200, "", "PLUG: 72 MiB, in 1 request", "200 MiB are plugged, as the host has asked."),
    (128, "", "", "128 MiB are plugged, as the host has asked."),
])  # fmt: skip
def test_a_request_is_no_command(to, what, sent, ends):
    before, moment, after = asked(to, what)
    assert sent in after.picture.content
    assert after.says == ends
    assert not re.search("ONLINE|UNUSED|absent", after.picture.content), "no word of the driver's"
    assert ("tries again in 50 seconds" in after.picture.content) == (to == 0)
    assert "128 MiB are plugged" not in before.says
    assert f"requested size: {to} MiB" in moment.picture.content
    assert f"requested {to} MiB" in moment.picture.content, "the gauge says it too"
    assert "plugged 128 MiB" in moment.picture.content


def test_arrows_are_full_where_something_is_said():
    for view, said in zip(asked(64), (0, 2, 1), strict=True):
        assert view.picture.content.count("mmsim-now") == said
        assert view.picture.content.count("mmsim-quiet") == 3 - said


def test_what_is_next_is_what_the_driver_asks_for():
    lab = virtio_mem.orders()
    sent = [lab.walk.look(step).picture.title for step in range(6)]
    assert sent == [
        "PLUG 32 0 32, PLUG 33 0 32, PLUG 34 0 11", "No request", "UNPLUG 34 9 2",
        "UNPLUG 34 0 9 … UNPLUG 33 13 1 (20 requests)", "PLUG 33 13 15", "PLUG 33 28 4, PLUG 34 0 11",
    ]  # fmt: skip
    assert "absent" in lab.walk.look(3).picture.text, "the block has gone with its last subblock"
