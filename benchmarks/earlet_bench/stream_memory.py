"""How much memory this process holds now."""

import os
from pathlib import Path


def resident_bytes() -> int | None:
    """Resident memory of this process; None where the system has no /proc."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
