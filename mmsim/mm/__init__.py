"""Linux memory management, v5.8 with any of the series' patches; modules are named after the kernel's files."""
