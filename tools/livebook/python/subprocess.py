"""There are no processes in a page: what asyncio names of `subprocess`, and an error for who wants one."""

PIPE, STDOUT, DEVNULL = -1, -2, -3


class SubprocessError(Exception):
    """As in the standard library."""


class CalledProcessError(SubprocessError):
    """As in the standard library; never raised."""


class TimeoutExpired(SubprocessError):
    """As in the standard library; never raised."""


class Popen:
    """Raises OSError."""

    def __init__(self, *args: object, **keys: object) -> None:
        raise OSError("a page has no processes")


run = call = check_call = check_output = Popen
