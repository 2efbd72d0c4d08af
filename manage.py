#!/usr/bin/env python
"""Runsite's command line."""

import os
import sys

try:
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from environs import EnvError
except ImportError:
    sys.exit(
        f"Runsite's packages are not installed for {sys.executable}. "
        "Run `make setup` once, then `.venv/bin/python manage.py ...`."
    )


def main() -> None:
    """Run one management command; a wrong setting is one sentence, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "runsite.settings")
    try:
        execute_from_command_line(sys.argv)
    except (EnvError, ImproperlyConfigured) as error:
        sys.exit(f"Runsite is not configured correctly: {error}")


if __name__ == "__main__":
    main()
