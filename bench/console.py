"""How soon what a model says is seen: in the text of a run's open page, by one socket, and by many;
and what the many cost the server's memory.

Each time begins when the model has sent a token. It ends when the token is in the page's DOM, or
has come through the socket: in the first case the browser's work is counted in, in none the
painting.

``python -m bench.console [SECONDS] [WATCHERS]``
"""

import asyncio
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from playwright.async_api import Page, async_playwright

from runs.contract.limits import SOCKETS
from tests.browser.chromium import ARGUMENTS, CHROMIUM
from tests.browser.watchers import WATCH_TEXT, tokens, watching
from tests.live import LiveServer
from tests.process.client import Api, Wire, path_of
from tests.upstream import Upstream
from tests.upstream_script import gate, text, token

PER_SECOND = 100  # tokens
MB = 1_000_000

#: Signs in as many users as there are ``names``, and prints their sessions.
SIGN_IN = """
from django.contrib.auth.models import User
from django.test import Client
for number in range({users}):
    browser = Client()
    browser.force_login(User.objects.create_superuser(f"watcher {{number}}"))
    print(browser.cookies["runsite_session"].value)
"""


@dataclass
class Measured:
    """Milliseconds from the sending of each token to its being seen."""

    who: str
    target: int | None  # of the 95th percentile
    took: list[float]

    def share(self, percent: int) -> float:
        """What so many percent of the tokens did not exceed."""
        return sorted(self.took)[int(len(self.took) * percent / 100)]


@dataclass
class Memory:
    """Bytes of the server: without watchers, at most with them, and when they have left."""

    before: int
    most: int
    after: int


class Bench:
    """A server, its model, and who watches one run."""

    def __init__(self, upstream: Upstream, server: LiveServer, api: Api, seconds: int):
        self.upstream, self.server, self.api = upstream, server, api
        self.count = seconds * PER_SECOND

    async def run(self, name: str) -> Wire:
        """A run that has begun to speak, and goes on when the gate ``name`` is opened."""
        words = [text(token(i), 1 / PER_SECOND) for i in range(self.count)]
        self.upstream.play([text("Now: "), gate(name), *words])
        return await self.api.run("any", name)

    def took(self, seen: Iterable[tuple[int, float]]) -> list[float]:
        """Milliseconds that each token of the latest run took; none may be missing."""
        _, *sent_at = self.upstream.requests[-1].sent_at
        seen = list(seen)
        if [number for number, _ in seen] != list(range(self.count)):
            sys.exit("Tokens were lost, doubled or out of order.")
        return [(at - sent_at[number]) * 1000 for number, at in seen]

    async def on_page(self, page: Page) -> Measured:
        """The run's page in a browser, and nobody else."""
        run = await self.run("page")
        await page.goto(self.server.login_url)
        await page.wait_for_url("**/console/")
        await page.goto(f"{self.server.url}/console{path_of(run)}/")
        await page.locator("#pill[data-state=live]").wait_for()
        await page.locator(".writing").wait_for()
        await page.evaluate(WATCH_TEXT)
        self.upstream.open("page")
        await page.locator("#pill[data-state=finished]").wait_for(timeout=0)
        behind = time.time() - time.monotonic()
        appended = await page.evaluate("window.appended")
        seen = ((number, at - behind) for at, part in appended for number in tokens(part))
        return Measured("the text of its page", 60, self.took(seen))

    async def by_sockets(self, sessions: Sequence[str]) -> tuple[Measured, Memory]:
        """So many sockets, and no page."""
        name = "one socket" if len(sessions) == 1 else f"{len(sessions)} sockets"
        run = await self.run(name)
        before = most = self.server.memory
        async with watching(self.server, run["id"], sessions) as watchers:
            self.upstream.open(name)
            while not all(watcher.code for watcher in watchers):
                most = max(most, self.server.memory)
                await asyncio.sleep(0.25)
        await asyncio.sleep(10)
        if not all(watcher.unbroken for watcher in watchers):
            sys.exit("Frames were lost, doubled or out of order.")
        took = [ms for watcher in watchers for ms in self.took(watcher.tokens)]
        target = 150 if len(sessions) > 1 else None
        return Measured(name, target, took), Memory(before, most, self.server.memory)

    def sign_in(self, watchers: int) -> list[str]:
        """A session for each watcher, of users enough."""
        users = -(-watchers // SOCKETS)
        made = self.server.manage("shell", "--no-imports", "-c", SIGN_IN.format(users=users))
        sessions = made.stdout.split()
        return [sessions[number % users] for number in range(watchers)]


async def measure(seconds: int, count: int) -> tuple[list[Measured], Memory]:
    """One after the other, each with a run of its own."""
    with Upstream() as upstream, LiveServer(RUNSITE_UPSTREAM_URL=upstream.url) as server:
        async with Api(server) as api, async_playwright() as playwright:
            bench = Bench(upstream, server, api, seconds)
            sessions = bench.sign_in(count)
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = await bench.on_page(await browser.new_page())
            await browser.close()
            one, _ = await bench.by_sockets(sessions[:1])
            many, memory = await bench.by_sockets(sessions)
            return [one, page, many], memory


def main() -> None:
    """Measure and print."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    found, memory = asyncio.run(measure(seconds, count))
    lines = [f"{'seen by':22}{'median':>10}{'p95':>10}{'target':>10}{'p95, times':>12}"]
    for one in found:
        target = f"< {one.target} ms" if one.target else ""
        times = one.share(95) / found[0].share(95)
        lines.append(
            f"{one.who:22}{one.share(50):7.1f} ms{one.share(95):7.1f} ms{target:>10}{times:>12.1f}"
        )
    lines.append(
        f"memory: {memory.before / MB:.1f} MB before, at most {memory.most / MB:.1f} MB with "
        f"{count} sockets, {memory.after / MB:.1f} MB 10 s after they left"
    )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
