"""A browser, a server behind it, and a page that is watched for everything it must not do."""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from tests.browser.axe import SIZES
from tests.browser.chromium import ARGUMENTS, CHROMIUM
from tests.browser.proxy import Proxy
from tests.browser.watch import Watch
from tests.live import LiveServer
from tests.serving import serving
from tests.upstream import Upstream

FAILED = pytest.StashKey[bool]()
#: Milliseconds in which a page does or shows what it should, also on a busy machine.
PATIENCE = 20_000
expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need the browser and start processes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.process)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """The model behind the server of a module."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def live(upstream: Upstream) -> Iterator[LiveServer]:
    """One server for the tests of a module."""
    with serving(RUNSITE_UPSTREAM_URL=upstream.url) as server:
        yield server


@pytest.fixture(scope="module")
def signed_in(live: LiveServer, browser: Browser) -> object:
    """The cookies of somebody who came by the login link."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(live.login_url)
    page.wait_for_url("**/console/")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def api(live: LiveServer) -> Iterator[httpx.Client]:
    """The API of the server, to make runs and to see what is stored."""
    with httpx.Client(base_url=live.base_url, headers=live.headers(), trust_env=False) as client:
        yield client


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Fails a test whose pages did what they must not."""
    watch = Watch()
    yield watch
    assert watch.found == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep whether a test failed, for the fixtures that then show its pages."""
    report = yield
    item.stash.setdefault(FAILED, False)
    item.stash[FAILED] |= report.failed
    return report


def show(page: Page) -> None:
    """Print what a page of a failed test shows."""
    print(page.url)  # noqa: T201
    print(page.locator("body").inner_text())  # noqa: T201


@pytest.fixture
def new_context(
    browser: Browser, watch: Watch, signed_in: object, request: pytest.FixtureRequest
) -> Iterator[Callable[..., BrowserContext]]:
    """Watched contexts in which the operator is signed in, unless told otherwise."""
    contexts: list[BrowserContext] = []

    def make(**options: object) -> BrowserContext:
        context = browser.new_context(**{"storage_state": signed_in, **options})  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE)
        watch.over(context)
        contexts.append(context)
        return context

    yield make
    watch.allow_leaving()
    for context in contexts:
        if request.node.stash.get(FAILED, False):
            for page in context.pages:
                show(page)
        context.close()


@pytest.fixture
def page(new_context: Callable[..., BrowserContext], live: LiveServer) -> Page:
    """A page of the console, 1280 px wide."""
    return new_context(base_url=live.url, viewport={"width": 1280, "height": 900}).new_page()


@pytest.fixture
def open_page(
    new_context: Callable[..., BrowserContext], live: LiveServer, request: pytest.FixtureRequest
) -> Page:
    """A page of the size that the test is for."""
    return new_context(base_url=live.url, viewport=SIZES[request.param]).new_page()


@pytest.fixture
def proxy(live: LiveServer) -> Iterator[Proxy]:
    """A way to the server that can be cut."""
    with Proxy(live.port) as proxy:
        yield proxy
