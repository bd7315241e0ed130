import pytest

from engine.sequence import Sequence
from engine.waiting import WaitingRoom
from tests.engine.fakes import make_request


def waiting(arrival: int, client: str, *, is_background: bool = False) -> Sequence:
    request = make_request(client=client, is_background=is_background)
    return Sequence(generation=arrival, choice=0, arrival=arrival, request=request)


def drain(room: WaitingRoom) -> list[int]:
    return [room.pop_head().arrival for _ in range(len(room))]


def test_clients_take_turns_and_each_is_served_in_order() -> None:
    room = WaitingRoom()
    for arrival, client in enumerate(["a", "a", "a", "b", "c", "b"]):
        room.append(waiting(arrival, client))
    assert drain(room) == [0, 3, 4, 1, 5, 2]
    assert room.head() is None


def test_a_preempted_sequence_goes_before_younger_ones_of_its_client() -> None:
    room = WaitingRoom()
    for arrival in (5, 6):
        room.append(waiting(arrival, "a"))
    room.put_back(waiting(4, "a"))
    room.put_back(waiting(2, "a"))
    assert drain(room) == [2, 4, 5, 6]


def test_removing_a_waiting_sequence_keeps_the_rest_in_order() -> None:
    room = WaitingRoom()
    sequences = [waiting(arrival, "a") for arrival in range(3)]
    for sequence in sequences:
        room.append(sequence)
    room.remove(sequences[1])
    assert list(room) == [sequences[0], sequences[2]]
    assert drain(room) == [0, 2]


def test_the_background_comes_when_nobody_else_waits_and_takes_turns_of_its_own() -> None:
    room = WaitingRoom()
    for arrival, client in enumerate(["a", "a", "b"]):
        room.append(waiting(arrival, client, is_background=True))
    for arrival, client in ((3, "a"), (4, "b")):
        room.append(waiting(arrival, client))
    assert drain(room) == [3, 4, 0, 2, 1]


def test_nobody_can_be_taken_out_of_an_empty_room() -> None:
    with pytest.raises(KeyError):
        WaitingRoom().pop_head()
