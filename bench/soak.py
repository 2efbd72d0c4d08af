"""What a site holds while it works for long: memory, open files, threads and asyncio's tasks of
each process, and connections to PostgreSQL, once a minute.

Five runs a second, each on a thread of its own; half are streamed, half are polled; every tenth
calls a tool and is answered. A figure that grows from the first half to the second is a leak.

``python -m bench.soak [MINUTES] [scaled]``; scaled: two web processes and two workers.
"""

import asyncio
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median

from bench.cancel import site_of
from tests.chaos.cluster import Site, Worker
from tests.live import LiveServer
from tests.process.client import Reader
from tests.upstream import Upstream

PER_SECOND = 5
SETTLE_SECONDS = 60  # caches, pools and threads fill up in the first minute
LOOK_SECONDS = 10

BACKENDS = "SELECT count(*) AS n FROM pg_stat_activity WHERE backend_type = 'client backend'"

Figures = dict[str, float]


def figures(site: Site) -> Figures:
    """What each process, and the database, hold now."""
    found: Figures = {}
    named = [*(("web", web) for web in site.webs)]
    named += [("worker", worker) for worker in site.workers if worker not in site.webs]
    for number, (kind, process) in enumerate(named):
        name = f"{kind} {number}"
        found[f"{name} MB"] = process.memory / 1e6
        found[f"{name} files"] = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        found[f"{name} threads"] = threads(process)
        found[f"{name} tasks"] = tasks(process)
    if hasattr(site, "redis"):
        (row,) = site.query(BACKENDS)
        found["backends"] = row["n"]
    return found


def threads(process: LiveServer) -> int:
    """The threads of a process."""
    return len(list(Path(f"/proc/{process.pid}/task").iterdir()))


def tasks(process: LiveServer) -> int:
    """The tasks of a process's loop, as it counts them itself."""
    told = process.data_dir / "tasks"
    told.unlink(missing_ok=True)
    process.signal(signal.SIGUSR1)
    while process.running and not told.exists():
        time.sleep(0.01)
    return int(told.read_text())


async def one(site: Site, number: int, outcomes: Counter[str]) -> None:
    """One run to its end, with the eyes of a client."""
    api = site.api(number % len(site.webs))
    model = "tools-1-then-text-20x5" if number % 10 == 0 else "text-20x5"
    try:
        if number % 10 == 0:
            run = await api.wait(await api.run(model), "requires_action", seconds=60)
            run = await api.wait(await api.answer(run), "completed", "failed", seconds=60)
            outcomes[run["status"]] += 1
        elif number % 2:
            reader = Reader(api)
            whole = await reader.create(await api.prepare(model))
            outcomes[reader.run["status"] if whole else "stream broken"] += 1
        else:
            run = await api.wait(await api.run(model), "completed", "failed", seconds=60)
            outcomes[run["status"]] += 1
    except Exception as fault:  # it is counted, and the next one begins
        outcomes[type(fault).__name__] += 1


async def soak(site: Site, minutes: float) -> tuple[Counter[str], list[Figures]]:
    """Work for so long; how the runs ended, and what was held meanwhile."""
    outcomes: Counter[str] = Counter()
    seen: list[Figures] = []
    running: set[asyncio.Task[None]] = set()
    began = time.monotonic()
    for number in range(int(minutes * 60 * PER_SECOND)):
        await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
        task = asyncio.create_task(one(site, number, outcomes))
        running.add(task)
        task.add_done_callback(running.discard)
        if number % (PER_SECOND * LOOK_SECONDS) == 0 and time.monotonic() - began > SETTLE_SECONDS:
            seen.append(await asyncio.to_thread(figures, site))
            if len(seen) % 6 == 1:
                tell(f"{time.monotonic() - began:5.0f} s", seen[-1])
    await asyncio.gather(*running)
    for api in site.apis.values():
        await api.http.aclose()
    return outcomes, seen


def tell(title: str, found: Figures) -> None:
    """One line."""
    sys.stdout.write(title + "".join(f"  {k} {v:.4g}" for k, v in found.items()) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Soak and print."""
    minutes = [float(word) for word in sys.argv[1:] if word.replace(".", "").isdigit()]
    for kind in (LiveServer, Worker):
        kind.command = (sys.executable, "-m", "tests.chaos.faulty", kind.command[-1])
    with Upstream() as upstream, site_of(upstream, scaled="scaled" in sys.argv) as site:
        outcomes, seen = asyncio.run(soak(site, minutes[0] if minutes else 20))
    half = len(seen) // 2
    for name, part in (("first half, median", seen[:half]), ("second half, median", seen[half:])):
        tell(name, {key: median(found[key] for found in part) for key in part[0]})
    tell("runs", dict(outcomes))


if __name__ == "__main__":
    main()
