"""Is the web process of this machine ready, or the worker? Exit code 0 if it is, 1 if not.

    python deploy/ready.py [SECONDS]            # how long to wait for it; not at all by default
    python deploy/ready.py --worker [SECONDS]

Asks /readyz where the process listens by RUNSITE_HOST and RUNSITE_PORT; of a worker, whether it
has touched its file in RUNSITE_DATA_DIR within the last ten seconds, as it does each second.
Standard library only.
"""

import os
import sys
import time
import urllib.request

SILENT_SECONDS = 10


def web_ready() -> bool:
    """Whether it answers with 200."""
    host = os.environ.get("RUNSITE_HOST") or "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - of all, loopback
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    port = os.environ.get("RUNSITE_PORT") or "8000"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://{host}:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:  # refused, too slow, or another status
        return False


def worker_ready() -> bool:
    """Whether its event loop has been round lately."""
    alive = os.path.join(os.environ.get("RUNSITE_DATA_DIR") or "var", "worker-alive")
    try:
        return time.time() - os.stat(alive).st_mtime < SILENT_SECONDS
    except OSError:
        return False


def main() -> int:
    """Ask until it is ready or the time is over."""
    arguments = sys.argv[1:]
    ready = web_ready
    if arguments[:1] == ["--worker"]:
        arguments, ready = arguments[1:], worker_ready
    deadline = time.monotonic() + float(arguments[0] if arguments else 0)
    while not ready():
        if time.monotonic() >= deadline:
            return 1
        time.sleep(0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
