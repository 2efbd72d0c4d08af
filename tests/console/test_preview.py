"""The preview of a form: the calls that do what it would do."""

import json
import shlex

from runs.models import Assistant, Run, Thread
from tests.console.pages import says
from tests.factories import WEATHER, make_assistant, make_thread

HTMX = {"HX-Request": "true"}
URL = "/console/runs/new/preview/"


def calls_of(response):
    return [(line, json.loads(body)) for line, body in response.context["calls"]]


def test_a_form_is_shown_as_calls(operator, project):
    assistant = make_assistant(project)
    fields = {
        "assistant": assistant.id,
        "text": "Hi",
        "temperature": "0.5",
        "on_active_run": "queue",
    }
    response = operator.post(URL, fields, headers=HTMX)
    assert response.status_code == 200
    assert calls_of(response) == [
        ("POST /v1/threads", {"messages": [{"role": "user", "content": "Hi"}]}),
        (
            "POST /v1/threads/{thread.id}/runs",
            {"assistant_id": assistant.id, "temperature": 0.5, "on_active_run": "queue"},
        ),
    ]
    assert set(response.context["codes"]) == {"Python", "Node.js", "curl"}
    assert "http://testserver/v1" in says(response)
    assert "<html" not in response.content.decode()


def test_a_thread_that_is_there_takes_one_call(operator, project):
    assistant, thread = make_assistant(project), make_thread(project)
    fields = {"assistant": assistant.id, "thread": thread.id, "text": "Hi"}
    ((line, body),) = calls_of(operator.post(URL, fields, headers=HTMX))
    assert line == f"POST /v1/threads/{thread.id}/runs"
    assert body["additional_messages"] == [{"role": "user", "content": "Hi"}]


def test_a_model_alone_makes_an_assistant_once(operator):
    fields = {"model": "runsite/demo", "text": "Hi"}
    first = calls_of(operator.post(URL, fields, headers=HTMX))
    assert first[0] == ("POST /v1/assistants", {"model": "runsite/demo"})
    assert first[-1][1] == {"assistant_id": "{assistant.id}"}
    operator.post("/console/runs/new/", fields)
    again = calls_of(operator.post(URL, fields, headers=HTMX))
    assert again[-1][1] == {"assistant_id": Assistant.objects.get().id}


def test_a_preview_starts_nothing(operator):
    operator.post(URL, {"model": "runsite/demo", "text": "Hi"}, headers=HTMX)
    assert not Run.objects.exists()
    assert not Thread.objects.exists()
    assert not Assistant.objects.exists()


def test_what_is_wrong_is_told_and_the_rest_is_shown(operator):
    fields = {"model": "runsite/demo", "text": "Hi", "temperature": "9", "tools": "["}
    response = operator.post(URL, fields, headers=HTMX)
    assert response.status_code == 200
    assert "Not ready to be sent" in says(response)
    assert calls_of(response)[-1][1]["temperature"] == 9


def test_without_script_the_page_comes_back_with_the_preview(operator):
    response = operator.post(URL, {"model": "runsite/demo", "text": "Kept <b>"})
    assert response.status_code == 200
    assert "Kept &lt;b&gt;" in response.content.decode()
    assert 'client = OpenAI(base_url="http://testserver/v1")' in says(response)
    assert "Nothing was sent" not in says(response)


def test_another_assistant_brings_its_own_tools_and_settings(operator, project):
    assistant = make_assistant(project, tools=[WEATHER], temperature=0.7)
    fields = {"assistant": assistant.id, "tools_of": "", "text": "Hi"}
    response = operator.post(URL, fields, headers=HTMX)
    page = response.content.decode()
    assert 'hx-target="#tool-list:not([data-of=&quot;' in page
    assert 'value="get_weather" id="id_tool_0" checked' in page
    assert '<li data-for="id_temperature">Inherited: 0.7</li>' in page
    assert "tools" not in calls_of(response)[-1][1]


def test_hostile_text_stays_text(operator):
    fields = {
        "model": "</script><b>\u202e",
        "text": "</pre><script>alert(1)</script>",
        "thread": "$(x)'\"",
    }
    response = operator.post(URL, fields, headers=HTMX)
    page = response.content.decode()
    assert "<script>" not in page
    assert "\u202e" not in page
    assert shlex.quote(fields["thread"]) in says(response)  # one word for a shell
