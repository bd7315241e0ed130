"""The fields of sampling that several models have: their ranges and meanings, each once."""

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from sampling.params import MAX_LOGIT_BIAS_ENTRIES, MAX_STOP_TOKEN_IDS, MAX_TOP_LOGPROBS
from server.field_notes import does

MAX_CHOICES = 16
MAX_STOPS = 16
MAX_STOP_LENGTH = 256
MAX_COUNT = 2**31 - 1
_SEEDS = Field(ge=-(2**63), le=2**63 - 1)

StopString = Annotated[str, StringConstraints(min_length=1, max_length=MAX_STOP_LENGTH)]
_StopList = Annotated[list[StopString], Field(max_length=MAX_STOPS)]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Temperature = Annotated[
    float | None, Field(ge=0, le=2), does("0 takes the likeliest token", default=1)
]
TopP = Annotated[
    float | None,
    Field(ge=0, le=1),
    does("leaves the likeliest tokens that together have this probability", default=1),
]
TopK = Annotated[
    int | None,
    Field(ge=-1, le=MAX_COUNT),
    does("leaves so many of the likeliest tokens; 0 and -1: all", default=-1),
]
MinP = Annotated[
    float | None,
    Field(ge=0, le=1),
    does("leaves tokens of at least that times the best one's probability", default=0),
]
TopA = Annotated[
    float | None,
    Field(ge=0, le=1),
    does(
        "leaves tokens of at least that times the square of the best one's probability", default=0
    ),
]
RepetitionPenalty = Annotated[
    float | None,
    Field(ge=0.01, le=10),
    does("above 1, tokens of the prompt and the reply become less likely", default=1),
]
FrequencyPenalty = Annotated[
    float | None,
    Field(ge=-2, le=2),
    does("above 0, the reply's tokens become less likely, each time that they come", default=0),
]
PresencePenalty = Annotated[
    float | None,
    Field(ge=-2, le=2),
    does("above 0, the reply's tokens become less likely, once", default=0),
]
LogitBias = Annotated[
    dict[str, Annotated[float, Field(ge=-100, le=100)]] | None,
    Field(max_length=MAX_LOGIT_BIAS_ENTRIES),
    does("by token id, what to add to its logit"),
]
Stops = Annotated[
    _StopList | None,
    BeforeValidator(_as_list, json_schema_input_type=StopString | _StopList | None),
    does("strings that end the reply, and are not part of it"),
]
StopTokenIds = Annotated[
    list[int] | None, Field(max_length=MAX_STOP_TOKEN_IDS), does("tokens that end the reply")
]
Seed = Annotated[int | None, _SEEDS, does("the same seed gives the same reply", otherwise="drawn")]
MaxTokens = Annotated[
    int | None,
    Field(ge=1, le=MAX_COUNT),
    does(
        "the most tokens of the reply; with the prompt at most the context",
        otherwise="what the context has left",
    ),
]
MinTokens = Annotated[
    int | None,
    Field(ge=0, le=MAX_COUNT),
    does(
        "until then neither the end of the turn nor a stop string counts; at most the limit above",
        default=0,
    ),
]
IgnoreEos = Annotated[
    bool | None, does("the end of the turn does not end the reply", default=False)
]
Choices = Annotated[int | None, Field(ge=1, le=MAX_CHOICES), does("so many replies", default=1)]
BestOf = Annotated[
    int | None,
    Field(ge=1, le=MAX_CHOICES),
    does(
        "so many are generated (and counted), the `n` with the best mean log-probability shown, "
        "best first; at least `n`, and not in a stream if more",
        otherwise="`n`",
    ),
]
TopLogprobs = Annotated[int | None, Field(ge=0, le=MAX_TOP_LOGPROBS)]
