"""What no page may do: complain on its console, break its policy, or ask another host."""

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

LOCAL = {"127.0.0.1"}


class Watch:
    """Collects complaints. ``allow`` names statuses whose network line is expected."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.allowed = {"422"}

    def allow(self, *statuses: int) -> None:
        """Expect answers of these statuses: browsers print a line for each."""
        self.allowed |= {str(status) for status in statuses}

    def allow_lost_connections(self) -> None:
        """Expect the socket to fail: the test cuts it."""
        self.allowed |= {"ERR_", "WebSocket connection to", "htmx:ws:error"}

    def allow_leaving(self) -> None:
        """Expect Chromium's line for a page that is closed while its socket still connects."""
        self.allowed.add("WebSocket is closed before the connection is established")

    def over(self, context: BrowserContext) -> None:
        """Watch all pages of a context."""
        context.on("console", self.console)
        context.on("weberror", self.error)
        context.on("request", self.request)

    def console(self, message: ConsoleMessage) -> None:
        """A line of the console."""
        network = ("Failed to load resource", "WebSocket connection to", "htmx: htmx:ws:error")
        expected = message.text.startswith(network) and any(
            word in message.text for word in self.allowed
        )
        if message.type in ("error", "warning") and not expected:
            self.found.append(f"{message.type}: {message.text}")

    def error(self, error: WebError) -> None:
        """An exception that nobody caught."""
        self.found.append(f"exception: {error.error}")

    def request(self, request: Request) -> None:
        """A request to anybody but the server."""
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname not in LOCAL:
            self.found.append(f"off-host: {request.url}")
