"""What Litestar's OpenAPI document does not say, or says wrongly. Pure.

Owns: `completed`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

KEY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "With this, the same request again gets the first answer again, for 24 hours, and does nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
ANSWERS: Final = (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
"""What only a request with a key is answered."""


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with lists described as what they are, and each POST with the header that lets it be sent twice."""
    whole: dict[str, Any] = _mended(document)
    for operations in whole["paths"].values():
        operation = operations.get("post")
        if operation is not None and operation.get("security"):
            operation["parameters"] = [*operation.get("parameters", []), KEY]
            error = operation["responses"]["400"]["content"]
            for status in ANSWERS:
                operation["responses"].setdefault(str(int(status)), {"description": status.phrase, "content": error})
    return whole


def _mended(schema: Any) -> Any:
    """The document, or a part of it, with the items of `tuple[X, ...]` described as X.

    Litestar describes those that have a length as "either X or anything, but not both": nothing would ever be valid.
    """
    if isinstance(schema, list):
        return [_mended(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    match schema.get("oneOf"):
        case [one, {**nothing}] if not nothing:
            return _mended(one)
        case _:
            return {name: _mended(value) for name, value in schema.items()}
