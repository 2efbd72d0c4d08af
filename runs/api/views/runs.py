"""Runs, as far as nothing waits or streams; for the rest see ``live``."""

from rest_framework.response import Response

from runs import operations
from runs.api.filters import matching_runs
from runs.api.idempotency import repeatable
from runs.api.lookups import run_of, thread_of
from runs.api.pagination import page, page_query
from runs.api.requests import ApiRequest, ApiView
from runs.api.warnings import warning_headers
from runs.inputs.bodies import validate
from runs.inputs.serializers import ModifyMetadata, Nothing
from runs.models import Run
from runs.wire.objects import list_object, run_object


def reply(run: Run) -> Response:
    """A run as an answer."""
    return Response(run_object(run), headers=warning_headers(run))


class AllRuns(ApiView):
    """The runs of a project, on whichever thread: our own."""

    def get(self, request: ApiRequest) -> Response:
        """List, narrowed by filters."""
        rows = Run.objects.for_project(request.project)
        narrowed = matching_runs(rows, request.query_params)
        found, more = page(narrowed, page_query(request.query_params), "run", cursors=rows)
        return Response(list_object([run_object(row) for row in found], has_more=more))


class Runs(ApiView):
    """The runs of a thread."""

    def get(self, request: ApiRequest, thread_id: str) -> Response:
        """List."""
        rows = thread_of(request.project, thread_id).runs.for_project(request.project)
        found, more = page(rows, page_query(request.query_params), "run")
        return Response(list_object([run_object(row) for row in found], has_more=more))


class ModifyRun(ApiView):
    """A run's metadata."""

    @repeatable
    def post(self, request: ApiRequest, thread_id: str, run_id: str) -> Response:
        """Modify."""
        run = run_of(request.project, thread_id, run_id)
        return reply(operations.update_run(run, validate(ModifyMetadata, request.data)))


class CancelRun(ApiView):
    """The end of a run that is no longer wanted."""

    @repeatable
    def post(self, request: ApiRequest, thread_id: str, run_id: str) -> Response:
        """Cancel."""
        run = run_of(request.project, thread_id, run_id)
        validate(Nothing, request.data)
        return reply(operations.cancel_run(run))
