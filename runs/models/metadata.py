"""Asking for a pair of an object's metadata."""

from typing import Any, ClassVar

from django.db.models import BooleanField, F, Func, Value


class HasPair(Func):
    """Whether the column ``metadata`` holds this key with this value.

    Not Django's ``metadata__key``: it takes "0" for an index and "a__b" for a path, and on
    SQLite compares keys as they are escaped in the stored text.
    """

    arity = 3
    output_field = BooleanField()
    #: Of the column, the key and the value.
    templates: ClassVar = {
        "sqlite": (
            "EXISTS (SELECT 1 FROM json_each({}) AS pair WHERE pair.key = {} AND pair.atom = {})"
        ),
        "postgresql": "{} @> jsonb_build_object({}::text, {}::text)",
    }

    def __init__(self, key: str, value: str):
        super().__init__(F("metadata"), Value(key), Value(value))

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **context: Any) -> Any:
        """The condition in the words of the database."""
        parts = [compiler.compile(part) for part in self.get_source_expressions()]
        sql = self.templates[connection.vendor].format(*(words for words, _ in parts))
        return sql, [value for _, values in parts for value in values]
