"""Responses are kept with what they continue, and only open ones change."""

from typing import Any

from server.storage.storage import Storage
from tests.server.storage.samples import ALICE, BOB, NOW, response

LATER = NOW + 10_000


def completed(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "status": "completed"}


async def test_a_response_comes_back_as_it_was_but_only_to_its_owner(storage: Storage) -> None:
    stored = response("resp_1")
    await storage.responses.create(stored, LATER)
    assert await storage.responses.find(ALICE, "resp_1") == stored
    assert await storage.responses.find(BOB, "resp_1") is None
    assert await storage.responses.chain(BOB, "resp_1") is None
    assert not await storage.responses.delete(BOB, "resp_1")
    assert await storage.responses.delete(ALICE, "resp_1")
    assert await storage.responses.find(ALICE, "resp_1") is None


async def test_a_chain_is_given_from_its_beginning(storage: Storage) -> None:
    for number in range(4):
        previous = f"resp_{number - 1}" if number else None
        await storage.responses.create(response(f"resp_{number}", previous=previous), LATER)
    chain = await storage.responses.chain(ALICE, "resp_3")
    assert chain is not None
    assert [link.id for link in chain] == ["resp_0", "resp_1", "resp_2", "resp_3"]
    await storage.responses.delete(ALICE, "resp_1")
    assert await storage.responses.chain(ALICE, "resp_3") is None
    assert await storage.responses.chain(ALICE, "resp_0") is not None


async def test_only_an_open_response_changes_and_once_it_has_ended_never_again(
    storage: Storage,
) -> None:
    stored = response("resp_1", is_open=True, document={"id": "resp_1", "status": "in_progress"})
    await storage.responses.create(stored, LATER)
    assert [open_one.id for open_one in await storage.responses.open()] == ["resp_1"]
    document = await storage.responses.change(ALICE, "resp_1", completed, is_open=False)
    assert document == {"id": "resp_1", "status": "completed"}
    assert await storage.responses.open() == []
    again = await storage.responses.change(
        ALICE, "resp_1", lambda document: {**document, "status": "cancelled"}, is_open=False
    )
    assert again is None
    found = await storage.responses.find(ALICE, "resp_1")
    assert found is not None
    assert found.document["status"] == "completed"
