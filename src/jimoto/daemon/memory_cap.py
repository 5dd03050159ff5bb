"""An upper limit on the memory of the process that calls it: a worker, before it loads a model.

A stranger's model file, schema or template can make a library allocate without end; then this
process ends, and the machine stays usable. On Linux the kernel keeps the limit (RLIMIT_AS). macOS
does not enforce it and Windows has none, and a graphics driver reserves far more addresses than
memory: there a thread looks once a second and ends the process.
"""

from __future__ import annotations

import os
import sys
import threading
import time

EXIT_CODE = 86  # of a process that was ended for its memory
LOOK_SECONDS = 1.0
# Addresses that are reserved and hardly used: allocator arenas and stacks of threads.
THREAD_BYTES = 128 * 2**20


def cap_memory(limit_bytes: int, has_gpu: bool = False) -> str:
    """Allow this process so many bytes more than it has now; says how: 'kernel' or 'watch'."""
    import psutil

    now = psutil.Process().memory_info()
    if sys.platform == "linux" and not has_gpu:
        import resource

        threads = THREAD_BYTES * min(os.cpu_count() or 1, 64)
        most = max(now.vms, now.vms + limit_bytes + threads)
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        return "kernel"
    watch(_used_bytes() + limit_bytes)
    return "watch"


def watch(limit_bytes: int, look_seconds: float = LOOK_SECONDS) -> None:
    """End this process as soon as it is seen to use more; a thread, which nothing waits for."""

    def look() -> None:
        while _used_bytes() <= limit_bytes:
            time.sleep(look_seconds)
        os._exit(EXIT_CODE)

    threading.Thread(target=look, daemon=True).start()


def _used_bytes() -> int:
    """Memory of this process: on Windows what it committed, elsewhere what is resident."""
    import psutil

    info = psutil.Process().memory_info()
    return int(getattr(info, "private", info.rss))
