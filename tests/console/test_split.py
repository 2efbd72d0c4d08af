"""Where the time of a run went: the parts add up to all of it, whatever has happened."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.console.render import view_of
from runs.console.rows import rows_of
from runs.console.run_query import RunQuery
from runs.console.split import percents, split_of
from runs.console.timeline import CallView, RunView, StepView
from runs.contract.roles import Role
from runs.contract.status import STAMP, STEP_STAMP, TERMINAL, RunStatus, StepStatus
from runs.models import Run, RunStep
from tests.console.pages import says, url
from tests.factories import make_call, make_run, make_step, make_thread

START = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A moment of the run."""
    return START + timedelta(seconds=seconds)


#: Clocks of several machines: moments may come in any order, before the start and after the end.
moments = st.one_of(st.none(), st.integers(-(10**7), 10**10).map(lambda n: at(n / 10**6)))


@st.composite
def step_views(draw) -> StepView:
    status = draw(st.sampled_from(StepStatus))
    stamp = {STEP_STAMP[status]: draw(moments)} if status in STEP_STAMP else {}
    row = RunStep(
        type=draw(st.sampled_from(["message_creation", "tool_calls"])),
        status=status,
        index=draw(st.integers(0, 1)),
        created_at=draw(moments.filter(bool)),
        asked_at=draw(moments),
        called_at=draw(moments),
        interrupted=draw(st.booleans()),
        **stamp,
    )
    calls = draw(
        st.lists(st.sampled_from(["", "call_1"]).map(lambda i: CallView(id=i)), max_size=2)
    )
    return StepView(row, calls=[] if row.type == "message_creation" else calls)


@st.composite
def run_views(draw) -> RunView:
    status = draw(st.sampled_from(RunStatus))
    stamp = {STAMP[status]: draw(moments.filter(bool))} if status in TERMINAL else {}
    run = Run(status=status, **{"created_at": START, "started_at": draw(moments)} | stamp)
    return RunView(run, Role.ADMIN, draw(st.lists(step_views(), max_size=6)), [])


@pytest.mark.slow
@given(run_views(), st.integers(0, 10**10))
def test_the_parts_are_all_of_the_time_and_nothing_else(view, microseconds):
    now = START + timedelta(microseconds=microseconds)
    parts = split_of(view, now).parts
    end = (view.ended_at if view.over else None) or now
    assert sum((part.time for part in parts), timedelta()) == max(end - START, timedelta())
    assert all(part.time >= timedelta() for part in parts)
    assert sum(part.percent for part in parts) == 100
    assert sum(part.grows for part in parts) == (0 if view.over else 1)


@pytest.mark.slow
@given(run_views(), st.integers(0, 10**9), st.integers(0, 10**9))
def test_what_passes_is_added_to_the_part_that_grows(view, first, more):
    """So a page that counts on from what it was sent shows what the server would show. It holds
    from the last moment that is stored: no clock is behind what it has itself written."""
    known = [view.run.started_at]
    for step in view.steps:
        known += [step.row.asked_at, step.row.created_at, step.row.called_at, step.ended_at]
    base = max([START, *filter(None, known)]) + timedelta(microseconds=first)
    before = split_of(view, base).parts
    after = split_of(view, base + timedelta(microseconds=more)).parts
    for earlier, later in zip(before, after, strict=True):
        grown = timedelta(microseconds=more) if earlier.grows else timedelta()
        assert later.time - earlier.time == grown


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=6))
def test_percents_are_within_one_of_the_truth(amounts):
    found = percents(amounts)
    assert sum(found) == 100
    if total := sum(amounts):
        assert all(abs(p - a * 100 / total) < 1 for p, a in zip(found, amounts, strict=True))


def times(view: RunView, now: datetime) -> dict[str, float]:
    """Seconds by part, without those of nothing."""
    return {part.key: part.time.total_seconds() for part in split_of(view, now).parts if part.time}


def test_a_run_with_two_turns(project):
    run = make_run(
        make_thread(project), "completed", created_at=START, started_at=at(1), completed_at=at(30)
    )
    calls = make_step(run, "tool_calls", index=0, asked_at=at(1.5), created_at=at(3),
                      called_at=at(5), completed_at=at(15))  # fmt: skip
    make_call(calls, output="x", submitted_at=at(15))
    make_step(run, asked_at=at(15.5), created_at=at(17), completed_at=at(29.75))
    assert times(view_of(project, run, Role.READER), at(99)) == {
        "queue": 1.5, "wait": 3.0, "model": 14.75, "tools": 10.0, "other": 0.75,
    }  # fmt: skip


def test_an_attempt_that_was_interrupted_is_no_model_time(project):
    run = make_run(
        make_thread(project), "completed", created_at=START, started_at=START, completed_at=at(9)
    )
    make_step(run, status="failed", interrupted=True, turn=1, asked_at=START, created_at=at(1),
              failed_at=at(6))  # fmt: skip
    make_step(run, turn=1, asked_at=at(6), created_at=at(7), completed_at=at(9))
    assert times(view_of(project, run, Role.READER), at(9)) == {"wait": 2, "model": 2, "other": 5}


@pytest.mark.parametrize("asked", [RunQuery(), RunQuery(errors=True), None])
@pytest.mark.parametrize(
    ("status", "called_at", "found"),
    [("cancelled", at(2), {"wait": 1, "model": 1, "tools": 8}),
     ("failed", None, {"wait": 1, "model": 9})],
)  # fmt: skip
def test_every_page_says_the_same_of_a_run(project, status, called_at, found, asked):
    """Calls that were waited for, and calls that broke off: on the run's page, on one that does
    not show the step, and in the list of runs (None)."""
    ended = {f"{status}_at": at(10)}
    run = make_run(make_thread(project), status, created_at=START, started_at=START, **ended)
    step = make_step(run, "tool_calls", status=status, index=0, asked_at=START, created_at=at(1),
                     called_at=called_at, calls=[], **ended)  # fmt: skip
    if called_at:
        make_call(step)
    if asked:
        assert times(view_of(project, run, Role.READER, query=asked), at(99)) == found
    else:
        (row,) = rows_of([run])
        assert {bar.part.key: bar.part.time.total_seconds() for bar in row.bars} == found


@pytest.mark.parametrize(
    ("status", "grows"),
    [("queued", "queue"), ("in_progress", "wait"), ("requires_action", "tools"),
     ("cancelling", "other")],
)  # fmt: skip
def test_what_an_active_run_does_now(project, status, grows):
    run = make_run(make_thread(project), status, created_at=START)
    parts = split_of(view_of(project, run, Role.READER), at(10)).parts
    assert [part.key for part in parts if part.grows] == [grows]


def test_a_run_that_never_began_was_queued_all_the_time(project):
    run = make_run(make_thread(project), "expired", created_at=START, started_at=None,
                   expired_at=at(600))  # fmt: skip
    assert times(view_of(project, run, Role.READER), at(700)) == {"queue": 600}


def test_a_model_that_never_said_a_word_was_waited_for(project):
    run = make_run(make_thread(project), "failed", created_at=START, started_at=at(1),
                   failed_at=at(61))  # fmt: skip
    assert times(view_of(project, run, Role.READER), at(700)) == {"queue": 1, "wait": 60}


def test_the_page_says_it_in_words(operator, project):
    run = make_run(make_thread(project), "failed", created_at=START, started_at=at(1),
                   failed_at=at(4))  # fmt: skip
    assert "Queue 1.0 s 25 % Model wait 3.0 s 75 % Model 0 ms 0 %" in says(operator.get(url(run)))


@pytest.mark.parametrize("asked", ["", "?errors=1"])
def test_the_slowest_call_is_named(operator, project, asked):
    """Also where its step is not on the page."""
    run = make_run(make_thread(project), "completed", created_at=START, started_at=START,
                   completed_at=at(9))  # fmt: skip
    for name, called, ended in (("get_time", 1, 2), ("get_weather", 3, 7), ("get_sea", 8, 9)):
        step = make_step(run, "tool_calls", created_at=at(called - 1), called_at=at(called),
                         completed_at=at(ended))  # fmt: skip
        make_call(step, name=name, output="x")
    never = make_step(run, "tool_calls", status="expired", created_at=at(0), called_at=at(0),
                      expired_at=at(9))  # fmt: skip
    make_call(never, name="never_answered")
    assert 'slowest get_weather "Oslo" 4.0 s' in says(operator.get(url(run, asked)))
