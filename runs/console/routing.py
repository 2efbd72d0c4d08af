"""WebSocket routes."""

from django.urls import path

from runs.console.consumers import AttentionConsumer, RunConsumer

websocket_urlpatterns = [
    # The stubs know views only; URLRouter calls ASGI applications.
    path("console/ws/attention/", AttentionConsumer.as_asgi()),  # type: ignore[arg-type]
    path("console/ws/runs/<str:run_id>/", RunConsumer.as_asgi()),  # type: ignore[arg-type]
]
