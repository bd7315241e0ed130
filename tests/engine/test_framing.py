import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.framing import MAX_FRAME_BYTES, FrameReader, ProtocolError, encode_frame


@given(st.lists(st.binary(max_size=50), max_size=8), st.lists(st.integers(1, 20), max_size=40))
def test_any_cutting_of_the_stream_gives_the_same_frames(
    payloads: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(encode_frame(payload) for payload in payloads)
    reader = FrameReader()
    received: list[bytes] = []
    for cut in cuts:
        received += reader.feed(stream[:cut])
        stream = stream[cut:]
    received += reader.feed(stream)
    assert received == payloads


@pytest.mark.parametrize("length", [MAX_FRAME_BYTES + 1, 2**30, 2**32 - 1])
def test_a_claimed_length_over_the_bound_is_refused_before_it_is_believed(length: int) -> None:
    with pytest.raises(ProtocolError, match="claims"):
        FrameReader().feed(struct.pack("<I", length))


def test_a_payload_over_the_bound_is_not_sent() -> None:
    with pytest.raises(ProtocolError):
        encode_frame(bytes(MAX_FRAME_BYTES + 1))
