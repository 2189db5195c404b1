"""The memory of the loader's process: what is free goes back to the system.

Arrow's own allocators keep what was freed for the next use, which in a loader at full speed is a
copy of a whole tail, over and over in other sizes.
"""

import pyarrow as pa


def allocate_by_system() -> None:
    """Has Arrow ask the C library for memory; once, at the start of a process."""
    pa.set_memory_pool(pa.system_memory_pool())


def give_back() -> None:
    """Gives back what is free now."""
    pa.default_memory_pool().release_unused()
