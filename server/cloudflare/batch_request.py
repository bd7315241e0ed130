"""The batch form: several requests in one body, each with a reference of its own."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from server.cloudflare.generation_fields import GenerationFields
from server.cloudflare.messages_request import MessagesRequest
from server.cloudflare.prompt_request import PromptRequest
from server.errors import ApiError, BadRequest, shown
from server.field_notes import SchemaOf, does
from server.openai.request_body import IGNORED_FIELDS_HEADER, Parsed, check_body
from server.openai.request_model import RequestBody
from server.services import Services

MAX_REQUESTS = 1000

Reference = Annotated[
    Annotated[str, StringConstraints(max_length=512)] | None,
    does("in a batch only: repeated beside the response"),
]


class PromptItem(PromptRequest):
    external_reference: Reference = None


class MessagesItem(MessagesRequest):
    external_reference: Reference = None


class BatchRequest(RequestBody):
    refused_fields: ClassVar[Mapping[str, tuple[object, ...]]] = {
        **dict.fromkeys(("prompt", "messages", "request_id"), ()),
        "stream": (False,),
    }

    requests: Annotated[
        list[Annotated[dict[str, Any], SchemaOf(PromptItem, MessagesItem)]],
        Field(min_length=1, max_length=MAX_REQUESTS),
        does("bodies with a `prompt` or `messages`, without `stream`"),
    ]


class BatchPoll(RequestBody):
    """A look at a batch: nothing else can be asked beside it."""

    refused_fields: ClassVar[Mapping[str, tuple[object, ...]]] = {}

    request_id: Annotated[str, does("that of the batch; nothing but `model` goes with it")]

    def check_combinations(self) -> None:
        for name in self.unknown_fields():
            raise BadRequest(f"{shown(name)} has no meaning beside request_id", name)


Item = PromptItem | MessagesItem


def check_single(body: Mapping[str, Any], services: Services) -> Parsed[GenerationFields]:
    """A body that asks for one text, in one of the two forms.

    Raises:
        ApiError: it has none of the forms, or a field is wrong.
    """
    if "messages" in body:
        chat = check_body(MessagesRequest, body, services)
        return Parsed(chat.request, chat.headers)
    _require_prompt(body)
    prompt = check_body(PromptRequest, body, services)
    return Parsed(prompt.request, prompt.headers)


def check_items(batch: BatchRequest, services: Services) -> tuple[list[Item], dict[str, str]]:
    """All items of a batch, and the headers that name what has no meaning in them.

    Raises:
        ApiError: as `check_single`; the text begins with the item.
    """
    items: list[Item] = []
    ignored: dict[str, None] = {}
    for index, body in enumerate(batch.requests):
        item, headers = _checked(index, body, services)
        items.append(item)
        ignored |= dict.fromkeys(headers.values())
    return items, {IGNORED_FIELDS_HEADER: ", ".join(ignored)} if ignored else {}


def _checked(
    index: int, body: Mapping[str, Any], services: Services
) -> tuple[Item, dict[str, str]]:
    where = f"requests[{index}]"
    try:
        if body.get("stream"):
            raise BadRequest("a batch is not streamed", "stream")
        if "messages" in body:
            chat = check_body(MessagesItem, body, services)
            return chat.request, chat.headers
        _require_prompt(body)
        prompt = check_body(PromptItem, body, services)
        return prompt.request, prompt.headers
    except ApiError as error:
        param = where if error.param is None else f"{where}.{error.param}"
        raise BadRequest(f"{where}: {error}", param) from error


def _require_prompt(body: Mapping[str, Any]) -> None:
    if "prompt" not in body:
        raise BadRequest("the body needs a prompt, messages, or requests")
