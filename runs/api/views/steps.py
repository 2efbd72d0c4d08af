"""Steps of a run."""

from rest_framework.response import Response

from runs.api.lookups import run_of, step_of
from runs.api.pagination import page, page_query
from runs.api.requests import ApiRequest, ApiView
from runs.wire.objects import list_object, step_object


class Steps(ApiView):
    """The steps of a run."""

    def get(self, request: ApiRequest, thread_id: str, run_id: str) -> Response:
        """List."""
        run = run_of(request.project, thread_id, run_id)
        rows = run.steps.prefetch_related("tool_calls")
        found, more = page(rows, page_query(request.query_params), "run step")
        return Response(list_object([step_object(row, run) for row in found], has_more=more))


class OneStep(ApiView):
    """A step."""

    def get(self, request: ApiRequest, thread_id: str, run_id: str, step_id: str) -> Response:
        """Retrieve."""
        run = run_of(request.project, thread_id, run_id)
        return Response(step_object(step_of(run, step_id), run))
