"""How much memory there is for data."""

from pathlib import Path


def available() -> int | None:
    """Bytes that a process may still take, by the kernel and by its control group; None where neither says so."""
    found = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    except (OSError, ValueError):
        pass
    try:
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        cached = [
            line for line in (group / "memory.stat").read_text().splitlines() if line.startswith("inactive_file ")
        ]
        found.append(max(limit - used + sum(int(line.split()[1]) for line in cached), 0))
    except (OSError, ValueError):  # no such group, or "max": no limit
        pass
    return min(found) if found else None
