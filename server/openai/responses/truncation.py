"""`truncation: auto`: makes a conversation fit by leaving out its oldest turns."""

from dataclasses import replace

from server.errors import ContextLengthExceeded
from server.prompt import loaded_info
from server.question import ChatPrompt
from server.services import Services

SHARE_FOR_REPLY = 4
"""Without a limit of the reply, one in so many tokens of the context is left for it."""


async def without_oldest_turns(
    services: Services, prompt: ChatPrompt, wanted_tokens: int | None, field: str
) -> ChatPrompt:
    """The conversation from the earliest turn of the user on with which it fits.

    What stands before the first turn (instructions) stays. If not even the last turn fits, that is
    left for whoever asks to say.
    """
    info = loaded_info(services.engine)
    room = wanted_tokens or info.context_length // SHARE_FOR_REPLY

    async def fits(shorter: ChatPrompt) -> bool:
        try:
            ids = await services.encoder.encode(shorter, info, field)
        except ContextLengthExceeded:
            return False
        return len(ids) + room <= info.context_length

    if await fits(prompt):
        return prompt
    messages = prompt.messages
    turns = [index for index, message in enumerate(messages) if message.role == "user"]
    shorter = [
        replace(prompt, messages=[*messages[: turns[0]], *messages[turn:]]) for turn in turns[1:]
    ]
    low, high = 0, len(shorter) - 1
    while low < high:  # the first one that fits; later ones are shorter
        middle = (low + high) // 2
        if await fits(shorter[middle]):
            high = middle
        else:
            low = middle + 1
    return shorter[low] if shorter else prompt
