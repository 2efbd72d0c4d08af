"""Signing in and out, the password, and the colour theme."""

from typing import cast

from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from runs.console.pages import ConsoleRequest, member_only, page, seat_of
from runs.console.tries import limited
from runs.contract.errors import ApiError
from runs.models import Project
from runs.operations import use_login_link

BACKEND = "django.contrib.auth.backends.ModelBackend"
THEMES = ("light", "dark", "system")
YEAR = 365 * 24 * 3600  # seconds


@method_decorator(limited, name="dispatch")
class SignIn(LoginView):
    """Sign in with the password."""

    template_name = "console/login.html"
    redirect_authenticated_user = True


@require_http_methods(["GET", "POST"])
def enter(request: ConsoleRequest) -> HttpResponse:
    """Sign in with the token of a login link.

    The token stands in the link's fragment, which browsers send nowhere; the page's script
    posts it. Only a POST uses it up, so that previews of the link do not.
    """
    if request.method == "GET":
        return render(request, "console/enter.html")
    try:
        user = use_login_link(request.POST.get("token", "").strip().rpartition("#")[2])
    except ApiError as refusal:
        if seat_of(request.user, request.session):  # the link that let them in, opened once more
            return redirect("console:overview")
        return render(request, "console/enter.html", {"problem": refusal.message}, status=400)
    login(request, user, backend=BACKEND)
    return redirect("console:overview")


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("console:login")


@member_only
@require_http_methods(["GET", "POST"])
def set_password(request: ConsoleRequest, project: Project) -> HttpResponse:
    """Set the password of whoever is signed in, who must know the one they have. Their other
    sessions end."""
    user = cast(User, request.user)
    kind = PasswordChangeForm if user.has_usable_password() else SetPasswordForm
    form = kind(user, request.POST or None)
    if form.is_bound and form.is_valid():
        update_session_auth_hash(request, form.save())
        messages.success(request, "The password is set. Login links are no longer printed.")
        return redirect("console:overview")
    status = 422 if form.is_bound else 200
    return page(request, project, "console/password.html", {"form": form}, status=status)


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Remember the theme in a cookie, and go back."""
    chosen = request.POST.get("theme", "")
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/console/"
    answer = redirect(back)
    if chosen in THEMES:
        answer.set_cookie("theme", chosen, max_age=YEAR, samesite="Lax", httponly=True)
    return answer
