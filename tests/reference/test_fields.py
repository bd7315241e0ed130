"""Rows of fields: of bodies, of the objects within them, and of several bodies together."""

from typing import Annotated, Any

from reference.fields import fields_of, inner_fields
from reference.tables import field_table, harmless_table, inner_table, refused_table
from server.field_notes import SchemaOf, does, harmless
from server.openai.request_model import RequestBody, RequestModel


class Leaf(RequestModel):
    size: Annotated[int, does("how large it is")]
    colour: Annotated[str | None, harmless("it is painted over")] = None


class Branch(RequestModel):
    leaves: Annotated[list[Leaf] | None, does("what grows on it")] = None
    twin: Annotated["Branch | None", does("one more")] = None


class Tree(RequestBody):
    refused_fields = {"axe": (False,), "saw": ()}

    branches: Annotated[list[Branch], does("from the ground up")]
    trunk: Annotated[dict[str, Any] | None, SchemaOf(Leaf), does("what holds it")] = None
    height: Annotated[float | None, does("in metres", default=2.5)] = None


class Bush(RequestBody):
    refused_fields = {"axe": (), "saw": ()}

    height: Annotated[float | None, does("in metres", otherwise="low")] = None


def test_the_objects_within_are_told_of_with_their_place() -> None:
    assert [field.name for field in fields_of(Tree)] == ["model", "branches", "trunk", "height"]
    assert [field.name for field in inner_fields(Tree)] == [
        "branches[].leaves",
        "branches[].twin",
        "branches[].leaves[].size",
        "branches[].leaves[].colour",
        "trunk.size",
        "trunk.colour",
    ]


def test_fields_that_differ_are_told_apart_and_required_ones_come_first() -> None:
    rows = field_table({"tree": Tree, "bush": Bush}).splitlines()
    assert rows == [
        "| field | values | default | what it does |",
        "| --- | --- | --- | --- |",
        "| `branches` (tree) | list of object | required | from the ground up |",
        "| `model` | text | any | a served name, exactly |",
        "| `trunk` (tree) | object | none | what holds it |",
        "| `height` (tree) | number | `2.5` | in metres |",
        "| `height` (bush) | number | low | in metres |",
    ]


def test_what_has_no_effect_has_a_table_of_its_own() -> None:
    assert "colour" not in inner_table({"": Tree})
    assert harmless_table({"": Tree}).splitlines()[2:] == [
        "| `branches[].leaves[].colour` | text | it is painted over |",
        "| `trunk.colour` | text | it is painted over |",
    ]


def test_what_is_refused_is_told_with_what_asks_for_nothing() -> None:
    assert refused_table({"tree": Tree, "bush": Bush}).splitlines()[2:] == [
        "| `axe` (tree) | `false` |",
        "| `axe` (bush) | - |",
        "| `saw` | - |",
    ]


def test_unknown_fields_of_objects_within_are_named_with_their_place() -> None:
    tree = Tree.model_validate(
        {
            "branches": [{"leaves": [{"size": 1, "smell": 2}] * 2, "bark": 3}],
            "roots": 4,
        }
    )
    assert tree.unknown_fields() == ["roots", "branches[].bark", "branches[].leaves[].smell"]
