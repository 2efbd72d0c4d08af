"""Is the web process of this machine ready, or the worker? Exit code 0 if it is, 1 if not.

    python deploy/ready.py [SECONDS]            # how long to wait for it; not at all by default
    python deploy/ready.py --worker [SECONDS]

Asks /readyz where the process listens by RUNSITE_HOST and RUNSITE_PORT; of a worker, whether it
has touched its file in RUNSITE_DATA_DIR within the last ten seconds, as it does each second.
Waits no longer for a process that has ended, where systemd names it by MAINPID.
If it is not ready, standard error says why. Standard library only.
"""

import http.client
import os
import sys
import time
import urllib.error
import urllib.request

SILENT_SECONDS = 10
SAID = 300  # characters of an answer that are told


def setting(name: str, default: str) -> str:
    """A variable, or the content of the file that NAME_FILE names."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        with open(path) as file:
            return file.read().strip() or default
    return os.environ.get(name) or default


def web() -> str:
    """Why the web process is not ready; nothing if it answers with 200."""
    host = setting("RUNSITE_HOST", "127.0.0.1")
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - of all, loopback
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    url = f"http://{host}:{setting('RUNSITE_PORT', '8000')}/readyz"
    # By a name that it serves: its own address need not be one.
    name = setting("RUNSITE_ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".")
    headers = {} if name in ("", "*") else {"Host": name}
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            return "" if answer.status == 200 else f"{url} answers {answer.status}"
    except urllib.error.HTTPError as refusal:
        text = refusal.read(SAID).decode(errors="replace")
        return f"{url} answers {refusal.code}: {text}"
    except (OSError, http.client.HTTPException) as fault:
        return f"{url} does not answer: {getattr(fault, 'reason', fault)}"


def worker(since: float) -> str:
    """Why the worker is not ready; nothing if its event loop has been round lately."""
    alive = os.path.join(setting("RUNSITE_DATA_DIR", "var"), "worker-alive")
    try:
        touched = os.stat(alive).st_mtime
    except OSError as fault:
        return f"the worker is not ready yet, or has ended: {fault}"
    if touched < since:
        return f"{alive} was last touched {time.time() - touched:.0f} s ago"
    return ""


def ended() -> bool:
    """Whether the process that systemd has started is gone."""
    try:
        os.kill(int(os.environ["MAINPID"]), 0)
    except ProcessLookupError:
        return True
    except (KeyError, PermissionError):  # not told which; or it lives, as another user's
        pass
    return False


def main() -> int:
    """Ask until it is ready, gone, or the time is over."""
    arguments = sys.argv[1:]
    of_worker = arguments[:1] == ["--worker"]
    seconds = float((arguments[of_worker:] or [0])[0])
    deadline = time.monotonic() + seconds
    # Who waits for a start is not content with what the worker before has touched.
    since = time.time() - (0 if seconds else SILENT_SECONDS)
    while True:
        gone = ended()
        why = "the process has ended" if gone else worker(since) if of_worker else web()
        if not why:
            return 0
        if gone or time.monotonic() >= deadline:
            sys.stderr.write(f"Not ready: {why}\n")
            return 1
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
