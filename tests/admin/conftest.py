"""The superuser, signed in, and the project of the rows."""

from tests.console.conftest import nobody, operator, project

__all__ = ["nobody", "operator", "project"]
