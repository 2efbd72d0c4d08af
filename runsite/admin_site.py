"""The admin site: for superusers alone, whatever other people may do elsewhere."""

from typing import Any, cast

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest, HttpResponse

from runs.console.tries import limited


class Site(AdminSite):
    """Cleaning up. The console is the product."""

    site_header = "Runsite admin"
    site_title = "Runsite admin"
    index_title = "Clean up"
    site_url = "/console/"
    index_template = "admin/overview.html"

    def has_permission(self, request: HttpRequest) -> bool:
        """Nobody else gets further than the sign-in."""
        return bool(request.user.is_active and request.user.is_superuser)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Sign in with the password, with as many tries as in the console."""
        return cast(HttpResponse, limited(super().login)(request, extra_context))


class Config(AdminConfig):
    """Stands in INSTALLED_APPS in the place of Django's."""

    default_site = "runsite.admin_site.Site"
