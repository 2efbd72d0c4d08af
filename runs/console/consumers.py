"""The sockets of pages: receive-only; a run's catches up by itself after any break.

Close codes: 4000 the server is going down, come back; 4001 the run has ended; 4400 a client
must not send; 4401 sign in; 4404 no such run in this project; 4429 its user has too many sockets.
"""

import asyncio
import json
import logging
import re
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict, replace
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from runs.console import render
from runs.console.attention import attention
from runs.console.pages import Seat, seat_of, with_id
from runs.console.zones import zone_of
from runs.contract.limits import KEEP_ALIVE_SECONDS, SOCKETS
from runs.contract.roles import NEEDS
from runs.contract.status import TERMINAL
from runs.events.follow import follow
from runs.events.log import Event
from runs.models import Project, Run
from runs.models.database import in_database
from runs.operations import role_in

logger = logging.getLogger(__name__)

NUMBER = re.compile("[0-9]{1,18}")  # fits the column of event numbers

LOOK_SECONDS = 1.0  # between two looks at the figures of the navigation

#: From one frame of text to the next, which has what comes meanwhile: a frame costs the server
#: about 0.15 ms for each who watches, however little is in it.
GATHER_SECONDS = 0.03

DRAIN = 4000
FINISHED = 4001
RECEIVE_ONLY = 4400
SIGN_IN = 4401
GONE = 4404
TOO_MANY = 4429

#: How many sockets each user has in this process, by the user's number. One loop serves them all.
open_sockets: Counter[int | None] = Counter()


class PageConsumer(AsyncWebsocketConsumer):
    """A socket that only sends, for as long as its session may read it."""

    channel_layer_alias = "sockets"
    route = ""  # its name in the table of roles
    sending: asyncio.Task[None] | None = None
    checked_at = 0.0

    async def connect(self) -> None:
        """Accept, and start sending. A refusal is a close code, which needs an open socket."""
        await self.accept()
        self.sending = asyncio.create_task(self.send_to_the_end())

    async def disconnect(self, code: int) -> None:
        """Stop sending."""
        if self.sending is not None:
            self.sending.cancel()
            with suppress(asyncio.CancelledError):
                await self.sending

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Pages change things by forms, which carry a CSRF token; sockets have none."""
        await self.close(RECEIVE_ONLY)

    async def send_to_the_end(self) -> None:
        """Send all there is, then close with a code that says why."""
        try:
            self.checked_at = time.monotonic()
            seat = await in_database(admitted, self.scope, self.route)
            code = SIGN_IN if seat is None else await self.serve_one_more(seat)
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("a page could not be kept live")
            code = DRAIN  # the page comes back and catches up
        await self.close(code)

    async def serve_one_more(self, seat: Seat) -> int:
        """Serve, unless its user has as many sockets as one may."""
        user = seat.user_id
        if open_sockets[user] >= SOCKETS:
            return TOO_MANY
        open_sockets[user] += 1
        try:
            return await self.serve(seat)
        finally:
            open_sockets[user] -= 1
            if not open_sockets[user]:
                del open_sockets[user]

    async def serve(self, seat: Seat) -> int:
        """Send what happens; the close code once nothing more will."""
        raise NotImplementedError

    async def no_longer(self, seat: Seat) -> int | None:
        """The close code for somebody whose session has ended or whose role has changed: a page
        that comes back is shown by the new one. Asked at most once per keep-alive interval."""
        if time.monotonic() - self.checked_at < KEEP_ALIVE_SECONDS:
            return None
        self.checked_at = time.monotonic()
        return await in_database(self.moved, seat)

    def moved(self, seat: Seat) -> int | None:
        """The close code for a session that has ended, or that has another role in the project, or
        none; else None."""
        user, _ = signed_in(self.scope)
        if not isinstance(user, User) or not user.is_active:
            return SIGN_IN
        role = role_in(seat.project, user)
        return GONE if role is None else None if role == seat.role else DRAIN


class AttentionConsumer(PageConsumer):
    """Sends the figures of the navigation whenever they have changed."""

    route = "attention-socket"

    async def serve(self, seat: Seat) -> int:
        """Look once a second; a session that goes on in another project comes back for its own."""
        shown = None
        while True:
            found = await in_database(attention, seat.project)
            if found != shown:
                await self.send(json.dumps(asdict(found)))
                shown = found
            await asyncio.sleep(LOOK_SECONDS)
            if (code := await self.no_longer(seat)) is not None:
                return code

    def moved(self, seat: Seat) -> int | None:
        """The same, in whatever project the session is by now."""
        found = admitted(self.scope, self.route)
        return SIGN_IN if found is None else None if found == seat else DRAIN


class RunConsumer(PageConsumer):
    """Sends the frames that keep one run's page live."""

    route = "run-socket"
    cursor = 0

    async def serve(self, seat: Seat) -> int:
        """Follow the run to its end."""
        run_id = self.scope["url_route"]["kwargs"]["run_id"]
        self.cursor = after_of(self.scope["query_string"])
        project = seat.project
        if await in_database(status_of, project, run_id) is None:
            return GONE
        async with aclosing(follow(run_id, self.cursor, through_pauses=True)) as lists:
            async for events in lists:
                if (code := await self.no_longer(seat)) is not None:
                    return code
                if events and not await self.show(seat, run_id, events):
                    return GONE
                if render.only_deltas(events):
                    await asyncio.sleep(GATHER_SECONDS)
        status = await in_database(status_of, project, run_id)
        return GONE if status is None else FINISHED if status in TERMINAL else DRAIN

    async def show(self, seat: Seat, run_id: str, events: list[Event]) -> bool:
        """Send the frames of ``events``; False if the run was deleted."""
        if render.only_deltas(events):
            frames = [render.delta_frame(self.cursor, events)]
        else:
            frames = await in_database(frames_of, seat, run_id, self.cursor, events)
        for frame in frames:
            await self.send(frame.text())
            self.cursor = frame.number
        return bool(frames)


def frames_of(seat: Seat, run_id: str, after: int, events: list[Event]) -> list[render.Frame]:
    """The frames of ``events``, with times in the zone of who reads."""
    with timezone.override(seat.zone):
        return render.frames(seat, run_id, after, events)


def admitted(scope: Any, route: str) -> Seat | None:
    """Where a scope's session works; None if it may not read the socket ``route``."""
    user, session = signed_in(scope)
    seat = seat_of(user, session)
    if seat is None or not seat.role.covers(NEEDS[route].get):
        return None
    return replace(seat, zone=zone_of(scope["cookies"]))


def signed_in(scope: Any) -> tuple[User | AnonymousUser, Mapping[str, Any]]:
    """A scope's user and session, read anew: the scope has them as at the handshake."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    session = store(scope["session"].session_key)
    user = get_user(SimpleNamespace(session=session))  # type: ignore[arg-type] # all it reads
    return user, session


def status_of(project: Project, run_id: str) -> str | None:
    """The status of a project's run; None if there is no such run."""
    rows = with_id(Run.objects.for_project(project), run_id)
    return rows.values_list("status", flat=True).first()


def after_of(query: bytes) -> int:
    """The cursor of the socket's address; 0 for anything that is no event's number."""
    given = parse_qs(query.decode("latin-1")).get("after", ["0"])[0]
    return int(given) if NUMBER.fullmatch(given) else 0
