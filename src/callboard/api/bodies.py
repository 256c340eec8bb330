"""Request bodies: JSON, read strictly, refused with everything that is wrong with them.

Owns: `JsonBody`, which reads the `data` of a handler, and `read_body`.

Always holds: the content type does not matter (the official clients do not always say one).
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from callboard.errors import Invalid
from callboard.validation import problems

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator

MAX_DETAILS: Final = 20
MESSAGE: Final = "Invalid body param"
TOO_DEEP: Final = "the body is nested too deeply"

T = TypeVar("T")


def read_body(body: bytes, wanted: type[T]) -> T:
    """The body as a `wanted` (a msgspec Struct). Raises `Invalid`."""
    try:
        return msgspec.json.decode(body, type=wanted)
    except msgspec.DecodeError as error:
        raise Invalid(MESSAGE, _details(body, wanted, str(error))) from None
    except UnicodeDecodeError:
        raise Invalid(MESSAGE, ("the body is not UTF-8",)) from None
    except RecursionError:
        raise Invalid(MESSAGE, (TOO_DEEP,)) from None


def _details(body: bytes, wanted: Any, error: str) -> list[str]:
    """Everything that is wrong; msgspec itself stops at the first thing, which may not be the worst."""
    try:
        raw = msgspec.json.decode(body)
    except msgspec.DecodeError as malformed:
        return [f"the body is not JSON: {malformed}"]
    except RecursionError:
        return [TOO_DEEP]
    return [str(problem) for problem in islice(problems(raw, wanted), MAX_DETAILS)] or [error]


class JsonBody(AbstractDTO[T]):
    """For `dto=JsonBody[X]` of a handler with `data: JSONBody[X]`. Litestar's own reading takes "1" for 1."""

    def decode_bytes(self, value: bytes) -> Any:
        return read_body(value, self.model_type)

    @classmethod
    def create_for_field_definition(cls, *_: object, **__: object) -> None:
        """There is nothing to prepare: the type is read and shown as it is."""

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,  # noqa: ARG003 - Litestar names it when it calls
        schema_creator: SchemaCreator,
    ) -> Reference | Schema:
        return schema_creator.for_field_definition(field_definition)

    @classmethod
    def generate_field_definitions(cls, _: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        yield from ()

    @classmethod
    def detect_nested_field(cls, _: FieldDefinition) -> bool:
        return False
