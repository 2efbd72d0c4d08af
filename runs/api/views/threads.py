"""Threads."""

from rest_framework.response import Response

from runs import operations
from runs.api.filters import matching_threads
from runs.api.idempotency import repeatable
from runs.api.lookups import thread_of
from runs.api.pagination import page, page_query
from runs.api.requests import ApiRequest, ApiView
from runs.inputs.bodies import validate
from runs.inputs.serializers import CreateThread, ModifyThread
from runs.models import Thread
from runs.wire.objects import deleted_object, list_object, thread_object


class Threads(ApiView):
    """The project's threads."""

    def get(self, request: ApiRequest) -> Response:
        """List, narrowed by filters: our own, the API has no list of threads."""
        rows = Thread.objects.for_project(request.project)
        narrowed = matching_threads(rows, request.query_params)
        found, more = page(narrowed, page_query(request.query_params), "thread", cursors=rows)
        return Response(list_object([thread_object(row) for row in found], has_more=more))

    @repeatable
    def post(self, request: ApiRequest) -> Response:
        """Create, with first messages if given."""
        project = request.project
        fields = validate(CreateThread, request.data)
        return Response(thread_object(operations.create_thread(project, fields)))


class OneThread(ApiView):
    """A thread."""

    def get(self, request: ApiRequest, thread_id: str) -> Response:
        """Retrieve."""
        return Response(thread_object(thread_of(request.project, thread_id)))

    @repeatable
    def post(self, request: ApiRequest, thread_id: str) -> Response:
        """Modify."""
        thread = thread_of(request.project, thread_id)
        fields = validate(ModifyThread, request.data)
        return Response(thread_object(operations.update_thread(thread, fields)))

    def delete(self, request: ApiRequest, thread_id: str) -> Response:
        """Delete, with all that belongs to it."""
        operations.delete_thread(thread_of(request.project, thread_id))
        return Response(deleted_object(thread_id, "thread"))
