"""Routes of the console."""

from django.urls import path

from runs.console.views import (
    access,
    assistants,
    bulk,
    desk,
    events,
    home,
    keys,
    members,
    new_run,
    projects,
    run,
    runs,
    settings,
    steps,
    threads,
)

app_name = "console"

urlpatterns = [
    path("", home.overview, name="overview"),
    path("inbox/", home.inbox, name="inbox"),
    path("runs/", runs.run_list, name="runs"),
    path("runs/bulk/", bulk.bulk, name="bulk"),
    path("runs/live/", runs.live, name="runs-live"),
    path("runs/new/", new_run.new_run, name="new-run"),
    path("go/", runs.go, name="go"),
    path("r/<str:run_id>/", runs.short, name="short"),
    path("threads/", threads.thread_list, name="threads"),
    path("threads/<str:thread_id>/", threads.thread, name="thread"),
    path("threads/<str:thread_id>/messages/", threads.add, name="add-message"),
    path("threads/<str:thread_id>/runs/<str:run_id>/", run.run, name="run"),
    path("threads/<str:thread_id>/runs/<str:run_id>/events/", events.events, name="events"),
    path(
        "threads/<str:thread_id>/runs/<str:run_id>/export.<str:form>", events.export, name="export"
    ),
    path("threads/<str:thread_id>/runs/<str:run_id>/steps/<str:step_id>/", steps.step, name="step"),
    path(
        "threads/<str:thread_id>/runs/<str:run_id>/steps/<str:step_id>/<str:place>/",
        steps.step_text,
        name="step-text",
    ),
    path("threads/<str:thread_id>/runs/<str:run_id>/cancel/", run.cancel, name="cancel"),
    path("threads/<str:thread_id>/runs/<str:run_id>/outputs/", desk.submit, name="outputs"),
    path("threads/<str:thread_id>/runs/<str:run_id>/outputs/fill/", desk.fill, name="fill-outputs"),
    path("assistants/", assistants.assistants, name="assistants"),
    path("assistants/new/", assistants.new, name="new-assistant"),
    path("assistants/<str:assistant_id>/", assistants.assistant, name="assistant"),
    path("assistants/<str:assistant_id>/delete/", assistants.delete, name="delete-assistant"),
    path("assistants/<str:assistant_id>/versions/", assistants.versions, name="assistant-versions"),
    path(
        "assistants/<str:assistant_id>/versions/<int:version>/restore/",
        assistants.restore,
        name="restore-assistant",
    ),
    path("keys/", keys.keys, name="keys"),
    path("keys/<str:key_id>/revoke/", keys.revoke, name="revoke"),
    path("members/", members.members, name="members"),
    path("members/<int:number>/", members.change, name="member"),
    path("members/<int:number>/link/", members.link, name="member-link"),
    path("projects/", projects.projects, name="projects"),
    path("projects/choose/", projects.choose, name="choose-project"),
    path("enter/", access.enter, name="enter"),
    path("login/", access.SignIn.as_view(), name="login"),
    path("logout/", access.sign_out, name="logout"),
    path("settings/", settings.settings, name="settings"),
    path("password/", access.set_password, name="password"),
    path("theme/", access.set_theme, name="theme"),
]
