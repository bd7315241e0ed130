"""The form that the model's text is to have."""

from typing import Any, Literal

from pydantic import Field

from server.anthropic.request_model import NestedModel
from server.constraints import TextForm
from server.errors import BadRequest
from server.schema_text import json_schema


class JsonFormat(NestedModel):
    type: Literal["json_schema"]
    json_schema: dict[str, Any] = Field(alias="schema")


class OutputConfig(NestedModel):
    """`effort` is for models that think, `task_budget` for those that plan with it."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None
    task_budget: dict[str, Any] | None = None

    def unknown_fields(self) -> list[str]:
        budget = ["task_budget"] if self.task_budget is not None else []
        return [*super().unknown_fields(), *budget]


class OutputFields(NestedModel):
    """`output_format` is the older name of `output_config.format`."""

    output_config: OutputConfig | None = None
    output_format: JsonFormat | None = None

    @property
    def form(self) -> tuple[TextForm | None, str]:
        """What the text has to be, certainly, and the field that says so.

        Raises:
            BadRequest: both fields say so, or the schema is none.
        """
        wanted = None if self.output_config is None else self.output_config.format
        if wanted is not None and self.output_format is not None:
            raise BadRequest(
                "give output_config.format or output_format, not both", "output_format"
            )
        field = "output_config" if self.output_format is None else "output_format"
        wanted = wanted or self.output_format
        if wanted is None:
            return None, field
        return json_schema(wanted.json_schema, field, is_strict=True), field
