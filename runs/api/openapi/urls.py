"""The document and its page, served under ``/v1/`` and without prefix."""

from django.urls import path

from runs.api.openapi import views

urlpatterns = [
    path("openapi.json", views.document),
    path("docs", views.docs),
]
