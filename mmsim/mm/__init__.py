"""Linux memory management, v5.8 with any changes of `mmsim.series`; what models a file of the kernel has its name."""
