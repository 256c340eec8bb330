"""What is wrong with a value: found exactly when msgspec refuses it, at its place, and without quoting it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from callboard.config import Settings
from callboard.rooms.rooms import RoomRequest
from callboard.rooms.templates import TemplateRequest
from callboard.validation import problems
from callboard.webhooks.endpoint import EndpointRequest
from callboard.wording import allowed

TYPES = (TemplateRequest, RoomRequest, Settings, EndpointRequest)

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 70_000),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from(["", "audio", "f", "h", "q", "auto", "a name", "a/b", "x" * 300, "vp8", "s3", "a\n"]),
)


def near(wanted: inspect.Type) -> st.SearchStrategy[Any]:
    """Values of about this type: mostly right in shape, often wrong in the details."""
    if isinstance(wanted, inspect.Metadata):
        return near(wanted.type)
    if isinstance(wanted, inspect.StructType):
        fields = {field.encode_name: field.type for field in wanted.fields}
        names = st.lists(st.sampled_from([*fields, "unknown"]), max_size=4, unique=True)
        return names.flatmap(
            lambda chosen: st.fixed_dictionaries(
                {name: near(fields[name]) if name in fields else leaves for name in chosen}
            )
        )
    if isinstance(wanted, inspect.DictType):
        return st.dictionaries(st.sampled_from(["host", "a/b", "whiteboard"]), near(wanted.value_type), max_size=2)
    if isinstance(wanted, inspect.CollectionType):
        return st.lists(near(wanted.item_type), max_size=4)
    if isinstance(wanted, inspect.UnionType):
        return st.one_of([near(member) for member in wanted.types])
    return _near_leaf(wanted)


def _near_leaf(wanted: inspect.Type) -> st.SearchStrategy[Any]:
    if isinstance(wanted, inspect.LiteralType):
        return st.sampled_from(wanted.values) | leaves
    if isinstance(wanted, inspect.BoolType):
        return st.booleans() | leaves
    if isinstance(wanted, inspect.IntType | inspect.FloatType):
        edges = [edge + step for edge in (wanted.ge, wanted.le) if edge is not None for step in (-1, 0, 1)]
        return st.sampled_from(edges or [0]) | leaves
    return leaves


@pytest.mark.parametrize("wanted", TYPES)
@given(data=st.data())
def test_problems_are_found_exactly_where_msgspec_refuses(wanted: type[Any], data: st.DataObject) -> None:
    value = data.draw(near(inspect.type_info(wanted)) | leaves)
    found = list(problems(value, wanted))
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        assert found
    else:
        assert found == []


@pytest.mark.parametrize("wanted", TYPES)
@given(data=st.data())
def test_the_place_of_a_problem_can_be_walked_to(wanted: type[Any], data: st.DataObject) -> None:
    value = data.draw(near(inspect.type_info(wanted)))
    for problem in problems(value, wanted):
        here = value
        for step in problem.path[:-1]:
            here = here[step]
        assert isinstance(here, dict | list) or not problem.path


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (int, "an integer"),
        (bool, "true or false"),
        (list[str], "a list, each a text"),
        (dict[str, int], "an object, each an integer"),
        (int | None, "an integer or null"),
        (Any, "anything"),
    ],
)
def test_a_type_is_put_into_words(wanted: Any, words: str) -> None:
    assert allowed(wanted) == words


def test_a_name_from_outside_is_shortened() -> None:
    (problem,) = problems({"x" * 5000: 1}, EndpointRequest)
    assert len(str(problem)) < 400


def test_a_place_is_written_as_people_write_it() -> None:
    layers = {"publishParams": {"simulcast": {"video": {"layers": [{"rid": "f"}, {"rid": "x"}]}}}}
    (problem,) = problems({"roles": {"host": layers}}, TemplateRequest)
    assert str(problem) == 'roles.host.publishParams.simulcast.video.layers[1].rid: must be "f", "h" or "q"'
