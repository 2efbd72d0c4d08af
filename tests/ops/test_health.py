"""``/readyz``: what makes a process useless, and what merely makes it worse."""

import asyncio
import socket
import threading
from contextlib import ExitStack, closing, suppress

import pytest
from django.db import DatabaseError
from django.test import AsyncClient

from runs.execution import engines, upstreams
from runs.models.database import in_database
from runsite import health, process


class Engine:
    """In the place of the engine: alive or not, and whether it executes runs itself."""

    def __init__(self, *, running: bool, executing: bool = True, unattended: bool = False):
        self.running = running
        self.executing = executing
        self.unattended = unattended


@pytest.fixture(autouse=True)
def fresh(monkeypatch, settings):
    """No answer of an earlier test, an engine that lives, no Redis, and no stop under way."""
    settings.REDIS_URL = None
    monkeypatch.setattr(health, "health", health.Health())
    monkeypatch.setattr(process, "current", process.Process())
    monkeypatch.setattr(engines, "current", lambda: Engine(running=True))


async def ready():
    response = await AsyncClient().get("/readyz")
    return response.status_code, response.json()


pytestmark = pytest.mark.django_db(transaction=True)


async def test_all_is_well():
    status, body = await ready()
    assert status == 200
    assert body == {
        "status": "ok",
        "checks": {"database": "ok", "schema": "ok", "draining": "ok", "executor": "ok"},
    }


async def test_a_dead_executor_takes_no_work(monkeypatch):
    monkeypatch.setattr(engines, "current", lambda: Engine(running=False))
    status, body = await ready()
    assert status == 503
    assert body["checks"]["executor"] == "fail"


async def test_a_stop_under_way_is_told_at_once():
    assert (await ready())[0] == 200
    process.current.draining = True
    status, body = await ready()
    assert status == 503
    assert body["checks"]["draining"] == "fail"


async def test_a_schema_that_is_behind(monkeypatch):
    monkeypatch.setattr(health, "schema_problem", lambda: "behind")
    status, body = await ready()
    assert status == 503
    assert body["checks"] | {"schema": "fail"} == body["checks"]


async def test_a_database_that_fails_is_told_without_its_words(monkeypatch, caplog):
    def broken():
        raise DatabaseError("secret host db.example is down")

    monkeypatch.setattr(health, "write_probe", broken)
    status, body = await ready()
    assert status == 503
    assert body["checks"]["database"] == "fail"
    assert "db.example" not in str(body)
    assert "the database does not answer" in caplog.text


async def test_probes_are_kept_for_two_seconds(monkeypatch):
    probes = []
    original = health.write_probe
    monkeypatch.setattr(health, "write_probe", lambda: probes.append(1) or original())
    for _ in range(5):
        await ready()
    assert len(probes) == 1


async def test_one_probe_at_a_time_however_long_it_takes(monkeypatch):
    """A database that hangs holds one of the threads that requests need, and not all."""
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)
    go = threading.Event()
    probes = []
    original = health.write_probe
    monkeypatch.setattr(health, "write_probe", lambda: probes.append(1) or go.wait(10))
    try:
        answers = await asyncio.gather(*(ready() for _ in range(5)))
        answers.append(await ready())
    finally:
        go.set()
    assert [body["checks"]["database"] for _, body in answers] == ["fail"] * 6
    assert len(probes) == 1
    await asyncio.wait([health.health.probing])
    monkeypatch.setattr(health, "write_probe", original)
    assert (await ready())[0] == 200


async def test_a_redis_that_takes_no_connection_is_told_in_time(settings):
    """Its machine drops what comes, as one does whose queue is full."""
    settings.RUNSITE_UPSTREAM_URL = "http://127.0.0.1:9/v1"
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as deaf, ExitStack() as stack:
        settings.REDIS_URL = f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"
        for _ in range(3):  # one is taken in by the system
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        async with asyncio.timeout(3 * health.PROBE_SECONDS):
            status, body = await ready()
    assert status == 200
    assert body["checks"]["redis"] == "degraded"


@pytest.mark.parametrize("answers", [True, False])
async def test_redis_is_asked_once_in_two_seconds(settings, answers):
    """However many ask, and nobody has to sign in for that."""
    settings.RUNSITE_UPSTREAM_URL = "http://127.0.0.1:9/v1"
    asked = []

    async def connected(reader, writer):
        asked.append(1)
        while answers and (words := await reader.read(4096)):
            writer.write(b"+OK\r\n" * words.count(b"*"))
        with suppress(TimeoutError):  # silent, or gone
            async with asyncio.timeout(10):
                await reader.read()
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as redis:
        port = redis.sockets[0].getsockname()[1]
        settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
        said = [*await asyncio.gather(*(ready() for _ in range(5))), await ready()]
    assert {body["checks"]["redis"] for _, body in said} == {"ok" if answers else "degraded"}
    assert {body["checks"]["database"] for _, body in said} == {"ok"}
    assert {body["status"] for _, body in said} == {"ok" if answers else "degraded"}
    assert {status for status, _ in said} == {200}
    assert len(asked) == 1


async def test_a_model_that_is_not_there_is_only_degraded(settings, monkeypatch):
    settings.RUNSITE_UPSTREAM_URL = None
    monkeypatch.setattr(upstreams, "local_model", lambda: type("Absent", (), {"alive": False})())
    status, body = await ready()
    assert status == 200
    assert body["status"] == "degraded"
    assert body["checks"]["model"] == "degraded"


@pytest.mark.parametrize(("unattended", "state"), [(False, "ok"), (True, "degraded")])
async def test_workers_that_are_all_gone_are_told_and_refuse_nothing(
    settings, monkeypatch, unattended, state
):
    settings.RUNSITE_UPSTREAM_URL = None
    engine = Engine(running=True, executing=False, unattended=unattended)
    monkeypatch.setattr(engines, "current", lambda: engine)
    status, body = await ready()
    assert status == 200
    assert body["status"] == body["checks"]["workers"] == state
    assert "model" not in body["checks"]  # the workers have it


async def test_the_schema_fits():
    assert await in_database(health.schema_problem) is None
