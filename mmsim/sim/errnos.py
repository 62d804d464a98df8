"""Linux's errno numbers (include/uapi/asm-generic/errno-base.h, errno.h), whatever system this runs on.

Python's own module has those of the host, and they differ: in a browser number 1 is not EPERM but E2BIG. So the
name of a modelled errno is `errorcode[error.errno]` of this module, not of `errno`.
"""

EPERM = 1
ENOENT = 2
EINTR = 4
EIO = 5
ENXIO = 6
EAGAIN = 11
ENOMEM = 12
EACCES = 13
EFAULT = 14
EBUSY = 16
EEXIST = 17
ENODEV = 19
EINVAL = 22
ETXTBSY = 26
ENOSPC = 28
ERANGE = 34
EOPNOTSUPP = 95
ETIMEDOUT = 110

errorcode = {number: name for name, number in list(globals().items()) if name.startswith("E")}

messages = {
    EPERM: "Operation not permitted",
    ENOENT: "No such file or directory",
    EINTR: "Interrupted system call",
    EIO: "Input/output error",
    ENXIO: "No such device or address",
    EAGAIN: "Resource temporarily unavailable",
    ENOMEM: "Cannot allocate memory",
    EACCES: "Permission denied",
    EFAULT: "Bad address",
    EBUSY: "Device or resource busy",
    EEXIST: "File exists",
    ENODEV: "No such device",
    EINVAL: "Invalid argument",
    ETXTBSY: "Text file busy",
    ENOSPC: "No space left on device",
    ERANGE: "Numerical result out of range",
    EOPNOTSUPP: "Operation not supported",
    ETIMEDOUT: "Connection timed out",
}

subclasses: dict[int, type[OSError]] = {
    EPERM: PermissionError,
    ENOENT: FileNotFoundError,
    EINTR: InterruptedError,
    EAGAIN: BlockingIOError,
    EACCES: PermissionError,
    EEXIST: FileExistsError,
    ETIMEDOUT: TimeoutError,
}


def os_error(number: int, message: str, what: str | None = None) -> OSError:
    """The exception that Python on Linux raises for this errno; `what` is the file or call it is about.

    `OSError(number, ...)` would take the subclass from the host's table, and an exception without arguments
    does not look there. Its errno is Linux's number: name it with `mmsim.sim.errnos.errorcode`.
    """
    error = subclasses.get(number, OSError)()
    error.args = (number, message)
    error.errno, error.strerror = number, message
    if what is not None:
        error.filename = what
    return error
