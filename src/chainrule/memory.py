"""How much memory there is."""

from __future__ import annotations

import contextlib
import os

__all__ = ["memory_left", "memory_limit", "physical_memory"]

#: Where a container's limit on memory is read: cgroups, version 2 and 1.
CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
#: And how much of it is taken.
CGROUPS_USED = (
    "/sys/fs/cgroup/memory.current",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes",
)


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


def memory_left(processes: int = 1) -> int:
    """The memory that this process may still take, in bytes: of the machine, and within its limits.

    Of several processes that share the machine, or container, each may take its part.
    """
    left = [physical_memory()]
    with contextlib.suppress(OSError, ValueError, StopIteration):
        with open("/proc/meminfo") as file:
            free = next(line for line in file if line.startswith("MemAvailable:"))
        left.append(int(free.split()[1]) * 1024)
    for limit, used in zip(CGROUPS, CGROUPS_USED, strict=True):
        with contextlib.suppress(OSError, ValueError), open(limit) as most, open(used) as now:
            left.append(int(most.read()) - int(now.read()))  # "max" is no number
    left = [min(left) // processes, memory_limit()]
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        most_pages = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most_pages != resource.RLIM_INFINITY:
            with open("/proc/self/statm") as file:
                left.append(most_pages - int(file.read().split()[0]) * resource.getpagesize())
    return max(0, min(left))
