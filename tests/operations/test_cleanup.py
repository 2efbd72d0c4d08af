"""Cleaning up by the batch: what goes, what stays, and that a dry run tells the truth."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.db.models import ForeignKey

from runs import operations
from runs.contract.cleanup import Verb
from runs.contract.errors import BadRequest
from runs.contract.status import RunStatus
from runs.models import Cleanup, IdempotencyKey, Run, Thread
from runs.models.database import now
from runs.operations import batches
from runs.operations.batches import AT_MOST, Lost, Pace, claim_cleanup, work_on_batch
from runs.operations.erase import belongings, erase
from tests.factories import make_message, make_project, make_run, make_thread
from tests.filled import FULL, make_full_thread, rows_by_table

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make_project("ours")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    """The pauses are for others, of whom there are none."""
    for name in ("SQLITE", "POSTGRESQL"):
        monkeypatch.setattr(batches, name, Pace(batch=10, pause=0))


def numbers(*threads):
    return [thread.number for thread in threads]


def carried_out(cleanup):
    operations.begin_cleanup(cleanup)
    return operations.work_on_cleanup(cleanup)


def times(count, rows=FULL):
    return {name: number * count for name, number in rows.items()}


def test_chosen_threads_go_with_all_their_rows_and_no_others(project):
    stays = make_full_thread(project)
    before = rows_by_table()
    gone = [make_full_thread(project) for _ in range(25)]
    cleanup = operations.plan_cleanup(Verb.ERASE, chosen=numbers(*gone))
    assert cleanup.counts == times(25)
    assert cleanup.standing == "planned"
    assert Thread.objects.count() == 26
    done = carried_out(cleanup)
    assert (done.standing, done.done, done.kept) == ("done", cleanup.counts, 0)
    assert Thread.objects.get() == stays
    assert rows_by_table() == before | {"Assistant": 26, "Cleanup": 1, "UsageEntry": 26}


def test_every_table_that_refers_to_a_thread_is_emptied():
    """A new table with a foreign key to a thread, run or step has to be told of here."""
    emptied = {rows.model for rows in belongings([])}
    for model in apps.get_app_config("runs").get_models():
        parents = {
            field.related_model
            for field in model._meta.concrete_fields
            if isinstance(field, ForeignKey)
        }
        assert not parents & emptied or model in emptied, model


def test_a_thread_with_an_active_run_is_kept(project):
    idle, busy = make_full_thread(project), make_full_thread(project, RunStatus.REQUIRES_ACTION)
    cleanup = operations.plan_cleanup(Verb.ERASE, chosen=numbers(idle, busy))
    assert (cleanup.counts, cleanup.busy) == (FULL, 1)
    done = carried_out(cleanup)
    assert (done.done, done.kept) == (FULL, 1)
    assert Thread.objects.get() == busy
    assert Run.objects.get().status == RunStatus.REQUIRES_ACTION


def test_active_runs_are_cancelled_first_where_that_is_asked_for(project, monkeypatch):
    monkeypatch.setattr("runs.operations.cleanup.LAST_LOOK_SECONDS", 0)
    threads = [
        make_full_thread(project),
        make_full_thread(project, RunStatus.IN_PROGRESS),
        make_full_thread(project, RunStatus.REQUIRES_ACTION),
    ]
    cleanup = operations.plan_cleanup(Verb.ERASE, chosen=numbers(*threads))
    operations.replan_cleanup(cleanup, cancel=True)
    assert (cleanup.counts, cleanup.busy) == (times(3), 0)
    done = carried_out(cleanup)
    # What told the readers of the two runs that these were cancelled went, too.
    assert done.done == cleanup.counts | {"event chunks": 5}
    assert not Thread.objects.exists()


def test_a_run_that_begins_while_others_are_cancelled_does_not_save_its_thread(project):
    thread = make_full_thread(project, RunStatus.REQUIRES_ACTION)
    rows = Thread.objects.filter(id=thread.id)
    tally = erase(rows, cancel=True)
    assert tally.rows["threads"] == 1
    assert not Thread.objects.exists()


def test_by_age_only_what_is_quiet_goes(project):
    old = make_full_thread(project, days=40)
    young = make_full_thread(project, days=20)
    answered = make_full_thread(project, days=40)
    make_message(answered)
    begun = make_full_thread(project, days=40)
    make_run(begun, RunStatus.COMPLETED)
    empty = make_thread(project, created_at=now() - timedelta(days=40))
    elsewhere = make_full_thread(make_project(), days=40)
    cleanup = operations.plan_cleanup(
        Verb.ERASE, project=project, quiet_since=now() - timedelta(days=30)
    )
    assert cleanup.counts == FULL | {"threads": 2}
    assert carried_out(cleanup).done == cleanup.counts
    left = {young, answered, begun, elsewhere}
    assert set(Thread.objects.all()) == left
    assert {old, empty}.isdisjoint(left)


def test_what_woke_up_after_the_plan_is_kept(project):
    thread = make_full_thread(project, days=40)
    cleanup = operations.plan_cleanup(Verb.ERASE, quiet_since=now() - timedelta(days=30))
    make_message(thread)
    assert carried_out(cleanup).done == {}
    assert Thread.objects.get() == thread


def test_a_dry_run_writes_nothing(project):
    make_full_thread(project)
    before = rows_by_table()
    found = operations.dry_run_cleanup(Verb.ERASE, project=project)
    assert found.counts == FULL
    assert rows_by_table() == before


def test_a_cleanup_that_lost_its_worker_goes_on_where_it_stood(project):
    """Ten at first, then nothing more is heard of that worker."""
    threads = [make_full_thread(project) for _ in range(30)]
    cleanup = operations.plan_cleanup(Verb.ERASE, chosen=numbers(*threads))
    operations.begin_cleanup(cleanup)
    claim_cleanup(cleanup)
    assert work_on_batch(cleanup, 10) is not None
    with pytest.raises(BadRequest):
        operations.begin_cleanup(cleanup)  # it may still be at work
    with pytest.raises(BadRequest):
        operations.work_on_cleanup(Cleanup.objects.get())
    Cleanup.objects.update(lease_until=now() - timedelta(seconds=1))
    other = Cleanup.objects.get()
    assert other.standing == "interrupted"
    done = operations.work_on_cleanup(other)
    assert (done.standing, done.done) == ("done", times(30))
    with pytest.raises(Lost):
        work_on_batch(cleanup, 10)  # the first one wakes up
    assert not IdempotencyKey.objects.exists()


def test_a_cleanup_can_be_stopped_and_begun_again(project):
    threads = [make_full_thread(project) for _ in range(20)]
    cleanup = operations.plan_cleanup(Verb.ERASE, chosen=numbers(*threads))
    with pytest.raises(BadRequest):
        operations.stop_cleanup(cleanup)
    operations.begin_cleanup(cleanup)
    operations.stop_cleanup(cleanup)
    assert cleanup.standing == "stopped"
    with pytest.raises(BadRequest):
        operations.work_on_cleanup(cleanup)
    assert Thread.objects.count() == 20
    assert carried_out(cleanup).standing == "done"
    assert not Thread.objects.exists()
    for verb in (operations.begin_cleanup, operations.stop_cleanup):
        with pytest.raises(BadRequest):
            verb(cleanup)
    with pytest.raises(BadRequest):
        operations.replan_cleanup(cleanup, cancel=True)


def test_stopped_in_the_middle_the_batch_under_way_counts(project):
    threads = [make_full_thread(project) for _ in range(20)]
    cleanup = operations.plan_cleanup(Verb.ERASE, chosen=numbers(*threads))
    operations.begin_cleanup(cleanup)
    claim_cleanup(cleanup)
    work_on_batch(cleanup, 10)
    operations.stop_cleanup(Cleanup.objects.get())
    with pytest.raises(Lost):
        work_on_batch(cleanup, 10)
    stopped = Cleanup.objects.get()
    assert (stopped.standing, stopped.done) == ("stopping", times(10))
    assert Thread.objects.count() == 10


@pytest.mark.parametrize(
    "meanwhile",
    [lambda: {"stopped_at": now()}, lambda: {"epoch": 9}],
    ids=["stopped", "taken over"],
)
def test_lost_in_the_pause_no_run_is_cancelled_any_more(project, monkeypatch, meanwhile):
    monkeypatch.setattr("runs.operations.cleanup.LAST_LOOK_SECONDS", 0)
    thread = make_full_thread(project, RunStatus.REQUIRES_ACTION)
    cleanup = operations.plan_cleanup(Verb.ERASE, chosen=numbers(thread), cancel=True)
    operations.begin_cleanup(cleanup)
    claim_cleanup(cleanup)
    Cleanup.objects.update(**meanwhile())
    with pytest.raises(Lost):
        work_on_batch(cleanup, 10)
    assert Run.objects.get().status == RunStatus.REQUIRES_ACTION


def test_what_was_done_meanwhile_is_not_planned_anew(project):
    cleanup = operations.plan_cleanup(Verb.ERASE, chosen=numbers(make_full_thread(project)))
    seen = Cleanup.objects.get()
    carried_out(cleanup)
    with pytest.raises(BadRequest):
        operations.replan_cleanup(seen, cancel=True)
    stands = Cleanup.objects.get()
    assert (stands.standing, stands.done, stands.counts) == ("done", FULL, FULL)
    assert not stands.cancel


def test_plans_that_nobody_began_go_after_a_day(project):
    old, begun = (operations.plan_cleanup(Verb.ERASE, project=project) for _ in range(2))
    operations.begin_cleanup(begun)
    Cleanup.objects.update(created_at=now() - timedelta(days=2))
    operations.plan_cleanup(Verb.ERASE, project=project)
    assert not Cleanup.objects.filter(id=old.id).exists()
    assert Cleanup.objects.count() == 2


def test_more_than_fits_into_a_statement_is_counted_in_parts(project, monkeypatch):
    monkeypatch.setattr("runs.operations.cleanup.PART", 2)
    threads = [make_full_thread(project) for _ in range(5)]
    assert operations.dry_run_cleanup(Verb.ERASE, chosen=numbers(*threads)).counts == times(5)


def test_batches_are_as_large_as_their_time_allows():
    pace = Pace(batch=1.0, pause=0)
    assert pace.next_size(100, 0.1) == 200
    assert pace.next_size(100, 0.7) == 100
    assert pace.next_size(100, 1.5) == 50
    assert pace.next_size(12, 1.5) == 10
    assert pace.next_size(5, 1.5) == 5
    assert pace.next_size(12, 10.5) == 6
    assert pace.next_size(1, 99.0) == 1
    assert pace.next_size(AT_MOST, 0.0) == AT_MOST
