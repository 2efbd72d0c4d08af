"""Routes of the API, served under ``/v1/`` and without prefix. None ends in a slash.

The 23 operations of the Assistants API, and our own: ``…/stream``, and the lists of all
runs and all threads.
"""

from django.urls import path

from runs.api.requests import by_method
from runs.api.views import assistants, live, messages, runs, steps, threads

urlpatterns = [
    path("assistants", assistants.Assistants.as_view()),
    path("assistants/<str:assistant_id>", assistants.OneAssistant.as_view()),
    path("runs", runs.AllRuns.as_view()),
    path("threads", threads.Threads.as_view()),
    path("threads/runs", by_method(POST=live.create_thread_and_run)),  # before a thread's id
    path("threads/<str:thread_id>", threads.OneThread.as_view()),
    path("threads/<str:thread_id>/messages", messages.Messages.as_view()),
    path("threads/<str:thread_id>/messages/<str:message_id>", messages.OneMessage.as_view()),
    path(
        "threads/<str:thread_id>/runs",
        by_method(GET=runs.Runs.as_view(), POST=live.create_run),
    ),
    path(
        "threads/<str:thread_id>/runs/<str:run_id>",
        by_method(GET=live.retrieve_run, POST=runs.ModifyRun.as_view()),
    ),
    path("threads/<str:thread_id>/runs/<str:run_id>/cancel", runs.CancelRun.as_view()),
    path(
        "threads/<str:thread_id>/runs/<str:run_id>/submit_tool_outputs",
        by_method(POST=live.submit_tool_outputs),
    ),
    path("threads/<str:thread_id>/runs/<str:run_id>/steps", steps.Steps.as_view()),
    path(
        "threads/<str:thread_id>/runs/<str:run_id>/steps/<str:step_id>",
        steps.OneStep.as_view(),
    ),
    path("threads/<str:thread_id>/runs/<str:run_id>/stream", by_method(GET=live.attach)),
]
