"""The commands that clean up: what they say, and that a dry run does nothing."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from runs import operations
from runs.contract.cleanup import Verb
from runs.contract.status import RunStatus
from runs.models import Cleanup, LoginLink, Run, Thread
from runs.models.database import now
from tests.factories import make_project, make_run, make_thread
from tests.filled import FULL, make_full_thread, rows_by_table

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def told(*arguments: str):
    return json.loads(run(*arguments, "--json"))


@pytest.fixture
def project():
    return make_project("ours")


def test_erase_by_id(project):
    gone, stays = make_full_thread(project), make_full_thread(project)
    dry = told("erase", gone.id, "--dry-run")
    assert Thread.objects.count() == 2
    assert not Cleanup.objects.exists()
    done = told("erase", gone.id)
    assert dry["rows"] == done["rows"] == FULL
    assert (dry["dry_run"], done["dry_run"], done["standing"]) == (True, False, "done")
    assert Thread.objects.get() == stays


@pytest.mark.slow
def test_erase_a_project_keeps_what_is_busy(project):
    make_thread(project)
    busy = make_full_thread(project, RunStatus.REQUIRES_ACTION)
    make_thread(make_project("theirs"))
    said = run("erase", "--project", "ours", "--dry-run")
    assert said == "Would erase 1 threads. Kept 1 with an active run."
    assert run("erase", "--project", "ours") == "Erased 1 threads. Kept 1 with an active run."
    assert busy in Thread.objects.all()
    assert "1 threads" in run("erase", "--project", "ours", "--cancel")
    assert Thread.objects.get().project.name == "theirs"


def test_erase_goes_on_with_what_was_interrupted(project):
    threads = [make_thread(project) for _ in range(3)]
    cleanup = operations.plan_cleanup(Verb.ERASE, chosen=[thread.number for thread in threads])
    operations.begin_cleanup(cleanup)
    done = told("erase", "--resume", cleanup.id)
    assert (done["cleanup"], done["rows"]) == (cleanup.id, {"threads": 3})
    with pytest.raises(CommandError, match="at its end"):
        run("erase", "--resume", cleanup.id)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("erase",), "Name threads by their ids, or a project."),
        (("erase", "thread_x"), "There is no thread thread_x."),
        (("erase", "--project", "x"), "There is no project named 'x'."),
        (("erase", "--resume", "x"), "There is no cleanup x."),
        (("prune", "--threads", "-1"), "--threads takes a number of days."),
        (("prune", "--logs", "1", "--project", "x"), "There is no project named 'x'."),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(arguments, says):
    with pytest.raises(CommandError, match=says):
        run(*arguments)
    assert not Cleanup.objects.exists()


def test_prune_by_age(project):
    make_full_thread(project, days=40)
    young = make_full_thread(project, days=10)
    dry = told("prune", "--threads", "30", "--logs", "5", "--dry-run")
    before = rows_by_table()
    erased, compacted = dry["cleanups"]
    assert erased["rows"] == FULL
    assert compacted["rows"] == {"runs": 2, "event chunks": 2}
    assert rows_by_table() == before
    done = told("prune", "--threads", "30", "--logs", "5")
    assert [cleanup["rows"] for cleanup in done["cleanups"]] == [
        FULL,
        {"runs": 1, "event chunks": 1},
    ]
    assert Thread.objects.get() == young
    assert Run.objects.get().compacted_at is not None


def test_prune_says_what_would_go():
    operations.make_login_link()
    said = run("prune", "--dry-run")
    assert said == "Would delete 0 login links, 0 sessions and 0 kept answers."


def test_orphans_looks_and_repairs():
    make_run(status=RunStatus.IN_PROGRESS, lease_until=now() - timedelta(seconds=1))
    LoginLink.objects.create(digest="x", expires_at=now())
    assert "1 login links that have expired" in run("orphans")
    looked = told("orphans", "--repair", "--dry-run")
    assert looked["dry_run"]
    assert {kind["name"]: kind["count"] for kind in looked["kinds"] if kind["count"]} == {
        "silent": 1,
        "links": 1,
    }
    repaired = {kind["name"]: kind["repaired"] for kind in told("orphans", "--repair")["kinds"]}
    assert repaired["links"] == 1
    assert repaired["silent"] == 0
    said = run("orphans", "--repair")
    assert "gone silent, left to the watchdog of a running server" in said
    assert "0 login links" in run("orphans")


def test_storage_reports(project):
    thread = make_full_thread(project)
    said = run("storage")
    assert "ours: 1 threads, 1 runs" in said
    assert thread.id in said
    assert told("storage", "--compact", "--dry-run")["threads"][0]["thread"] == thread.id
    with pytest.raises(CommandError):
        run("storage", "--compact")  # inside a test's transaction, or not SQLite's
