"""Words for JSON schemas, shared by the modules of this package."""

from typing import Any

Schema = dict[str, Any]

NULL: Schema = {"type": "null"}
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
ANY_OBJECT: Schema = {"type": "object", "additionalProperties": True}


def ref(name: str) -> Schema:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema, description: str = "") -> Schema:
    """``schema`` or null."""
    found: Schema = {"anyOf": [schema, NULL]}
    return found | ({"description": description} if description else {})


def closed(properties: Schema, optional: tuple[str, ...] = (), description: str = "") -> Schema:
    """An object with these properties and no other; all required but the ``optional`` ones."""
    found: Schema = {"type": "object"}
    if description:
        found["description"] = description
    found["properties"] = properties
    if required := [name for name in properties if name not in optional]:
        found["required"] = required
    return found | {"additionalProperties": False}


def id_schema(prefix: str) -> Schema:
    """An id of ours (:func:`runs.contract.ids.new_id`)."""
    return {"type": "string", "pattern": f"^{prefix}_[A-Za-z0-9]{{24}}$"}


def word(*values: str) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(values)}


def array(items: Schema, **more: Any) -> Schema:
    """An array of these."""
    return {"type": "array", "items": items} | more
