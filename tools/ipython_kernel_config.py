"""How notebooks' kernels run here: installed into the environment by the Makefile."""

from ipykernel.iostream import OutStream

# Spares every notebook's start a warning that the kernel talks TCP, which it does on this machine alone.
c.IPKernelApp.log_level = "ERROR"  # noqa: F821

# What a cell prints comes as one message, also on a slow machine: of two the book's build would make two paragraphs.
OutStream.flush_interval = 60  # seconds; the end of a cell flushes anyway
