"""Linux's errno numbers, compared with those of the Linux that runs this test."""

import errno
import os
import sys

import pytest

from mmsim.sim import errnos

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the oracle is the host's own table: run this on Linux")


@ON_LINUX
@pytest.mark.parametrize(("number", "name"), errnos.errorcode.items())
def test_number_and_message_are_those_of_linux(number, name):
    assert getattr(errno, name) == number
    assert errnos.messages[number] == os.strerror(number)


def test_every_number_has_a_message():
    assert set(errnos.messages) == set(errnos.errorcode)
