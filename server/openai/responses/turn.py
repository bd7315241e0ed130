"""One response from its question to its end: asked, generated, told as events, and stored."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from server.asking import ask
from server.errors import ErrorReply
from server.events import Usage
from server.generation import Reply
from server.generation_log import Origin
from server.openai.responses.assembly import Assembly
from server.openai.responses.conversation import chat_messages
from server.openai.responses.create_request import CreateResponse, ResponsePrompt
from server.openai.responses.history import earlier_items, new_items
from server.openai.responses.response_object import ResponseHead, error_object
from server.openai.responses.text_fields import FORM_FIELD, text_form
from server.openai.responses.truncation import without_oldest_turns
from server.pricing import Prices
from server.question import ChatPrompt, Question
from server.reply_meter import ReplyMeter
from server.reply_record import Label, record_at_end
from server.services import Services
from server.storage.errors import StorageUnavailable
from server.storage.responses import StoredResponse

Json = dict[str, Any]
PROMPT_FIELD = "input"


async def question_of(
    services: Services, asked: ResponsePrompt, wanted_tokens: int | None, items: list[Json]
) -> Question:
    """What the conversation so far asks of the model.

    Raises:
        BadRequest: fields do not go together.
        EngineUnavailable: it is to be shortened, and the model is still loading.
    """
    messages = chat_messages(items, asked.instructions)
    prompt = ChatPrompt(messages=messages, toolbox=asked.toolbox())
    if asked.truncation == "auto":
        prompt = await without_oldest_turns(services, prompt, wanted_tokens, PROMPT_FIELD)
    return Question(
        prompts=[prompt],
        prompt_field=PROMPT_FIELD,
        wanted_tokens=wanted_tokens,
        form=text_form(asked.text),
        form_field=FORM_FIELD,
    )


class Turn:
    """`input_items` are those of this request alone; `question` has the whole conversation.

    `question` and `origin` may be changed before it is asked.
    """

    def __init__(
        self,
        services: Services,
        head: ResponseHead,
        owner: str,
        input_items: list[Json],
        question: Question,
    ) -> None:
        self.head = head
        self.owner = owner
        self._services = services
        self._store = services.storage.responses
        self._input_items = input_items
        self.question = question
        self.origin = Origin(user=head.asked.user)
        self._assembly = Assembly(head, services.tokenizer)
        self._has_row = False
        self.warnings: Sequence[str] = ()
        """What of a schema that is not strict the reply may not follow; known once it is asked."""

    @classmethod
    async def of(
        cls,
        services: Services,
        asked: CreateResponse,
        owner: str,
        *,
        is_stored: bool,
        is_batch: bool = False,
        kind: type[ResponseHead] = ResponseHead,
    ) -> "Turn":
        """Find what the request continues, and understand it.

        Raises:
            ApiError: something it refers to is not there, or fields do not go together.
            StorageUnavailable: it refers to stored objects, which cannot be reached.
        """
        prices = Prices.of(services.settings)
        head = kind.new(asked, services.model_names[0], prices, is_stored=is_stored)
        store = services.storage.responses
        earlier = await earlier_items(store, owner, asked.previous_response_id)
        items = await new_items(store, owner, head.key, asked.input)
        question = await question_of(services, asked, asked.max_output_tokens, earlier + items)
        question = replace(
            question,
            sampling=asked.sampling_wishes(),
            stops=asked.stops,
            is_background=is_batch,
        )
        return cls(services, head, owner, items, question)

    async def ask(self, meter: ReplyMeter) -> Reply:
        """Hand the question to the engine. Whoever gets the reply cancels it in the end.

        Raises:
            BadRequest: the conversation does not fit, or a value does not fit this model.
            EngineError: the engine refuses, or is not ready.
        """
        reply = await ask(
            self._services, self.question, request_id=self.head.id, client=self.owner, meter=meter
        )
        self.warnings = reply.warnings
        record_at_end(self._services, reply, meter, self._label())
        return reply

    def _label(self) -> Label:
        head = self.head
        return Label(
            id=head.id,
            created=head.created_at,
            model=head.model,
            client=self.owner,
            is_streamed=bool(head.asked.stream),
            origin=self.origin,
        )

    def opening(self) -> list[Json]:
        """The events before the model has begun, and nothing is certain to follow."""
        return list(self._assembly.opening())

    async def events(self, reply: Reply) -> AsyncGenerator[Json]:
        """The typed events after the opening; the last one tells the whole response, now stored.

        Raises:
            EngineError: the generation failed.
        """
        has_begun = False
        async with aclosing(reply.events()) as news:
            async for neutral in news:
                if not has_begun:
                    has_begun = True
                    await self._note_beginning()
                    for event in self._assembly.beginning():
                        yield event
                for event in self._assembly.take(neutral):
                    yield event
        document = await self._kept(self._assembly.finished(reply.usage))
        for event in self._assembly.ending(document):
            yield event

    async def failed(self, error: ErrorReply, usage: Usage | None) -> list[Json]:
        """The last event of a turn that had begun to be told when it failed."""
        document = self._assembly.broken_off("failed", usage, error_object(error))
        return list(self._assembly.ending(await self._kept(document)))

    async def cancelled(self, usage: Usage | None) -> None:
        """Keep what there is of a response whose owner has cancelled it. No event tells of that."""
        await self._kept(self._assembly.broken_off("cancelled", usage, None))

    def fault(self, error: ErrorReply) -> Json:
        """The event for what can no longer be told as the end of a response."""
        return self._assembly.fault(error)

    async def store_open(self) -> Json:
        """Store a background response before anything has come of it.

        Raises:
            StorageUnavailable
        """
        document = self.head.document("queued")
        await self._create(document, is_open=True)
        self._has_row = True
        return document

    async def _note_beginning(self) -> None:
        if self._has_row:
            await self._kept(self.head.document("in_progress"), is_open=True)

    async def _kept(self, document: Json, *, is_open: bool = False) -> Json:
        """The document, in the storage if it is to be; failing that, it says so and goes out."""
        if not self.head.is_stored:
            return document
        try:
            if self._has_row:
                owner, response_id = self.owner, self.head.id
                await self._store.change(owner, response_id, lambda _: document, is_open=is_open)
            else:
                await self._create(document, is_open=is_open)
        except StorageUnavailable:  # the log has the reason
            return {**document, "store": False}
        return document

    async def _create(self, document: Json, *, is_open: bool) -> None:
        response = StoredResponse(
            id=self.head.id,
            owner=self.owner,
            previous=self.head.asked.previous_response_id,
            is_open=is_open,
            input_items=self._input_items,
            document=document,
        )
        keep_until = int(time.time()) + self._services.storage.keep_seconds
        await self._store.create(response, keep_until)
