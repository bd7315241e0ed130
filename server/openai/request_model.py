"""What all request models have in common: strict values, and unknown fields kept aside."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from server.openai.field_policy import UNSUPPORTED_FIELDS


class RequestModel(BaseModel):
    """Strict: no number is made of a string, a boolean or a float without a fraction."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    def unknown_fields(self) -> list[str]:
        """Names of the fields that nobody knows, in order of appearance."""
        return list(self.model_extra or ())


class RequestBody(RequestModel):
    """The body of a whole request, which may name the model that it is for.

    `refused_fields` is the table of what is refused by name, as far as the model has no such field.
    """

    refused_fields: ClassVar[Mapping[str, tuple[object, ...]]] = UNSUPPORTED_FIELDS

    model: str | None = None

    @property
    def wanted_models(self) -> list[str]:
        """Names of models, any of which may answer."""
        return [] if self.model is None else [self.model]

    def check_combinations(self) -> None:
        """Raises BadRequest for fields that are fine alone but not together."""
