"""Is the web process on this machine ready? Exit code 0 if it is, 1 if not.

    python deploy/ready.py [SECONDS]     # how long to wait for it; not at all by default

Asks /readyz on RUNSITE_PORT. Standard library only.
"""

import os
import sys
import time
import urllib.request


def ready() -> bool:
    """Whether it answers with 200."""
    port = os.environ.get("RUNSITE_PORT") or "8000"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:  # refused, too slow, or another status
        return False


def main() -> int:
    """Ask until it is ready or the time is over."""
    deadline = time.monotonic() + float(sys.argv[1] if len(sys.argv) > 1 else 0)
    while not ready():
        if time.monotonic() >= deadline:
            return 1
        time.sleep(0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
