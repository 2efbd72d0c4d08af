"""The members of a project."""

from typing import cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from runs import operations
from runs.console.pages import ConsoleRequest, form_of, member_only, page
from runs.contract.errors import BadRequest
from runs.contract.roles import GIVEN
from runs.models import Member, Project
from runsite.address import absolute

ROLES = [(str(role), role.capitalize()) for role in GIVEN]


class MemberForm(forms.Form):
    """Who, and as what."""

    username = forms.CharField(label="Name", max_length=150)
    role = forms.ChoiceField(choices=ROLES, initial=GIVEN[0])


@member_only
@require_http_methods(["GET", "POST"])
def members(request: ConsoleRequest, project: Project) -> HttpResponse:
    """The members of the project. A POST adds one, and its answer alone shows their link."""
    form = MemberForm(request.POST or None)
    if form.is_bound and form.is_valid():
        try:
            member = operations.add_member(
                project, **form.cleaned_data, by=cast(User, request.user)
            )
        except BadRequest as refusal:
            form.add_error(refusal.param, refusal.message)
        else:
            return members_page(request, project, MemberForm(), link_of=member)
    return members_page(request, project, form, status=422 if form.is_bound else 200)


@form_of("members")
@member_only
def change(request: ConsoleRequest, project: Project, number: int) -> HttpResponse:
    """Give a member another role, or take them out of the project."""
    member = find_member(project, number)
    if "remove" in request.POST:
        operations.remove_member(member)
        messages.success(request, f"“{member.user}” is no longer in this project.")
        return redirect("console:members")
    try:
        operations.set_role(member, request.POST.get("role", ""))
    except BadRequest as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"“{member.user}” is now {member.role} in this project.")
    return redirect("console:members")


@form_of("members")
@member_only
def link(request: ConsoleRequest, project: Project, number: int) -> HttpResponse:
    """Show a new login link of a member, once."""
    return members_page(request, project, MemberForm(), link_of=find_member(project, number))


def find_member(project: Project, number: int) -> Member:
    """The member of this number; 404 if they are in another project."""
    member = Member.objects.for_project(project).select_related("user").filter(number=number)
    if not member:
        raise Http404("No such member of this project. They may have been removed.")
    return member[0]


def members_page(
    request: ConsoleRequest,
    project: Project,
    form: MemberForm,
    link_of: Member | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page, with a login link of ``link_of`` if one may be made."""
    context: dict[str, object] = {
        "form": form,
        "members": Member.objects.for_project(project).select_related("user"),
        "staff": User.objects.filter(is_active=True, is_staff=True),
        "roles": ROLES,
        "link_of": link_of,
    }
    if link_of is not None:
        try:
            token = operations.invite(cast(User, request.user), link_of)
        except BadRequest as refusal:
            context["problem"] = refusal.message
        else:
            context["link"] = f"{absolute(request, reverse('console:enter'))}#{token}"
    return page(request, project, "console/members.html", context, status=status)
