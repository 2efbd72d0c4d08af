"""The admin's rows: all can be looked at, none can be written."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from runs.contract.status import RunStatus
from runs.models import (
    ApiKey,
    Assistant,
    Cleanup,
    IdempotencyKey,
    Message,
    Project,
    Run,
    RunStep,
    Thread,
    ToolCall,
)
from tests.admin.pages import act, listing, url
from tests.console.pages import says
from tests.factories import make_assistant, make_key, make_message, make_run, make_thread

MODELS = [Thread, Assistant, ApiKey, Run, RunStep, ToolCall, Message, Project, Cleanup]
LISTED = {*MODELS, IdempotencyKey}


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
        Cleanup: Cleanup.objects.create(verb="erase"),
    }  # fmt: skip


def test_every_model_is_looked_at_here_or_nowhere():
    ours = {model for model in admin.site._registry if model.__module__.startswith("runs.")}
    assert ours == LISTED


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
def test_nothing_can_be_added_changed_or_deleted(operator, rows, model):
    row = rows[model]
    before = model.objects.values().get(pk=row.pk)
    assert operator.get(f"{listing(model)}add/").status_code == 403
    assert operator.post(url(row), {"status": "completed"}).status_code in (403, 405)
    assert operator.post(url(row, "delete"), {"post": "yes"}).status_code == 403
    act(operator, model, "delete_selected", row, post="yes", confirmed="yes")
    assert model.objects.values().get(pk=row.pk) == before


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_a_status_that_is_posted_to_a_list_is_not_taken(operator, rows, status):
    run = rows[Run]
    form = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-number": run.number}
    operator.post(listing(Run), form | {"form-0-status": status, "_save": "Save"})
    run.refresh_from_db()
    assert run.status == RunStatus.REQUIRES_ACTION


def test_the_steps_calls_and_messages_of_a_run_are_one_link_away(operator, rows):
    run = rows[Run]
    page = operator.get(url(run)).content.decode()
    for name in ("runstep", "toolcall", "message"):
        assert f'href="/admin/runs/{name}/?q={run.id}"' in page
    assert rows[RunStep].id in says(operator.get(f"/admin/runs/runstep/?q={run.id}"))


def test_answers_and_sessions_are_listed_without_what_they_hold(operator, rows):
    IdempotencyKey.objects.create(
        project=rows[Project], key="a-key", route="/threads", body_digest="d",
        answer={"secret": "words"}, thread=rows[Thread],
    )  # fmt: skip
    page = operator.get(listing(IdempotencyKey)).content.decode()
    assert "/threads" in page
    assert "words" not in page
    key = Session.objects.get().session_key
    page = operator.get(listing(Session)).content.decode()
    assert key not in page
    assert "1 session" in page
    for row in (IdempotencyKey.objects.get(), Session.objects.get()):
        assert operator.get(url(row)).status_code == 403


def test_contents_are_in_no_list(operator, project):
    thread = make_thread(project, metadata={"topic": "whales"})
    make_message(thread, "Moby Dick")
    run = make_run(thread, RunStatus.REQUIRES_ACTION, instructions="Be Ahab.")
    for model in LISTED:
        page = operator.get(listing(model)).content.decode()
        for words in ("Moby Dick", "Be Ahab.", "whales", "Oslo"):
            assert words not in page, model
    assert run.id in operator.get(listing(Run)).content.decode()


def test_names_are_shown_as_text(operator, project):
    make_assistant(project, name="<script>alert(1)</script>", model="<b>")
    page = operator.get(listing(Assistant)).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
