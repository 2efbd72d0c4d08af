"""``manage.py serve``: check, then serve until told to stop."""

import socket
import sys
from typing import Any

from channels.routing import get_default_application
from django.conf import settings
from django.core import checks
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from runs.contract.errors import ApiError
from runs.execution.upstreams import upstreams
from runs.management.alone import stay_alone
from runs.management.schema import check_schema
from runs.operations import access, leftovers
from runs.providers.local_model import LocalModel, installed
from runsite import environment, process, static
from runsite.address import base_url
from runsite.server import Server, listen

LOOPBACK = ("127.", "::1", "localhost")


class Command(BaseCommand):
    """Serve the API and the console. Never migrates."""

    help = "Serve the API and the console on RUNSITE_HOST and RUNSITE_PORT."
    requires_system_checks = ()  # run by hand, once the port is ours

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until SIGTERM or SIGINT; exit code 0 after a clean stop."""
        listener = self.claim_port()
        self.check_configuration()
        check_schema()
        alone = stay_alone()
        leftovers.repair(
            "unnoted"
        )  # of what the version before this one ended after the migrations
        lines = self.welcome()
        static.collect()
        connections.close_all()
        application = get_default_application()  # reads the collected files
        server = Server(
            application,
            listener,
            on_start=process.current.start,
            on_ready=lambda: self.tell(*lines, self.model()),
            drain=self.drain,
        )
        server.run()
        if alone is not None:
            alone.close()
        if server.failed:
            raise CommandError("Runsite could not be started; the reason is above.")
        self.tell("Stopped.")
        sys.stdout.flush()

    def claim_port(self) -> socket.socket:
        """Listen before anything else is done; connections wait until the server is ready."""
        host, port = settings.RUNSITE_HOST, settings.RUNSITE_PORT
        try:
            return listen(host, port)
        except OSError as error:
            raise CommandError(
                f"Runsite cannot listen on {host}:{port} ({error.strerror or error}). "
                "Is it running already? If not, set RUNSITE_PORT to another port."
            ) from None

    def check_configuration(self) -> None:
        """Refuse what cannot work, print what is odd."""
        messages = checks.run_checks()
        for message in messages:
            text = f"{message.msg} {message.hint or ''}".strip()
            self.stderr.write(f"{checks_level(message)}: {text}")
        if any(message.is_serious() for message in messages):
            raise CommandError("Runsite is not configured correctly; see above.")
        if not settings.RUNSITE_HOST.startswith(LOOPBACK):
            if not environment.text("RUNSITE_ALLOWED_HOSTS"):
                raise CommandError(
                    f"RUNSITE_HOST={settings.RUNSITE_HOST} can be reached from other machines: "
                    "set RUNSITE_ALLOWED_HOSTS to the names by which they reach it."
                )
            self.stderr.write(
                "Warning: this address can be reached from other machines. Put a proxy with TLS "
                "before it: keys and sessions travel in plain text."
            )

    def welcome(self) -> list[str]:
        """What a person needs: where the console is, and what to give to an SDK.

        Makes the key of RUNSITE_API_KEY, or on the first start one of its own.
        """
        base = base_url()
        lines = ["", "Runsite is ready."]
        if access.needs_login_link():
            link = f"{base}/console/enter/#{access.make_login_link()}"
            lines.append(f"  Console   {link}")
            lines.append("            (this link works once, for 10 minutes)")
        else:
            lines.append(f"  Console   {base}/console/")
        lines.append(f"  Base URL  {base}/v1")
        try:
            lines += self.key_lines()
        except ApiError as error:
            raise CommandError(error.message) from None
        return lines

    def key_lines(self) -> list[str]:
        """The API key where it may be shown, else where it comes from."""
        if settings.RUNSITE_API_KEY:
            access.set_environment_key(settings.RUNSITE_API_KEY)
            return ["  API key   the one in RUNSITE_API_KEY"]
        plaintext = access.first_key()
        if plaintext is None:
            return ["  API key   as before (`manage.py create_key` makes another)"]
        return [
            f"  API key   {plaintext}",
            "            (shown only now; `manage.py create_key` makes another)",
        ]

    def model(self) -> str:
        """Who answers the runs."""
        if settings.RUNSITE_UPSTREAM_URL:
            return f"  Model     {upstreams().default.name}"
        if not installed():
            return "  Model     none: set RUNSITE_UPSTREAM_URL, or name the model runsite/demo"
        return f"  Model     {LocalModel.name} answers, whatever model a run names"

    async def drain(self) -> None:
        """Let running turns end, and say that this is what is waited for."""
        seconds = settings.RUNSITE_DRAIN_SECONDS
        self.tell(f"Stopping: running turns get {seconds} s; a second Ctrl-C stops at once.")
        await process.current.stop()

    def tell(self, *lines: str) -> None:
        """Print at once, also into a pipe."""
        for line in lines:
            self.stdout.write(line)
        self.stdout.flush()


def checks_level(message: checks.CheckMessage) -> str:
    """A check's level as a word."""
    return "Error" if message.is_serious() else "Warning"
