"""``/readyz``: may this process be given new work?

503 only for what makes it useless: the database, a schema that does not fit, a drain under
way, a dead executor. What merely makes runs slower or fail one by one is ``degraded``.
"""

import asyncio
import logging
import time

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from runs.execution import engines, upstreams
from runs.models.database import in_database
from runsite import process

logger = logging.getLogger(__name__)

PROBE_SECONDS = 1.0
REDIS_SECONDS = 0.5  # less: a Redis that is silent must not look like a database that is
CACHE_SECONDS = 2.0  # a probe writes: many probers cost no more than one


def schema_problem() -> str | None:
    """Why the database does not fit this code, as a sentence; None if it does."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    known = executor.loader.disk_migrations or {}
    newer = [name for name in executor.loader.applied_migrations if name not in known]
    if any(app == "runs" for app, _ in newer):
        return "The database was made by a newer version of Runsite. Start that one."
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        with_engine = (
            " with RUNSITE_ENGINE=procrastinate, which has tables of its own"
            if settings.RUNSITE_ENGINE == "procrastinate"
            else ""
        )
        return f"The database is behind this version. Run: python manage.py migrate{with_engine}"
    return None


def write_probe() -> None:
    """Begin a transaction: on SQLite this takes the write lock."""
    with transaction.atomic(), connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT 1")


class Health:
    """The checks and their latest answers."""

    def __init__(self) -> None:
        self.schema_fits = False  # kept once true: the code of a process does not change
        self.probed_at = float("-inf")
        self.probed: dict[str, str] = {}
        self.probing: asyncio.Task[dict[str, str]] | None = None
        self.began = 0.0

    async def services(self) -> dict[str, str]:
        """The state of database, schema and Redis, at most two seconds old.

        One probe at a time, however many ask: each holds a thread that requests need, and one
        that got no answer in its second goes on to hold it.
        """
        if time.monotonic() - self.probed_at < CACHE_SECONDS:
            return self.probed
        if self.probing is None or self.probing.done():
            self.probing, self.began = asyncio.create_task(self.probe()), time.monotonic()
        probing = self.probing
        left = self.began + PROBE_SECONDS - time.monotonic()
        done, _ = await asyncio.wait([probing], timeout=max(left, 0))
        if not done:
            logger.warning("the database has not answered for a second")
        self.probed = probing.result() if done else {"database": "fail"}
        self.probed_at = time.monotonic()
        return self.probed

    async def probe(self) -> dict[str, str]:
        """Ask the database and Redis now."""
        database, redis = await asyncio.gather(self.database(), redis_state())
        return {**database, **redis}

    async def database(self) -> dict[str, str]:
        """Ask the database now."""
        try:
            await in_database(write_probe)
            if not self.schema_fits:
                self.schema_fits = await in_database(schema_problem) is None
        except Exception:  # any driver's error: all mean the same here
            logger.warning("the database does not answer", exc_info=True)
            return {"database": "fail"}
        return {"database": "ok", "schema": "ok" if self.schema_fits else "fail"}


health = Health()


async def redis_state() -> dict[str, str]:
    """Whether Redis answers, if it is used; without it readers of other processes poll the log."""
    if not settings.REDIS_URL:
        return {}
    from redis.asyncio import Redis  # noqa: PLC0415 - optional dependency

    client = Redis.from_url(str(settings.REDIS_URL))
    try:
        async with asyncio.timeout(REDIS_SECONDS):  # it tries more than once, each time to connect
            await client.ping()
    except Exception:  # whatever is wrong with it, it is not there
        return {"redis": "degraded"}
    else:
        return {"redis": "ok"}
    finally:
        await client.aclose()


async def ready(request: HttpRequest) -> JsonResponse:
    """200 or 503 with the state of each part; names only, no addresses or error texts."""
    checks = dict(await health.services())
    checks["draining"] = "fail" if process.current.draining else "ok"
    engine = engines.current()
    checks["executor"] = "ok" if engine.running else "fail"
    if not engine.executing:
        checks["workers"] = "degraded" if engine.unattended else "ok"
    elif not settings.RUNSITE_UPSTREAM_URL:
        checks["model"] = "ok" if upstreams.local_model().alive else "degraded"
    worst = next((state for state in ("fail", "degraded") if state in checks.values()), "ok")
    body = {"status": worst, "checks": checks}
    return JsonResponse(body, status=503 if worst == "fail" else 200)
