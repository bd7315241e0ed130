"""The fields that demand a form of the reply: OpenAI's, and those of vLLM, SGLang and llama.cpp."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.constraints import ANY_OBJECT, Choice, Gbnf, Lark, Regex, TextForm
from server.errors import BadRequest, UnsupportedParameter, shown
from server.field_notes import does, harmless
from server.openai.request_model import RequestModel
from server.schema_text import check_size, json_schema

MAX_OPTIONS = 4096

NonEmpty = Annotated[str, StringConstraints(min_length=1)]
Options = Annotated[list[NonEmpty], Field(min_length=1, max_length=MAX_OPTIONS)]
SchemaName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
Schema = dict[str, Any] | NonEmpty

SCHEMA = "JSON that follows this schema, which may be written as text"
REGEX = "a regular expression in Rust's syntax, without look-around and references back"
CHOICE = "one of these texts"
GRAMMAR = "a grammar: llama.cpp's GBNF if it has `::=`, else llguidance's Lark"


class NamedSchema(RequestModel):
    name: Annotated[SchemaName, harmless("a reply has one form, which needs no name")]
    description: Annotated[
        str | None, harmless("the form is enforced; the model is not told of it")
    ] = None
    schema_: Annotated[dict[str, Any], does("the reply follows it")] = Field(alias="schema")
    strict: Annotated[
        bool | None, does("refuse a schema of which a part cannot be guaranteed", default=False)
    ] = None


class ResponseFormat(RequestModel):
    """`schema` beside `json_object` is how llama.cpp and others have it."""

    type: Annotated[Literal["text", "json_object", "json_schema"], does("the form of the reply")]
    json_schema: Annotated[
        NamedSchema | None,
        does("with `json_schema` only", otherwise="none; required with `json_schema`"),
    ] = None
    schema_: Annotated[
        dict[str, Any] | None, does("with `json_object` only: the reply follows it")
    ] = Field(None, alias="schema")

    def form(self) -> TextForm | None:
        """Raises BadRequest for a schema that is missing, or cannot be one."""
        name = "response_format"
        check_parts(self.type, json_schema=self.json_schema, json_object=self.schema_)
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

    json_: Annotated[Schema | None, does(SCHEMA)] = Field(None, alias="json")
    regex: Annotated[NonEmpty | None, does(REGEX)] = None
    choice: Annotated[Options | None, does(CHOICE)] = None
    grammar: Annotated[NonEmpty | None, does(GRAMMAR)] = None
    json_object: Annotated[Literal[True] | None, does("any JSON object")] = None
    disable_any_whitespace: Annotated[bool | None, does("JSON has no spaces", default=False)] = None

    def unknown_fields(self) -> list[str]:
        """None: what is not known is refused, or asks for nothing."""
        return []

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
    response_format: Annotated[
        ResponseFormat | None, does("OpenAI's way to demand a form of the reply", otherwise="text")
    ] = None
    structured_outputs: Annotated[
        StructuredOutputs | None,
        does("vLLM's way: exactly one form; its other options are refused"),
    ] = None
    guided_json: Annotated[Schema | None, does(SCHEMA)] = None
    guided_regex: Annotated[NonEmpty | None, does(REGEX)] = None
    guided_choice: Annotated[Options | None, does(CHOICE)] = None
    guided_grammar: Annotated[NonEmpty | None, does(GRAMMAR)] = None
    json_schema: Annotated[Schema | None, does(SCHEMA)] = None
    regex: Annotated[NonEmpty | None, does(REGEX)] = None
    ebnf: Annotated[NonEmpty | None, does(GRAMMAR)] = None
    grammar: Annotated[str | None, does(GRAMMAR)] = None

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


def check_parts(kind: str, *, json_schema: object, json_object: object = None) -> None:
    """Raises BadRequest for the schema of another kind of form than is asked for."""
    for field, given, its_kind in (
        ("json_schema", json_schema, "json_schema"),
        ("schema", json_object, "json_object"),
    ):
        if given is not None and kind != its_kind:
            message = f"response_format.{field} goes with the type {its_kind!r} only"
            raise BadRequest(message, f"response_format.{field}")


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
