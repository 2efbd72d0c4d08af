"""A pool that is empty: requests are told so in time, and are served again afterwards."""

import asyncio
import threading
import time
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import AsyncClient, Client

from runs.models import Run
from runs.models import database as databases
from runs.models.database import close_threads, in_database
from tests.api.client import Api, check_busy, error_of
from tests.api.sse import SECONDS
from tests.factories import make_assistant, make_project, make_thread

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@contextmanager
def small_pool():
    """A pool of two, for which nobody waits long; gives the two away meanwhile."""
    connection.close_pool()
    close_threads()
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
