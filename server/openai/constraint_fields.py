"""The fields that demand a form of the reply: OpenAI's, and those of vLLM, SGLang and llama.cpp."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.constraints import ANY_OBJECT, Choice, Gbnf, Lark, Regex, TextForm
from server.errors import BadRequest, UnsupportedParameter, shown
from server.openai.request_model import RequestModel
from server.schema_text import check_size, json_schema

MAX_OPTIONS = 4096

NonEmpty = Annotated[str, StringConstraints(min_length=1)]
Options = Annotated[list[NonEmpty], Field(min_length=1, max_length=MAX_OPTIONS)]
SchemaName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
Schema = dict[str, Any] | NonEmpty


class NamedSchema(RequestModel):
    name: SchemaName
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(RequestModel):
    """`schema` beside `json_object` is how llama.cpp and others have it."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")

    def form(self) -> TextForm | None:
        """Raises BadRequest for a schema that is missing, or cannot be one."""
        name = "response_format"
        if self.type == "json_object":
            return _schema_form(ANY_OBJECT if self.schema_ is None else self.schema_, name)
        if self.type == "text":
            return None
        if self.json_schema is None:
            raise BadRequest(f"{name}.json_schema is required", f"{name}.json_schema")
        is_strict = bool(self.json_schema.strict)
        return json_schema(self.json_schema.schema_, name, is_strict=is_strict)


class StructuredOutputs(RequestModel):
    """vLLM's: exactly one form."""

    json_: Schema | None = Field(None, alias="json")
    regex: NonEmpty | None = None
    choice: Options | None = None
    grammar: NonEmpty | None = None
    json_object: Literal[True] | None = None
    disable_any_whitespace: bool | None = None

    def form(self) -> TextForm:
        """Raises BadRequest for none or several, UnsupportedParameter for another kind."""
        name = "structured_outputs"
        for other, value in (self.model_extra or {}).items():
            if value not in (None, False):
                raise UnsupportedParameter(f"{name}.{shown(other)}")
        is_compact = bool(self.disable_any_whitespace)
        forms = [
            _schema_form(ANY_OBJECT if self.json_object else None, name, is_compact=is_compact),
            _schema_form(self.json_, name, is_compact=is_compact),
            _regex_form(self.regex, name),
            _choice_form(self.choice, name),
            _grammar_form(self.grammar, name),
        ]
        given = [form for form in forms if form is not None]
        if len(given) != 1:
            message = f"{name} needs one of json, regex, choice, grammar and json_object"
            raise BadRequest(message, name)
        return given[0]


class ConstraintFields(RequestModel):
    response_format: ResponseFormat | None = None
    structured_outputs: StructuredOutputs | None = None
    guided_json: Schema | None = None
    guided_regex: NonEmpty | None = None
    guided_choice: Options | None = None
    guided_grammar: NonEmpty | None = None
    json_schema: Schema | None = None
    regex: NonEmpty | None = None
    ebnf: NonEmpty | None = None
    grammar: str | None = None

    @property
    def form(self) -> tuple[TextForm | None, str]:
        """What the reply has to be, and the field that says so.

        Raises:
            BadRequest: several fields say so, or one of them is not what it should be.
        """
        asked, outputs = self.response_format, self.structured_outputs
        forms = {
            "response_format": asked.form() if asked else None,
            "structured_outputs": outputs.form() if outputs else None,
            "guided_json": _schema_form(self.guided_json, "guided_json"),
            "guided_regex": _regex_form(self.guided_regex, "guided_regex"),
            "guided_choice": _choice_form(self.guided_choice, "guided_choice"),
            "guided_grammar": _grammar_form(self.guided_grammar, "guided_grammar"),
            "json_schema": _schema_form(self.json_schema, "json_schema"),
            "regex": _regex_form(self.regex, "regex"),
            "ebnf": _grammar_form(self.ebnf, "ebnf"),
            "grammar": _grammar_form(self.grammar, "grammar"),
        }
        given = [(form, name) for name, form in forms.items() if form is not None]
        if len(given) > 1:
            (_, first), (_, second), *_ = given
            raise BadRequest(f"give {first} or {second}, not both", second)
        return given[0] if given else (None, "response_format")

    def unknown_fields(self) -> list[str]:
        in_format = self.response_format.unknown_fields() if self.response_format else ()
        return [*super().unknown_fields(), *(f"response_format.{name}" for name in in_format)]


def _schema_form(schema: Schema | None, name: str, *, is_compact: bool = False) -> TextForm | None:
    if schema is None:
        return None
    return json_schema(schema, name, is_strict=False, is_compact=is_compact)


def _regex_form(pattern: str | None, name: str) -> TextForm | None:
    check_size(pattern or "", name)
    return None if pattern is None else Regex(pattern)


def _choice_form(options: Sequence[str] | None, name: str) -> TextForm | None:
    check_size("".join(options or ()), name)
    return None if options is None else Choice(tuple(options))


def _grammar_form(source: str | None, name: str) -> TextForm | None:
    """The two notations are told apart by what separates the sides of a rule."""
    check_size(source or "", name)
    if not source:
        return None
    return Gbnf(source) if "::=" in source else Lark(source)
