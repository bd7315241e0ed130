import socket
import struct
from collections.abc import Iterator

import pytest

from engine.channel import Channel, ChannelClosed
from engine.framing import ProtocolError
from engine.protocol import Cancel, Hello, encode


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Channel]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, Channel(theirs)


def test_receiving_without_waiting_returns_what_is_there(
    pair: tuple[socket.socket, Channel],
) -> None:
    ours, channel = pair
    assert channel.receive(wait=False) == []
    ours.sendall(encode(Cancel(1)) + encode(Cancel(2)))
    assert channel.receive(wait=False) == [Cancel(1), Cancel(2)]


def test_half_a_command_waits_for_its_other_half(pair: tuple[socket.socket, Channel]) -> None:
    ours, channel = pair
    frame = encode(Cancel(1))
    ours.sendall(frame[:7])
    assert channel.receive(wait=False) == []
    ours.sendall(frame[7:])
    assert channel.receive(wait=True) == [Cancel(1)]


def test_the_other_side_ending_is_noticed_in_both_directions(
    pair: tuple[socket.socket, Channel],
) -> None:
    ours, channel = pair
    ours.close()
    with pytest.raises(ChannelClosed):
        channel.receive(wait=True)
    with pytest.raises(ChannelClosed):
        channel.send(Hello(1))


def test_a_frame_of_a_gigabyte_is_refused_at_its_header(
    pair: tuple[socket.socket, Channel],
) -> None:
    ours, channel = pair
    ours.sendall(struct.pack("<I", 2**30))
    with pytest.raises(ProtocolError):
        channel.receive(wait=True)


def test_a_flood_of_commands_does_not_hold_up_the_next_step(
    pair: tuple[socket.socket, Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, channel = pair
    frame = encode(Cancel(1))
    monkeypatch.setattr("engine.channel.RECEIVE_BYTES", len(frame))
    monkeypatch.setattr("engine.channel.MAX_BYTES_A_DRAIN", 3 * len(frame))
    ours.sendall(frame * 10)
    assert len(channel.receive(wait=False)) == 3
