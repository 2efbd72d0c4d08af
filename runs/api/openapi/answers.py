"""What operations answer besides their objects: errors and headers."""

from runs.api.errors import headers_of
from runs.api.openapi.schemas import TEXT, Schema, closed, nullable, ref, word
from runs.contract import limits
from runs.contract.errors import (
    ApiError,
    BadRequest,
    Busy,
    Internal,
    KeyInUse,
    NotFound,
    TooLarge,
    TooManyStreams,
    WrongKey,
)

#: Every ``code`` of an error; some errors have none. ``docs/api.md`` says when each is sent.
CODES = (
    "missing_required_parameter",
    "unknown_parameter",
    "invalid_type",
    "invalid_value",
    "integer_above_max_value",
    "integer_below_min_value",
    "decimal_above_max_value",
    "decimal_below_min_value",
    "string_above_max_length",
    "string_below_min_length",
    "array_above_max_length",
    "array_below_min_length",
    "object_above_max_properties",
    "invalid_beta",
    "host_not_allowed",
    "idempotency_key_reuse",
    "idempotency_key_in_use",
    "invalid_api_key",
    "method_not_supported",
    "body_too_large",
    "rate_limit_exceeded",
    "server_busy",
)

ERROR = closed(
    {
        "message": TEXT | {"description": "What is wrong, in a sentence."},
        "type": word("invalid_request_error", "requests", "server_error"),
        "param": nullable(TEXT)
        | {"description": "The path to the place, such as `tools[0].function.name`."},
        "code": {
            "anyOf": [word(*CODES), {"type": "null"}],
            "description": "The rule that was broken, where it has a name.",
        },
    }
)

SCHEMAS: dict[str, Schema] = {
    "Error": ERROR,
    "ErrorResponse": closed(
        {"error": ref("Error")}, description="Every error has this shape, on every path."
    ),
    "StreamError": closed(
        {**ERROR["properties"], "error": ref("Error")},
        description="The error given both ways: the published schema has it bare, "
        "openai-python reads it under `error`.",
    ),
}

HEADERS: dict[str, Schema] = {
    "x-request-id": {
        "description": "Names this request in the server's log.",
        "required": True,
        "schema": {"type": "string"},
    },
    "openai-poll-after-ms": {
        "description": "How long a poller should wait before its next retrieve, in milliseconds.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "x-runsite-warning": {
        "description": "Runsite's own: what a caller should know about the run although it is no "
        "error: that another model than the one named answers, or that tools were not offered "
        "to it.",
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {
        "description": "Runsite's own: this is the stored answer to an earlier request with the "
        "same `Idempotency-Key`.",
        "schema": {"type": "string", "const": "true"},
    },
}


def header_ref(name: str) -> Schema:
    """A reference to a header of the document."""
    return {"$ref": f"#/components/headers/{name}"}


def error_response(description: str, error: ApiError) -> Schema:
    """A response with an error, and an example of one."""
    headers: Schema = {
        name: {"schema": {"type": "string", "const": value}}
        for name, value in headers_of(error).items()
    }
    return {
        "description": description,
        "headers": {"x-request-id": header_ref("x-request-id"), **headers},
        "content": {"application/json": {"schema": ref("ErrorResponse"), "example": error.body()}},
    }


RESPONSES: dict[str, Schema] = {
    "BadRequest": error_response(
        "The request breaks a rule: `code` and `param` name the rule and the place. Conflicts "
        "with what a thread or run is doing are 400 too; the message says which.",
        BadRequest("Unknown parameter: 'foo'.", code="unknown_parameter", param="foo"),
    ),
    "Unauthorized": error_response(
        "No key, or one that is unknown or revoked.", WrongKey("rsk_li***a9Zq")
    ),
    "NotFound": error_response(
        "No such object, or one of another project: the two are told alike.",
        NotFound("thread", "thread_abc"),
    ),
    "KeyInUse": error_response(
        "The request with this `Idempotency-Key` is still being carried out.", KeyInUse()
    ),
    "TooLarge": error_response(
        f"The body is larger than {limits.BODY_BYTES} bytes.", TooLarge(limits.BODY_BYTES)
    ),
    "TooManyStreams": error_response(
        "As many streams are open as may be, for this key or in this process; nothing was done.",
        TooManyStreams(),
    ),
    "ServerError": error_response(
        "A defect of the server: its log has the traceback under the answer's `x-request-id`.",
        Internal(),
    ),
    "Busy": error_response("The database could not take the request; nothing was stored.", Busy()),
}
#: The status of each.
STATUS = {
    "400": "BadRequest",
    "401": "Unauthorized",
    "404": "NotFound",
    "409": "KeyInUse",
    "413": "TooLarge",
    "429": "TooManyStreams",
    "500": "ServerError",
    "503": "Busy",
}
