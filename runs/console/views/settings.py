"""What somebody sets for this browser."""

from urllib.parse import urlsplit

from django.conf import settings as server
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from runs.console.pages import ConsoleRequest, base_url, member_only, page
from runs.console.text import duration
from runs.console.views.access import YEAR
from runs.console.zones import COOKIE as ZONE
from runs.console.zones import zone_names
from runs.models import Project

SHORTCUTS = "shortcuts"  # a cookie


@member_only
@require_http_methods(["GET", "POST"])
def settings(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Time zone and keys; kept in cookies, so they outlive the session."""
    if request.method == "GET":
        return settings_page(request, project)
    zone = request.POST.get("zone", "")
    if zone not in zone_names():
        return settings_page(request, project, problem=f"There is no time zone “{zone}”.")
    answer = redirect("console:settings")
    answer.set_cookie(ZONE, zone, max_age=YEAR, samesite="Lax", httponly=True)
    keys = "on" if request.POST.get("shortcuts") else "off"
    answer.set_cookie(SHORTCUTS, keys, max_age=YEAR, samesite="Lax", httponly=True)
    messages.success(request, f"Saved. Times are shown in {zone}.")
    return answer


def settings_page(request: ConsoleRequest, project: Project, problem: str = "") -> HttpResponse:
    """The page; ``problem`` says what was refused."""
    context = {
        "zones": zone_names(),
        "shortcuts_off": request.COOKIES.get(SHORTCUTS) == "off",
        "problem": problem,
        "base_url": base_url(request),
        "server": server_facts(),
    }
    return page(request, project, "console/settings.html", context, status=422 if problem else 200)


def server_facts() -> dict[str, str]:
    """How this server is set up, without anything secret."""
    upstream = urlsplit(server.RUNSITE_UPSTREAM_URL or "").hostname
    with_key = "with a key" if server.RUNSITE_UPSTREAM_KEY else "without a key"
    return {
        "Upstream": f"{upstream}, {with_key}" if upstream else "the local model",
        "Database": server.DATABASES["default"]["ENGINE"].rpartition(".")[2],
        "Engine": server.RUNSITE_ENGINE,
        "Runs expire after": duration(server.RUNSITE_RUN_LIFETIME),
    }
