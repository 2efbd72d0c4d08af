"""WebSocket routes."""

from django.urls import path

from runs.console.consumers import RunConsumer

websocket_urlpatterns = [
    # The stubs know views only; URLRouter calls ASGI applications.
    path("console/ws/runs/<str:run_id>/", RunConsumer.as_asgi()),  # type: ignore[arg-type]
]
