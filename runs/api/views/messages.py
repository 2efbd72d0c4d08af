"""Messages of a thread."""

from rest_framework.response import Response

from runs import operations
from runs.api.idempotency import repeatable
from runs.api.lookups import message_of, shaped, thread_of
from runs.api.pagination import page, page_query
from runs.api.requests import ApiRequest, ApiView
from runs.inputs.bodies import validate
from runs.inputs.serializers import CreateMessage, ModifyMetadata
from runs.wire.objects import deleted_object, list_object, message_object


class Messages(ApiView):
    """The messages of a thread."""

    def get(self, request: ApiRequest, thread_id: str) -> Response:
        """List; ``run_id`` keeps those that a run wrote."""
        rows = thread_of(request.project, thread_id).messages.all()
        if run_id := request.query_params.get("run_id"):
            rows = rows.filter(run_id=shaped(run_id))
        found, more = page(rows, page_query(request.query_params), "message")
        return Response(list_object([message_object(row) for row in found], has_more=more))

    @repeatable
    def post(self, request: ApiRequest, thread_id: str) -> Response:
        """Add a message to the end."""
        thread = thread_of(request.project, thread_id)
        fields = validate(CreateMessage, request.data)
        return Response(message_object(operations.add_message(thread, fields)))


class OneMessage(ApiView):
    """A message."""

    def get(self, request: ApiRequest, thread_id: str, message_id: str) -> Response:
        """Retrieve."""
        return Response(message_object(message_of(request.project, thread_id, message_id)))

    @repeatable
    def post(self, request: ApiRequest, thread_id: str, message_id: str) -> Response:
        """Modify."""
        message = message_of(request.project, thread_id, message_id)
        fields = validate(ModifyMetadata, request.data)
        return Response(message_object(operations.update_message(message, fields)))

    def delete(self, request: ApiRequest, thread_id: str, message_id: str) -> Response:
        """Delete."""
        operations.delete_message(message_of(request.project, thread_id, message_id))
        return Response(deleted_object(message_id, "thread.message"))
