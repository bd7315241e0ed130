"""What a request continues: stored responses, and single items of them."""

from collections.abc import Sequence
from typing import Any

from server.errors import BadRequest, PreviousResponseNotFound, shown
from server.openai.responses.input_items import InputItem, ItemReference
from server.openai.responses.response_object import response_id_of
from server.storage.responses import ResponseStore

Json = dict[str, Any]
MAX_HISTORY_ITEMS = 8192


async def earlier_items(store: ResponseStore, owner: str, previous_id: str | None) -> list[Json]:
    """All items before this request's: what was asked and answered, from the beginning.

    Raises:
        PreviousResponseNotFound: the response or one before it is not this owner's, or gone.
        BadRequest: it has not ended, or there are too many items.
        StorageUnavailable
    """
    if previous_id is None:
        return []
    chain = await store.chain(owner, previous_id)
    if chain is None:
        raise PreviousResponseNotFound(previous_id)
    if chain[-1].is_open:
        raise BadRequest("the previous response has not ended yet", "previous_response_id")
    items = [item for link in chain for item in (*link.input_items, *link.document["output"])]
    if len(items) > MAX_HISTORY_ITEMS:
        message = f"the conversation has more than {MAX_HISTORY_ITEMS} items"
        raise BadRequest(message, "previous_response_id")
    return items


async def new_items(
    store: ResponseStore, owner: str, key: str, asked: Sequence[InputItem]
) -> list[Json]:
    """The items of this request, as they are kept; references give way to what they mean.

    `key` is that of the response they belong to, for ids where the client gave none.

    Raises:
        BadRequest: there is no such item among this owner's.
        StorageUnavailable
    """
    items = []
    for index, item in enumerate(asked):
        if isinstance(item, ItemReference):
            items.append(await _referenced(store, owner, item.id, index))
        else:
            items.append(item.stored(f"{key}_i{index}"))
    return items


async def _referenced(store: ResponseStore, owner: str, item_id: str, index: int) -> Json:
    response_id = response_id_of(item_id)
    stored = None if response_id is None else await store.find(owner, response_id)
    if stored is not None:
        for item in (*stored.document["output"], *stored.input_items):
            if item["id"] == item_id:
                return dict(item)
    raise BadRequest(f"there is no item '{shown(item_id)}'", f"input[{index}].id")
