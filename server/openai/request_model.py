"""What all request models have in common: strict values, and unknown fields kept aside."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict

from server.field_notes import does
from server.openai.field_policy import UNSUPPORTED_FIELDS


class RequestModel(BaseModel):
    """Strict: no number is made of a string, a boolean or a float without a fraction.

    Every field says what it `does`, or why it is `harmless` (server.field_notes).
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    def unknown_fields(self) -> list[str]:
        """Names of the fields that nobody knows; of those of inner objects, `messages[].name`."""
        return list(dict.fromkeys([*(self.model_extra or ()), *self._unknown_inside()]))

    def _unknown_inside(self) -> Iterator[str]:
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            is_list = isinstance(value, list)
            place = f"{field.alias or name}{'[]' * is_list}"
            for inner in value if is_list else (value,):
                if isinstance(inner, RequestModel):
                    yield from (f"{place}.{unknown}" for unknown in inner.unknown_fields())


class RequestBody(RequestModel):
    """The body of a whole request, which may name the model that it is for.

    `refused_fields` is the table of what is refused by name, as far as the model has no such field.
    """

    refused_fields: ClassVar[Mapping[str, tuple[object, ...]]] = UNSUPPORTED_FIELDS

    model: Annotated[str | None, does("a served name, exactly", otherwise="any")] = None

    @property
    def wanted_models(self) -> list[str]:
        """Names of models, any of which may answer."""
        return [] if self.model is None else [self.model]

    def check_combinations(self) -> None:
        """Raises BadRequest for fields that are fine alone but not together."""
