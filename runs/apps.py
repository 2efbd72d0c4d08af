"""The one Django app of Runsite."""

from django.apps import AppConfig


class RunsConfig(AppConfig):
    """Registers the system checks; connects no signals."""

    name = "runs"
    verbose_name = "Runsite"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Django asks for checks to be imported once the apps are loaded."""
        from runs import checks  # noqa: F401, PLC0415 - models must be loaded first
