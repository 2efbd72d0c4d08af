"""HTTP routes: the API under each of its prefixes, the console, the admin, health."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from runsite import health

handler400 = "runsite.errors.bad_request"
handler403 = "runsite.errors.forbidden"
handler404 = "runsite.errors.not_found"
handler500 = "runsite.errors.server_error"

#: ``/v1``; Azure's clients, whose base URL ends in ``/openai``; and clients without any prefix.
API_PREFIXES = ("v1/", "openai/v1/", "openai/", "")

urlpatterns = [
    path("", RedirectView.as_view(url="/console/", permanent=False)),
    path("readyz", health.ready),
    path("console/", include("runs.console.urls")),
    path("admin/", admin.site.urls),
    *(path(prefix, include("runs.api.openapi.urls")) for prefix in ("v1/", "")),
    *(path(prefix, include("runs.api.urls")) for prefix in API_PREFIXES),
]
