"""The socket of the figures in the navigation."""

import json

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.test import Client

from runs.console import consumers
from runs.models import Member, Project
from runs.models.database import in_database
from runsite.asgi import websocket_application
from tests.console.test_socket import HOST, ORIGIN
from tests.factories import make_project, make_run, make_thread

pytestmark = pytest.mark.django_db(transaction=True)


class Tab:
    """A page of somebody signed in."""

    def __init__(self) -> None:
        self.project: Project = make_project()
        self.browser = Client()
        self.browser.force_login(User.objects.create_superuser("admin"))

    def socket(self) -> WebsocketCommunicator:
        cookie = f"runsite_session={self.browser.cookies['runsite_session'].value}".encode()
        headers = [(b"cookie", cookie), ORIGIN, HOST]
        return WebsocketCommunicator(
            websocket_application, "/console/ws/attention/", headers=headers
        )

    def wait_for_a_person(self) -> None:
        make_run(make_thread(self.project), "requires_action")


@pytest.fixture
async def tab(monkeypatch) -> Tab:
    monkeypatch.setattr(consumers, "LOOK_SECONDS", 0.01)
    return await in_database(Tab)


async def figures(socket: WebsocketCommunicator) -> dict[str, int]:
    return json.loads(await socket.receive_from(5))


async def test_it_tells_what_waits_and_runs_and_each_change(tab):
    socket = tab.socket()
    assert (await socket.connect(5))[0]
    assert await figures(socket) == {"waiting": 0, "running": 0}
    await in_database(tab.wait_for_a_person)
    assert await figures(socket) == {"waiting": 1, "running": 0}
    assert await socket.receive_nothing(0.1)
    await socket.disconnect()


async def test_it_ends_with_the_session(tab, monkeypatch):
    monkeypatch.setattr(consumers, "KEEP_ALIVE_SECONDS", 0)
    socket = tab.socket()
    assert (await socket.connect(5))[0]
    await figures(socket)
    await in_database(tab.browser.logout)
    assert await socket.receive_output(5) == {"type": "websocket.close", "code": consumers.SIGN_IN}


async def test_it_comes_back_in_another_project(tab, monkeypatch):
    monkeypatch.setattr(consumers, "KEEP_ALIVE_SECONDS", 0)
    socket = tab.socket()
    assert (await socket.connect(5))[0]
    await figures(socket)
    other = await in_database(make_project)
    choose = {"project": other.id}
    await in_database(tab.browser.post, "/console/projects/choose/", choose)
    assert await socket.receive_output(5) == {"type": "websocket.close", "code": consumers.DRAIN}


async def test_somebody_of_no_project_is_told_nothing(tab):
    await in_database(User.objects.update, is_staff=False)
    await in_database(Member.objects.all().delete)
    socket = tab.socket()
    assert (await socket.connect(5))[0]
    assert await socket.receive_output(5) == {"type": "websocket.close", "code": consumers.SIGN_IN}
