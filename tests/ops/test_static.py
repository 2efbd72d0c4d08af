"""Static files are collected into the data directory, and only when they changed."""

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage

from runsite import static


@pytest.fixture
def folder(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path / "collected"
    finder = "django.contrib.staticfiles.finders.FileSystemFinder"  # without the admin's many
    settings.STATICFILES_FINDERS = [finder]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    return settings.STATIC_ROOT


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
