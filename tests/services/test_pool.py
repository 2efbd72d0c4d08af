"""A pool that is empty: requests are told so in time, and are served again afterwards."""

import asyncio
import threading
import time
from contextlib import contextmanager

import pytest
from asgiref.sync import SyncToAsync
from django.db import OperationalError, connection, connections
from django.test import AsyncClient, Client
from django.utils import timezone

from runs.api import streaming
from runs.contract import limits
from runs.events.hub import hub
from runs.events.log import Event
from runs.models import ApiKey, Run
from runs.models import database as databases
from runs.models.database import close_threads, in_database, in_writer
from tests.api.client import Api, check_busy, error_of
from tests.api.sse import DONE, SECONDS, Stream
from tests.api.streaming import url_of
from tests.factories import make_assistant, make_project, make_run, make_thread

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@contextmanager
def small_pool():
    """A pool of two, for which nobody waits long."""
    close_threads()
    # Under Django's test client the thread of the sync views keeps the connection it had last.
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
    connection.close_pool()
    settings, options = connection.settings_dict, dict(connection.settings_dict["OPTIONS"])
    settings["OPTIONS"] = options | {"pool": {"min_size": 1, "max_size": 2, "timeout": 0.2}}
    try:
        yield
    finally:
        connection.close_pool()
        settings["OPTIONS"] = options


@contextmanager
def taken():
    """All connections of the pool are with somebody else."""
    pool = connection.pool
    pool.open()
    held = [pool.getconn() for _ in range(2)]
    try:
        yield
    finally:
        for one in held:
            pool.putconn(one)


async def test_an_empty_pool_is_503_in_the_api_s_shape():
    """Views of both kinds; nothing was stored, and the same call is taken afterwards."""

    def scene():
        project = make_project()
        thread, assistant = make_thread(project), make_assistant(project)
        return Api(project), f"/v1/threads/{thread.id}/runs", {"assistant_id": assistant.id}

    api, path, body = await in_database(scene)
    calls = [
        ("GET", path, None),
        ("POST", path, body),
        ("POST", path, body | {"stream": True}),
        ("POST", "/v1/threads/runs", body),
        ("POST", "/v1/threads", {}),
    ]
    assert (await api.acall("GET", path)).status_code == 200
    with small_pool():
        with taken():
            for method, url, sent in calls:
                answer = await api.acall(method, url, sent)
                check_busy(answer)
            ready = await AsyncClient().get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["checks"]["database"] == "fail"
        assert await in_database(Run.objects.count) == 0
        for method, url, sent in calls[:2]:
            assert (await api.acall(method, url, sent)).status_code == 200


async def test_the_executor_takes_none_of_the_connections_of_requests():
    with small_pool(), taken():
        assert await in_writer(Run.objects.count) == 0
        with pytest.raises(OperationalError):
            await in_database(Run.objects.count)


@pytest.mark.parametrize("patience", [0.01, 1.0], ids=["late", "soon"])
async def test_a_stream_goes_on_while_its_key_cannot_be_looked_up(monkeypatch, patience):
    """Whether the database says so while the stream waits, or later. A key that was revoked
    meanwhile ends it once the database answers."""
    monkeypatch.setattr(limits, "KEEP_ALIVE_SECONDS", 0.05)
    monkeypatch.setattr(streaming, "KEY_SECONDS", patience)

    def scene():
        project = make_project()
        return Api(project), make_run(make_thread(project))

    api, run = await in_database(scene)
    with small_pool():
        stream = Stream.of(await api.acall("GET", f"{url_of(run)}/stream"))
        assert await stream.next() == [": ping"]
        with taken():
            for number in range(1, 11):
                hub.publish(run.id, [Event(number, number - 1, "thread.x", "{}")])
                await stream.until("x", number)
                await asyncio.sleep(0.06)
            await in_writer(lambda: ApiKey.objects.update(revoked_at=timezone.now()))
        assert DONE not in await stream.rest()
    assert hub.readers() == 0


@pytest.mark.parametrize("path", ["/console/runs/", "/admin/", "/console/login/"])
def test_an_empty_pool_is_503_on_a_page(path, admin_user):
    """Whether the view asks the database, or only what stands before it."""
    browser = Client(raise_request_exception=False)
    browser.force_login(admin_user)
    connection.close()
    with small_pool(), taken():
        answer = browser.get(path)
    assert answer.status_code == 503
    assert "The server is busy" in answer.content.decode()
    assert answer["retry-after"] == "1"


async def test_a_request_that_waits_too_long_for_its_turn_is_told_so(monkeypatch):
    """What stands before it is slow: it is answered all the same, and soon."""
    monkeypatch.setattr(databases, "WAIT_SECONDS", 0.1)

    def scene():
        project = make_project()
        return Api(project), f"/v1/threads/{make_thread(project).id}/runs/run_x"

    api, path = await in_database(scene)
    go = threading.Event()
    slow = [asyncio.create_task(in_database(go.wait, SECONDS)) for _ in range(4)]
    behind = [asyncio.create_task(api.acall("GET", path)) for _ in range(50)]
    while databases.readers()._work_queue.qsize() < len(behind):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.15)
    go.set()
    started = time.monotonic()
    for answer in await asyncio.gather(*behind):
        error_of(answer, 503)
        assert answer["retry-after"] == "1"
    assert time.monotonic() - started < 5
    await asyncio.gather(*slow)
    error_of(await api.acall("GET", path), 404)
