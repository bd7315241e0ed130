"""The form that the model's text is to have."""

from typing import Annotated, Any, Literal

from pydantic import Field

from server.constraints import TextForm
from server.errors import BadRequest
from server.field_notes import does, harmless
from server.openai.request_model import RequestModel
from server.schema_text import json_schema


class JsonFormat(RequestModel):
    type: Annotated[Literal["json_schema"], does("the only kind")]
    json_schema: Annotated[
        dict[str, Any], does("the text follows it, certainly; 400 if a part cannot be enforced")
    ] = Field(alias="schema")


class OutputConfig(RequestModel):
    """`effort` is for models that think, `task_budget` for those that plan with it."""

    effort: Annotated[
        Literal["low", "medium", "high", "xhigh", "max"] | None, harmless("for models that think")
    ] = None
    format: Annotated[JsonFormat | None, does("the form of the text", otherwise="text")] = None
    task_budget: Annotated[
        dict[str, Any] | None, harmless("for models that plan; named in `x-ignored-fields`")
    ] = None

    def unknown_fields(self) -> list[str]:
        budget = ["task_budget"] if self.task_budget is not None else []
        return [*super().unknown_fields(), *budget]


class OutputFields(RequestModel):
    """`output_format` is the older name of `output_config.format`."""

    output_config: Annotated[
        OutputConfig | None, does("not its form with a message that has begun")
    ] = None
    output_format: Annotated[
        JsonFormat | None, does("the older name of `output_config.format`; not both")
    ] = None

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
