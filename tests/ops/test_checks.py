"""The system checks: what cannot work is refused with a sentence."""

import pytest

from runs import checks


def ids(messages):
    return [message.id for message in messages]


def test_the_defaults_are_right():
    assert checks.engine_can_run(None) == []
    assert checks.secrets_are_long_enough(None) == []
    assert checks.database_is_right_for_an_async_server(None) == []


SQLITE = {"ENGINE": "django.db.backends.sqlite3"}
POSTGRES = {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {"pool": True}}
RIGHT = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode = wal;"}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({**SQLITE, "OPTIONS": RIGHT}, []),
        ({**SQLITE, "OPTIONS": {**RIGHT, "transaction_mode": "DEFERRED"}}, ["runsite.E005"]),
        ({**SQLITE, "OPTIONS": {**RIGHT, "init_command": ""}}, ["runsite.E005"]),
        (POSTGRES, []),
        ({**POSTGRES, "OPTIONS": {}}, ["runsite.E004"]),
        ({**POSTGRES, "CONN_MAX_AGE": 600}, ["runsite.E004"]),
    ],
)
def test_a_database_must_suit_an_async_server(changes, found):
    messages = checks.database_problems(changes)
    assert ids(messages) == found
    assert all("DATABASE_URL" in message.hint for message in messages)  # what to change


MOUNTS = """\
rootfs / rootfs rw 0 0
/dev/vda1 / ext4 rw,relatime 0 0
nas:/home /home nfs4 rw,vers=4.2 0 0
/dev/vdb1 /home/me/local xfs rw 0 0
//nas/share /mnt/the\\040share cifs rw 0 0
me@host:/x /mnt/ssh fuse.sshfs rw 0 0
C: /mnt/c 9p rw 0 0
/dev/vdc1 /mnt/c ext4 rw 0 0
/dev/fuse /mnt/fuse fuse.portal rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/var/runsite", None),
        ("/home/me/runsite", "nfs4"),
        ("/home/me/local/runsite", None),
        ("/home/me/locality", "nfs4"),
        ("/mnt/the share/runsite", "cifs"),
        ("/mnt/ssh", "fuse.sshfs"),
        ("/mnt/c/runsite", None),  # another one lies above it
        ("/mnt/fuse", None),
    ],
)
def test_a_database_file_on_a_network_is_refused(settings, monkeypatch, tmp_path, place, kind):
    monkeypatch.setattr(checks, "MOUNTS", tmp_path / "mounts")
    config = {**SQLITE, "NAME": f"{place}/runsite.sqlite3"}
    monkeypatch.setitem(settings.DATABASES, "default", config)
    assert checks.database_file_is_on_a_local_disk(None) == []  # nothing is known
    (tmp_path / "mounts").write_text(MOUNTS)
    found = checks.database_file_is_on_a_local_disk(None)
    assert ids(found) == (["runsite.E018"] if kind else [])
    for message in found:
        assert f"{place}/runsite.sqlite3 is on a network file system ({kind})" in message.msg
        assert message.hint == (
            "Put RUNSITE_DATA_DIR on a local disk, or use PostgreSQL (DATABASE_URL)."
        )
    monkeypatch.setitem(settings.DATABASES, "default", POSTGRES)
    assert checks.database_file_is_on_a_local_disk(None) == []


def test_a_link_to_a_network_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "here").symlink_to("there")
    mounts = f"/dev/vda1 / ext4 rw 0 0\nnas:/x {tmp_path}/there nfs rw 0 0\n"
    assert checks.file_system(tmp_path / "here" / "runsite.sqlite3", mounts) == "nfs"


def test_an_old_sqlite_is_refused(monkeypatch):
    config = {**SQLITE, "OPTIONS": RIGHT}
    assert checks.database_problems(config) == []
    monkeypatch.setattr(checks.sqlite3, "sqlite_version_info", (3, 32, 3))
    (message,) = checks.database_problems(config)
    assert message.id == "runsite.E005"
    assert "3.33 or newer" in message.msg


def test_the_distributed_engine_needs_postgresql_and_redis():
    database, layer = checks.engine_problems(SQLITE, None)
    assert (database.id, layer.id) == ("runsite.E006", "runsite.E006")
    assert database.hint == "Set DATABASE_URL=postgresql://user:password@host/name."
    assert layer.hint == "Set REDIS_URL=redis://host:6379/0."
    assert checks.engine_problems(POSTGRES, "redis://127.0.0.1:6379/0") == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("RUNSITE_UPSTREAM_URL", "localhost:1234", "must begin with http:// or https://"),
        ("RUNSITE_UPSTREAM_KEY", "sk-\u00e9", "cannot be sent in a header"),
        ("RUNSITE_UPSTREAM_CA_FILE", "/no/such.pem", "there is no file /no/such.pem"),
    ],
)
def test_an_upstream_that_cannot_be_asked_is_refused(settings, name, value, words):
    settings.RUNSITE_UPSTREAM_URL = "http://127.0.0.1:9/v1"
    assert checks.upstream_can_be_asked(None) == []
    setattr(settings, name, value)
    (message,) = checks.upstream_can_be_asked(None)
    assert words in message.msg


def test_short_keys_and_a_star_for_hosts_are_refused(settings):
    settings.RUNSITE_API_KEY = "short"
    settings.SECRET_KEY = "short"
    settings.ALLOWED_HOSTS = ["*"]
    assert ids(checks.secrets_are_long_enough(None)) == ["runsite.E009", "runsite.E009"]
    assert ids(checks.hosts_are_named(None)) == ["runsite.E002"]


def test_a_misspelt_variable_names_the_nearest_one(monkeypatch):
    monkeypatch.setenv("RUNSITE_UPSTREM_URL", "x")
    monkeypatch.setenv("RUNSITE_UPSTREAM_KEY_FILE", "/x")
    (message,) = checks.variables_are_known(None)
    assert message.msg == "RUNSITE_UPSTREM_URL is not a setting. Did you mean RUNSITE_UPSTREAM_URL?"
