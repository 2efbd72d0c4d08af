"""The admin: what can be deleted or revoked there, through which door, and what cannot."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User

from runs.contract.status import RunStatus
from runs.models import ApiKey, Assistant, Message, Project, Run, RunStep, Thread, ToolCall
from runs.operations import find_key
from tests.console.pages import says
from tests.factories import make_assistant, make_key, make_message, make_run, make_step, make_thread

MODELS = [Thread, Assistant, ApiKey, Run, RunStep, ToolCall, Message, Project]
DELETABLE = {Thread, Assistant}


def url(row, view="change"):
    kind = type(row)._meta.model_name
    return f"/admin/runs/{kind}/{row.pk}/{view}/"


def listing(model):
    return f"/admin/runs/{model._meta.model_name}/"


def act(client, model, action, *rows, **extra):
    selected = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(listing(model), selected | extra, follow=True)


@pytest.fixture
def rows(project):
    """One row of each model."""
    thread = make_thread(project)
    run = make_run(thread, RunStatus.REQUIRES_ACTION)
    step = RunStep.objects.get()
    return {
        Thread: thread, Run: run, RunStep: step, ToolCall: ToolCall.objects.get(),
        Message: make_message(thread), Assistant: Assistant.objects.get(),
        ApiKey: make_key(project)[0], Project: project,
    }  # fmt: skip


def test_every_model_is_looked_at_here_or_nowhere():
    ours = {model for model in admin.site._registry if model.__module__.startswith("runs.")}
    assert ours == set(MODELS)


def test_operators_can_be_looked_at_and_not_changed(operator):
    admin_user = User.objects.get()
    assert "admin" in says(operator.get("/admin/auth/user/"))
    page = operator.get(f"/admin/auth/user/{admin_user.pk}/change/").content.decode()
    assert admin_user.password not in page
    assert 'name="_save"' not in page
    for view in ("add", f"{admin_user.pk}/delete"):
        assert operator.post(f"/admin/auth/user/{view}/").status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_rows_can_be_listed_found_and_looked_at(operator, rows, model):
    row = rows[model]
    assert operator.get(listing(model)).status_code == 200
    assert says(operator.get(f"{listing(model)}?q={row.id}")).count("1 ") >= 1
    page = operator.get(url(row))
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_nothing_can_be_added_or_changed(operator, rows, model):
    before = model.objects.values().get(pk=rows[model].pk)
    assert operator.get(f"{listing(model)}add/").status_code == 403
    assert operator.post(url(rows[model]), {"status": "completed"}).status_code == 403
    assert model.objects.values().get(pk=rows[model].pk) == before


@pytest.mark.parametrize("model", [model for model in MODELS if model not in DELETABLE])
def test_only_threads_and_assistants_can_be_deleted(operator, rows, model):
    assert operator.post(url(rows[model], "delete"), {"post": "yes"}).status_code == 403
    act(operator, model, "delete_selected", rows[model], post="yes")
    act(operator, model, "delete_rows", rows[model], confirmed="yes")
    assert model.objects.filter(pk=rows[model].pk).exists()


def test_deleting_a_thread_asks_first_and_goes_through_the_operation(operator, rows):
    thread, run = rows[Thread], rows[Run]
    asked = operator.get(url(thread, "delete"))
    assert "Runs: 1" in says(asked)
    assert Thread.objects.count() == 1
    deleted = operator.post(url(thread, "delete"), {"post": "yes"})
    assert deleted.status_code == 302
    assert Thread.objects.count() == 0
    assert not Run.objects.filter(id=run.id).exists()


def test_deleting_several_threads_asks_first(operator, project):
    threads = [make_thread(project) for _ in range(3)]
    make_step(make_run(threads[0], RunStatus.IN_PROGRESS))
    asked = act(operator, Thread, "delete_rows", *threads[:2])
    assert "Delete 2 threads? This cannot be undone." in says(asked)
    assert "Runs: 1" in says(asked)
    assert Thread.objects.count() == 3
    done = act(operator, Thread, "delete_rows", *threads[:2], confirmed="yes")
    assert "Delete" in says(done)
    assert list(Thread.objects.values_list("id", flat=True)) == [threads[2].id]


def test_a_deleted_assistants_runs_stay(operator, project):
    assistant = make_assistant(project)
    run = make_run(make_thread(project), assistant=assistant)
    operator.post(url(assistant, "delete"), {"post": "yes"})
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


def test_the_stock_bulk_delete_is_gone(operator, rows):
    assert "delete_selected" not in operator.get(listing(Thread)).content.decode()


def test_lists_take_a_fixed_number_of_queries(operator, project, django_assert_max_num_queries):
    for _ in range(30):
        make_run(make_thread(project), RunStatus.COMPLETED)
    for model in (Thread, Run):
        with django_assert_max_num_queries(16):
            operator.get(listing(model))
