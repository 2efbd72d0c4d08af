"""Assistants."""

from rest_framework.response import Response

from runs import operations
from runs.api.idempotency import repeatable
from runs.api.lookups import assistant_of
from runs.api.pagination import page, page_query
from runs.api.requests import ApiRequest, ApiView
from runs.inputs.bodies import validate
from runs.inputs.serializers import CreateAssistant, ModifyAssistant
from runs.models import Assistant
from runs.wire.objects import assistant_object, deleted_object, list_object


class Assistants(ApiView):
    """The project's assistants."""

    def get(self, request: ApiRequest) -> Response:
        """List."""
        rows = Assistant.objects.for_project(request.project)
        found, more = page(rows, page_query(request.query_params), "assistant")
        return Response(list_object([assistant_object(row) for row in found], has_more=more))

    @repeatable
    def post(self, request: ApiRequest) -> Response:
        """Create."""
        fields = validate(CreateAssistant, request.data)
        made = operations.create_assistant(request.project, fields, by=request.key)
        return Response(assistant_object(made))


class OneAssistant(ApiView):
    """An assistant."""

    def get(self, request: ApiRequest, assistant_id: str) -> Response:
        """Retrieve."""
        return Response(assistant_object(assistant_of(request.project, assistant_id)))

    @repeatable
    def post(self, request: ApiRequest, assistant_id: str) -> Response:
        """Modify."""
        assistant = assistant_of(request.project, assistant_id)
        fields = validate(ModifyAssistant, request.data)
        changed = operations.update_assistant(assistant, fields, by=request.key)
        return Response(assistant_object(changed))

    def delete(self, request: ApiRequest, assistant_id: str) -> Response:
        """Delete."""
        operations.delete_assistant(assistant_of(request.project, assistant_id))
        return Response(deleted_object(assistant_id, "assistant"))
