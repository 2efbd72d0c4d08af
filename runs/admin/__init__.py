"""Django's admin, for cleaning up, and for superusers alone (``runsite.admin_site``).

Rows are looked at and searched; what is done to them goes through the operations, each time
after a page that has asked. Nothing is added, and no field is changed.
"""

from django.contrib import admin

# Imported for what they register.
from runs.admin import cleanups, people, runs, threads

__all__ = ["cleanups", "people", "runs", "threads"]

# The stock bulk delete loads every related object, and writes past the operations.
admin.site.disable_action("delete_selected")
