"""The Markdown of the generated parts of the documents."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from pydantic import BaseModel

from reference.fields import Field, fields_of, inner_fields
from reference.words import code
from server.openai.request_model import RequestBody

Models = Mapping[str, type[RequestBody]]
"""By the label of the rows that do not hold for all of them."""
Refused = Mapping[str, tuple[object, ...]]


def field_table(models: Models) -> str:
    """The fields of bodies that have an effect, required ones first."""
    told = _told_together(models, fields_of)
    effective = [(label, field) for label, field in told if field.has_effect]
    effective.sort(key=lambda row: not row[1].is_required)
    return _effects(effective)


def inner_table(models: Models) -> str:
    """The fields of objects within bodies that have an effect."""
    told = _told_together(models, inner_fields)
    return _effects([(label, field) for label, field in told if field.has_effect])


def harmless_table(models: Models) -> str:
    """What is accepted without effect, in bodies and in objects within them."""
    told = [*_told_together(models, fields_of), *_told_together(models, inner_fields)]
    rows = [
        (_name(field.name, label), field.values, field.meaning)
        for label, field in told
        if not field.has_effect
    ]
    return _markdown(("field", "values", "why"), rows)


def refused_table(models: Models) -> str:
    """What is refused by name."""
    return _refusals({label: refused_by(model) for label, model in models.items()})


def further_refused_table(models: Models) -> str:
    """The same without what the table of all dialects has."""
    common = RequestBody.refused_fields
    return _refusals(
        {
            label: {
                name: values
                for name, values in refused_by(model).items()
                if common.get(name) != values
            }
            for label, model in models.items()
        }
    )


TABLES: Mapping[str, Callable[[Models], str]] = {
    "fields": field_table,
    "inner fields": inner_table,
    "without effect": harmless_table,
    "refused": refused_table,
    "further refused": further_refused_table,
}


def refused_by(model: type[RequestBody]) -> Refused:
    """The fields that bodies of this model may not ask anything with."""
    return {
        name: values
        for name, values in model.refused_fields.items()
        if name not in model.model_fields
    }


def _told_together(
    models: Models, tell: Callable[[type[BaseModel]], Iterable[Field]]
) -> list[tuple[str, Field]]:
    """Fields of several models, those of one name together, each with its label or none."""
    holders: dict[str, dict[Field, list[str]]] = {}
    for label, model in models.items():
        for field in tell(model):
            holders.setdefault(field.name, {}).setdefault(field, []).append(label)
    return [
        ("" if len(labels) == len(models) else ", ".join(labels), field)
        for of_a_name in holders.values()
        for field, labels in of_a_name.items()
    ]


def _effects(told: Iterable[tuple[str, Field]]) -> str:
    rows = [
        (_name(field.name, label), field.values, field.default, field.meaning)
        for label, field in told
    ]
    return _markdown(("field", "values", "default", "what it does"), rows)


def _refusals(tables: Mapping[str, Refused]) -> str:
    holders: dict[str, dict[str, list[str]]] = {}
    for label, table in tables.items():
        for name, values in table.items():
            nothing = ", ".join(map(code, values)) or "-"
            holders.setdefault(name, {}).setdefault(nothing, []).append(label)
    rows = [
        (_name(name, "" if len(labels) == len(tables) else ", ".join(labels)), nothing)
        for name, of_a_name in sorted(holders.items())
        for nothing, labels in of_a_name.items()
    ]
    return _markdown(("field", "values that ask for nothing"), rows)


def _name(name: str, label: str) -> str:
    return f"`{name}` ({label})" if label else f"`{name}`"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
