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


# -- exceptions ----------------------------------------------------------------------------------------


@ON_LINUX
@pytest.mark.parametrize("number", errnos.errorcode)
def test_an_exception_is_the_one_that_python_on_linux_raises(number):
    ours, python = errnos.os_error(number, "no", "it"), OSError(number, "no", "it")
    assert type(ours) is type(python)
    assert (ours.errno, ours.strerror, ours.filename) == (number, "no", "it")
    assert (str(ours), ours.args) == (str(python), python.args)


@pytest.mark.parametrize("number", errnos.errorcode)
def test_its_class_is_looked_up_in_our_table_and_not_in_the_hosts(monkeypatch, number):
    """On a host with other numbers, as a browser is: there 12 would be a ChildProcessError."""
    for table, wanted in (({}, OSError), ({number: IsADirectoryError}, IsADirectoryError)):
        monkeypatch.setattr(errnos, "subclasses", table)
        error = errnos.os_error(number, "no", "it")
        assert (type(error), error.errno) == (wanted, number)


def test_an_exception_can_be_about_nothing_in_particular():
    assert str(errnos.os_error(errnos.EIO, "no")) == "[Errno 5] no"
