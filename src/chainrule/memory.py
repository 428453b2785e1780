"""How much memory there is."""

from __future__ import annotations

import os

__all__ = ["memory_limit", "physical_memory"]

#: Where a container's limit on memory is read: cgroups, version 2 and 1.
CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_limit() -> int:
    """The memory that this process may use, in bytes: the machine's, or less by a limit set on it."""
    limits = [physical_memory()]
    try:
        import resource
    except ImportError:  # not on Windows
        return limits[0]
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        soft = resource.getrlimit(kind)[0]
        if soft != resource.RLIM_INFINITY:
            limits.append(soft)
    for path in CGROUPS:
        try:
            with open(path) as file:
                limits.append(int(file.read()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return min(limits)


def physical_memory() -> int:
    """This machine's memory in bytes; 8 GiB where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 8 << 30
