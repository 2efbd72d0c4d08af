"""The filters and the search of the lists: what they leave, and what they refuse."""

from datetime import timedelta

import pytest

from runs.contract.status import RunStatus
from runs.models import ApiKey, Message, Run, RunStep, Thread
from runs.models.database import now
from tests.admin.pages import listing
from tests.console.pages import says
from tests.factories import make_key, make_message, make_project, make_run, make_step, make_thread
from tests.filled import age, make_full_thread


@pytest.fixture
def shown(operator):
    """``shown(model, query)``: the rows that a list shows, the newest first."""

    def shown(model, query):
        answer = operator.get(f"{listing(model)}?{query}")
        assert answer.status_code == 200, answer
        return list(answer.context["cl"].result_list)

    return shown


def test_threads(shown, project):
    new = make_full_thread(project)
    old = make_full_thread(project, days=45)
    busy = make_full_thread(project, RunStatus.REQUIRES_ACTION, days=3)
    empty = make_thread(make_project("other"), metadata={"customer": "7"})
    unrun = make_thread(project)
    make_message(unrun)
    age(unrun, 10)
    assert shown(Thread, f"project={empty.project_id}") == [empty]
    assert shown(Thread, "age=30-90") == [old]
    assert shown(Thread, "age=1-7") == [busy]
    assert shown(Thread, "active=yes") == [busy]
    assert shown(Thread, "active=no") == [unrun, empty, old, new]
    assert shown(Thread, "contents=empty") == [empty]
    assert shown(Thread, "contents=unsaid") == [empty]
    assert shown(Thread, "contents=unrun") == [unrun, empty]
    assert shown(Thread, "quiet=7") == [unrun, old]
    assert shown(Thread, "quiet=7&age=30-90&active=no") == [old]
    assert shown(Thread, f"q={old.id}") == [old]
    assert shown(Thread, "q=customer") == [empty]
    assert shown(Thread, "q=7") == []


def test_the_figures_of_a_thread(shown, operator, project):
    make_full_thread(project, days=2)
    (thread,) = shown(Thread, "")
    assert (thread.message_count, thread.run_count) == (2, 1)
    assert thread.bytes > 500
    assert thread.last_activity < now() - timedelta(days=1)
    assert "bytes" in says(operator.get(listing(Thread)))


def test_runs(shown, project):
    done = make_run(make_thread(project), RunStatus.COMPLETED)
    failed = make_run(make_thread(project), RunStatus.FAILED)
    refused = make_run(
        make_thread(make_project("other")),
        RunStatus.FAILED,
        last_error={"code": "rate_limit_exceeded", "message": ""},
    )
    silent = make_run(status=RunStatus.IN_PROGRESS, lease_until=now() - timedelta(seconds=1))
    driven = make_run(status=RunStatus.IN_PROGRESS)
    assert shown(Run, "status=completed") == [done]
    assert shown(Run, "status=failed") == [refused, failed]
    assert shown(Run, "status=in_progress") == [driven, silent]
    assert shown(Run, f"status=failed&project={project.id}") == [failed]
    assert shown(Run, "lease=lapsed") == [silent]
    assert shown(Run, "error=rate_limit_exceeded") == [refused]
    assert shown(Run, "age=0-1&status=completed") == [done]
    assert shown(Run, f"q={done.thread_id}") == [done]


def test_steps_and_messages(shown, project):
    step = make_step(make_run(make_thread(project), RunStatus.COMPLETED))
    calls = make_step(step.run, "tool_calls")
    assert shown(RunStep, "type=tool_calls&status=completed") == [calls]
    assert shown(RunStep, f"q={step.run_id}") == [calls, step]
    assert shown(Message, "role=assistant&status=completed")[0].id == step.message_id
    assert shown(Message, f"q={step.run.thread_id}")[0].id == step.message_id


def test_keys_by_their_use(shown, project):
    long_ago = now() - timedelta(days=91)
    used, _ = make_key(project, last_used_at=now(), created_at=long_ago)
    never, _ = make_key(project, created_at=long_ago)
    new, _ = make_key(project)
    revoked, _ = make_key(project, created_at=long_ago, revoked_at=now())
    assert shown(ApiKey, "use=unused") == [never]
    assert shown(ApiKey, "use=live") == [new, never, used]
    assert shown(ApiKey, "use=revoked") == [revoked]
    assert shown(ApiKey, f"q={new.shown[:12]}")[0] == new


@pytest.mark.parametrize(
    "query",
    ["status=nonsense", "status=%00", "project=proj_x", "age=-1", "nonsense=1", "q=%00", "active="],
)
def test_what_is_no_filter_is_said(operator, project, query):
    model = Thread if query[0] in "qa" else Run
    answer = operator.get(f"{listing(model)}?{query}", follow=True)
    assert answer.status_code in (200, 400)
    said = says(answer)
    assert "there is not" in said or "Null characters" in said or answer.status_code == 400


def test_a_list_does_not_count_past_a_bound(operator, project, monkeypatch):
    monkeypatch.setattr("runs.admin.lists.SHOWN", 5)
    for _ in range(7):
        make_thread(project)
    assert "The newest 5 threads; there may be more" in says(operator.get(listing(Thread)))
