"""The socket of a run's page: who may read, what comes, and how it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.test import Client

from runs.console import consumers
from runs.contract.status import RunStatus
from runs.events.hub import hub
from runs.models import Member, Project, Run
from runs.models.database import in_database
from runs.operations import cancel_run, delete_thread
from runs.wire.deltas import text_delta
from runs.wire.objects import run_object
from runsite.asgi import websocket_application
from tests.console.pages import targets, text_of
from tests.factories import (
    make_events,
    make_message,
    make_project,
    make_run,
    make_step,
    make_thread,
)

pytestmark = pytest.mark.django_db(transaction=True)

ORIGIN = (b"origin", b"http://testserver")
HOST = (b"host", b"testserver")


class Page:
    """A run that is under way, and the browser that looks at it."""

    def __init__(self, status: str = RunStatus.IN_PROGRESS) -> None:
        self.project: Project = make_project()
        self.run: Run = make_run(make_thread(self.project), status)
        self.message = make_message(
            self.run.thread, role="assistant", run=self.run, content=[], status="in_progress"
        )
        self.step = make_step(self.run, message_id=self.message.id)
        self.browser = Client()
        self.browser.force_login(User.objects.create_superuser("admin"))

    @property
    def cookie(self) -> tuple[bytes, bytes]:
        """The session, as a browser sends it."""
        return (
            b"cookie",
            f"runsite_session={self.browser.cookies['runsite_session'].value}".encode(),
        )

    def say(self, *texts: str) -> None:
        """Let the run's message grow, for all who read it."""
        facts = [
            ("thread.message.delta", text_delta(self.message.id, 0, text, first=False))
            for text in texts
        ]
        hub.publish(self.run.id, make_events(self.run, *facts))

    @asynccontextmanager
    async def socket(
        self, after: int | str = 0, run_id: str = "", headers: Any = None
    ) -> AsyncIterator[WebsocketCommunicator]:
        """A socket of this page."""
        path = f"/console/ws/runs/{run_id or self.run.id}/?after={after}"
        given = headers if headers is not None else [self.cookie, ORIGIN, HOST]
        communicator = WebsocketCommunicator(websocket_application, path, headers=given)
        accepted, code = await communicator.connect(timeout=5)
        assert accepted, code
        try:
            yield communicator
        finally:
            await communicator.disconnect()


async def closing(communicator: WebsocketCommunicator) -> int:
    """The close code, after whatever frames come before it."""
    while True:
        message = await communicator.receive_output(timeout=5)
        if message["type"] == "websocket.close":
            return int(message["code"])


@pytest.fixture
def page() -> Page:
    return Page()


async def test_it_sends_what_happened_and_what_happens(page):
    await in_database(page.say, "before ")
    async with page.socket() as socket:
        first = json.loads(await socket.receive_from(5))
        assert (first["after"], first["number"]) == (0, 1)
        await in_database(page.say, "now")
        second = json.loads(await socket.receive_from(5))
        assert (second["after"], second["number"]) == (1, 2)
        assert text_of(second["content"]) == "now"


@pytest.mark.slow
async def test_text_that_comes_faster_than_a_screen_shows_it_is_gathered(page, monkeypatch):
    monkeypatch.setattr(consumers, "GATHER_SECONDS", 2)
    async with page.socket() as socket:
        await in_database(page.say, "at once")
        assert text_of(json.loads(await socket.receive_from(5))["content"]) == "at once"
        await in_database(page.say, "one ", "two ")
        await in_database(page.say, "three")
        gathered = json.loads(await socket.receive_from(5))
        assert (gathered["after"], gathered["number"]) == (1, 4)
        assert text_of(gathered["content"]) == "one two three"


async def test_it_goes_on_after_the_cursor(page):
    await in_database(page.say, "one", "two", "three")
    async with page.socket(after=2) as socket:
        frame = await socket.receive_from(5)
        assert json.loads(frame)["after"] == 2
        assert text_of(json.loads(frame)["content"]) == "three"


@pytest.mark.parametrize("after", ["-1", "x", "²", "", "9" * 5000])
async def test_a_cursor_that_is_no_number_starts_at_the_beginning(page, after):
    await in_database(page.say, "one")
    async with page.socket(after=after) as socket:
        assert json.loads(await socket.receive_from(5))["after"] == 0


async def test_a_cursor_past_the_end_waits(page):
    await in_database(page.say, "one")
    async with page.socket(after=1000) as socket:
        assert await socket.receive_nothing(0.3)


async def test_a_finished_run_says_so(page):
    run = await in_database(lambda: make_run(make_thread(page.project), RunStatus.COMPLETED))
    async with page.socket(run_id=run.id) as socket:
        assert await closing(socket) == consumers.FINISHED


async def test_the_end_of_a_run_closes_with_everything_shown(page):
    async with page.socket() as socket:
        await in_database(page.say, "text")
        await socket.receive_from(5)
        await in_database(end, page.run)
        frame = await socket.receive_from(5)
        assert targets(frame) == ["#run-head", "#steps", "#desk-state"]
        assert await closing(socket) == consumers.FINISHED


def end(run):
    Run.objects.filter(id=run.id).update(status=RunStatus.COMPLETED)
    run.refresh_from_db()
    hub.publish(run.id, make_events(run, ("thread.run.completed", run_object(run))))


async def test_it_stays_open_while_the_run_waits_for_outputs():
    page = await in_database(Page, RunStatus.REQUIRES_ACTION)
    async with page.socket() as socket:
        assert await socket.receive_nothing(0.3)
        await in_database(cancel_run, page.run)
        assert "#run-head" in targets(await socket.receive_from(5))
        assert await closing(socket) == consumers.FINISHED


async def test_a_deleted_thread_closes_the_socket(page):
    async with page.socket() as socket:
        await in_database(page.say, "text")
        await socket.receive_from(5)
        await in_database(delete_thread, page.run.thread)
        assert await closing(socket) == consumers.GONE


async def test_a_run_of_another_project_is_not_there(page):
    foreign = await in_database(lambda: make_run(make_thread(make_project())))
    for run_id in (foreign.id, "run_unknown"):
        async with page.socket(run_id=run_id) as socket:
            assert await closing(socket) == consumers.GONE


async def test_nobody_signed_in_reads_nothing(page):
    await in_database(page.say, "secret")
    async with page.socket(headers=[ORIGIN, HOST]) as socket:
        output = await socket.receive_output(5)
        assert output == {"type": "websocket.close", "code": consumers.SIGN_IN}


async def test_a_user_who_is_no_operator_reads_nothing(page):
    await in_database(User.objects.update, is_staff=False)
    async with page.socket() as socket:
        assert await closing(socket) == consumers.SIGN_IN


async def test_a_session_that_ends_ends_its_sockets(page, monkeypatch):
    monkeypatch.setattr(consumers, "KEEP_ALIVE_SECONDS", 0)
    async with page.socket() as socket:
        await in_database(page.say, "seen")
        await socket.receive_from(5)
        await in_database(page.browser.logout)
        await in_database(page.say, "unseen")
        output = await socket.receive_output(5)
        assert output == {"type": "websocket.close", "code": consumers.SIGN_IN}


async def test_another_role_ends_its_sockets_and_the_page_comes_back(page, monkeypatch):
    monkeypatch.setattr(consumers, "KEEP_ALIVE_SECONDS", 0)

    def give(role):
        user = User.objects.get()
        User.objects.update(is_staff=False)
        Member.objects.update_or_create(project=page.project, user=user, defaults={"role": role})

    await in_database(give, "operator")
    async with page.socket() as socket:
        await in_database(page.say, "seen")
        await socket.receive_from(5)
        await in_database(give, "reader")
        await in_database(page.say, "unseen")
        output = await socket.receive_output(5)
        assert output == {"type": "websocket.close", "code": consumers.DRAIN}
    async with page.socket(after=2) as socket:
        await in_database(page.say, "seen")
        await socket.receive_from(5)
        await in_database(Member.objects.all().delete)
        await in_database(page.say, "unseen")
        output = await socket.receive_output(5)
        assert output == {"type": "websocket.close", "code": consumers.GONE}
    async with page.socket() as socket:
        assert await closing(socket) == consumers.SIGN_IN


async def test_a_user_has_so_many_sockets_and_no_more(page, monkeypatch):
    monkeypatch.setattr(consumers, "SOCKETS", 2)
    other = await in_database(lambda: User.objects.create_superuser("eve"))
    browser = Client()
    await in_database(browser.force_login, other)
    theirs = f"runsite_session={browser.cookies['runsite_session'].value}".encode()
    await in_database(page.say, "text")
    async with page.socket() as one, page.socket() as two:
        await one.receive_from(5)
        await two.receive_from(5)
        async with page.socket() as third:
            output = await third.receive_output(5)
            assert output == {"type": "websocket.close", "code": consumers.TOO_MANY}
        async with page.socket(headers=[(b"cookie", theirs), ORIGIN, HOST]) as eves:
            assert await eves.receive_from(5)
        await two.disconnect()
        async with page.socket() as third:
            assert await third.receive_from(5)
    assert not consumers.open_sockets


async def test_a_page_must_not_send(page):
    async with page.socket() as socket:
        await socket.send_to(text_data="hello")
        assert await closing(socket) == consumers.RECEIVE_ONLY


@pytest.mark.parametrize(
    "origin", [[], [b"null"], [b"http://evil.example"], [b"http://testserver:1234"]]
)
async def test_another_origin_is_refused_before_the_handshake(page, origin):
    headers = [page.cookie, HOST, *((b"origin", value) for value in origin)]
    communicator = WebsocketCommunicator(
        websocket_application, f"/console/ws/runs/{page.run.id}/", headers=headers
    )
    accepted, code = await communicator.connect()
    assert (accepted, code) == (False, 4403)


async def test_leaving_ends_the_reading(page):
    async with page.socket() as socket:
        await in_database(page.say, "text")
        await socket.receive_from(5)
        assert hub.readers() == 1
    await asyncio.sleep(0)
    assert hub.readers() == 0
