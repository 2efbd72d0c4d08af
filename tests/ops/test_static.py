"""Static files are collected into the data directory, and only when they changed."""

import gzip
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage

from runsite import static

#: What a run's page may load, in bytes as compressed; htmx and its sockets are 16 KiB of it.
JS, CSS = 25 * 1024, 12 * 1024


@pytest.fixture
def folder(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path / "collected"
    finder = "django.contrib.staticfiles.finders.FileSystemFinder"  # without the admin's many
    settings.STATICFILES_FINDERS = [finder]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "runsite.static.Storage"},
    }
    return settings.STATIC_ROOT


def served(folder: Path, name: str) -> Path:
    """The file that pages are sent to for ``name``."""
    return folder / staticfiles_storage.url(name).removeprefix("/static/")


def test_files_get_hashed_names_once(folder):
    static.collect()
    assert (folder / "staticfiles.json").exists()
    assert staticfiles_storage.url("console/console.css") != "/static/console/console.css"
    stamp = folder / "collected.txt"
    before = stamp.stat().st_mtime_ns
    static.collect()
    assert stamp.stat().st_mtime_ns == before


def test_a_changed_file_is_collected_again(folder, monkeypatch):
    static.collect()
    monkeypatch.setattr(static, "fingerprint", lambda: "another")
    (folder / "left-over.txt").write_text("")
    static.collect()
    assert (folder / "collected.txt").read_text() == "another"
    assert not (folder / "left-over.txt").exists()


def test_of_those_who_start_at_once_one_collects(folder, monkeypatch):
    done, original = [], static.call_command

    def counted(*args, **options):
        done.append(args)
        original(*args, **options)

    monkeypatch.setattr(static, "call_command", counted)
    with ThreadPoolExecutor(4) as threads:
        for collecting in [threads.submit(static.collect) for _ in range(4)]:
            collecting.result()
    assert len(done) == 1


def test_own_scripts_are_made_smaller_and_vendored_ones_are_not(folder):
    static.collect()
    source = Path(static.settings.BASE_DIR, "static")
    for name in ("console/basics.js", "console/live.js", "console/run.js"):
        found = served(folder, name).read_text()
        assert "//" not in re.sub(r"https?://", "", found)
        assert len(found) < len((source / name).read_text()) * 0.85
    htmx = "vendor/htmx-4.0.1/htmx.min.js"
    assert served(folder, htmx).read_bytes() == (source / htmx).read_bytes()


def test_scripts_are_put_together(folder):
    static.collect()
    whole = served(folder, "console/run-page.js").read_text()
    for name in ("basics", "live", "drafts", "keys", "attention", "run", "desk"):
        assert served(folder, f"console/{name}.js").read_text() in whole


def test_a_run_s_page_stays_within_its_budget(folder):
    static.collect()
    template = Path(static.settings.BASE_DIR, "templates")
    used = "".join((template / name).read_text() for name in ("base.html", "console/run.html"))
    names = set(re.findall(r"console/[a-z-]+\.(?:js|css)", used)) - {"console/page.js"}
    names |= {f"vendor/htmx-4.0.1/{name}.min.js" for name in ("htmx", "hx-ws")}
    size = Counter()
    for name in names:
        size[name.rpartition(".")[2]] += len(gzip.compress(served(folder, name).read_bytes()))
    assert size["js"] <= JS
    assert size["css"] <= CSS
