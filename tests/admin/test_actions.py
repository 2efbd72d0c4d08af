"""What the admin's actions do, and that each asks first."""

import json

import pytest

from runs.contract.status import RunStatus
from runs.events import log
from runs.models import ApiKey, Assistant, Cleanup, Run, Thread
from runs.operations import find_key
from tests.admin.pages import act, listing, url
from tests.console.pages import says
from tests.factories import make_assistant, make_key, make_message, make_run, make_thread
from tests.filled import FULL, make_full_thread


def statuses(*runs):
    return [Run.objects.get(id=run.id).status for run in runs]


def test_runs_are_cancelled_and_expired_once_that_is_confirmed(operator, project):
    runs = [make_run(make_thread(project), RunStatus.REQUIRES_ACTION) for _ in range(3)]
    ended = make_run(make_thread(project), RunStatus.COMPLETED)
    asked = act(operator, Run, "cancel", runs[0], ended)
    assert "Cancel 2 runs? This cannot be undone." in says(asked)
    assert statuses(runs[0]) == ["requires_action"]
    done = act(operator, Run, "cancel", runs[0], ended, confirmed="yes")
    assert "Cancel: 1 of 2 runs." in says(done)
    act(operator, Run, "expire", runs[1], confirmed="yes")
    assert statuses(*runs, ended) == ["cancelled", "expired", "requires_action", "completed"]
    page = log.read_after(runs[0].id, 0)
    assert page.events[-1].name == "thread.run.cancelled"


def test_a_run_is_kicked(operator, project):
    queued = make_run(make_thread(project))
    ended = make_run(make_thread(project), RunStatus.COMPLETED)
    done = act(operator, Run, "kick", queued, ended, confirmed="yes")
    assert "Kick: 1 of 2 runs." in says(done)


def test_what_can_be_done_to_an_object_stands_on_its_page(operator, project):
    run = make_run(make_thread(project), RunStatus.REQUIRES_ACTION)
    page = operator.get(url(run)).content.decode()
    for action in ("cancel", "expire", "kick", "compact"):
        assert f'name="action" value="{action}"' in page
    assert 'value="erase"' in operator.get(url(run.thread)).content.decode()
    assert 'class="verb"' not in operator.get(url(project)).content.decode()


@pytest.mark.slow
def test_many_at_once_need_their_number_typed(operator, project):
    runs = [make_run(make_thread(project)) for _ in range(101)]
    asked = act(operator, Run, "cancel", *runs, confirmed="yes")
    assert "Type 101 to go on" in says(asked)
    assert "That was another number" in says(asked)
    assert set(statuses(*runs)) == {"queued"}
    act(operator, Run, "cancel", *runs, confirmed="yes", typed="101")
    assert set(statuses(*runs)) == {"cancelled"}


def test_too_many_for_a_request_are_refused(operator, project, monkeypatch):
    monkeypatch.setattr("runs.admin.lists.ONE_BY_ONE", 2)
    runs = [make_run(make_thread(project)) for _ in range(3)]
    answer = act(operator, Run, "cancel", *runs, confirmed="yes")
    assert "At most 2 runs at once" in says(answer)
    assert set(statuses(*runs)) == {"queued"}


def test_a_deleted_assistants_runs_stay(operator, project):
    assistant = make_assistant(project)
    run = make_run(make_thread(project), assistant=assistant)
    assert "Delete 1 assistants?" in says(act(operator, Assistant, "erase", assistant))
    act(operator, Assistant, "erase", assistant, confirmed="yes")
    assert not Assistant.objects.filter(id=assistant.id).exists()
    assert Run.objects.filter(id=run.id).exists()


def test_a_key_can_be_revoked_and_its_digest_is_not_shown(operator, project):
    key, plaintext = make_key(project)
    assert key.digest not in operator.get(url(key)).content.decode()
    asked = act(operator, ApiKey, "revoke", key)
    assert "Revoke 1 API keys?" in says(asked)
    assert find_key(plaintext) is not None
    act(operator, ApiKey, "revoke", key, confirmed="yes")
    assert find_key(plaintext) is None


def test_threads_are_exported(operator, project):
    thread = make_full_thread(project)
    make_message(thread, "Grüße \u2028")
    answer = act(operator, Thread, "export", thread)
    assert answer["content-disposition"] == 'attachment; filename="threads.json"'
    (found,) = json.loads(answer.content)
    assert found["id"] == thread.id
    assert found["messages"][-1]["content"][0]["text"]["value"] == "Grüße \u2028"
    (run,) = found["runs"]
    assert [step["type"] for step in run["steps"]] == ["message_creation", "tool_calls"]


def test_not_too_many_threads_go_into_a_file(operator, project, monkeypatch):
    monkeypatch.setattr("runs.admin.threads.EXPORTED", 1)
    answer = act(operator, Thread, "export", make_thread(project), make_thread(project))
    assert "At most 1 threads go into one file." in says(answer)


def test_erasing_and_compacting_begin_with_a_plan(operator, project):
    thread = make_full_thread(project)
    page = act(operator, Thread, "erase", thread)
    cleanup = Cleanup.objects.get()
    assert page.redirect_chain[-1][0] == f"/admin/runs/cleanup/{cleanup.number}/change/"
    assert "It is planned ." in says(page)
    assert "Run steps 2 0" in says(page)
    assert (cleanup.counts, cleanup.asked_by) == (FULL, "admin")
    assert Thread.objects.exists()
    page = act(operator, Run, "compact", Run.objects.get())
    assert "Compact event logs" in says(page)
    assert "Event chunks 1 0" in says(page)


def test_all_rows_of_a_filtered_list_can_be_meant(operator, project):
    for _ in range(60):
        make_thread(project)
    form = {"action": "erase", "select_across": "1", "index": "0"}
    first = Thread.objects.first()
    operator.post(f"{listing(Thread)}?project={project.id}", form | {"_selected_action": first.pk})
    assert Cleanup.objects.get().counts == {"threads": 60}


def test_the_stock_bulk_delete_is_gone(operator, project):
    make_thread(project)
    assert "delete_selected" not in operator.get(listing(Thread)).content.decode()
