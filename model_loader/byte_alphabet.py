"""The printable letters in which byte-level BPE vocabularies spell bytes (GPT-2's table)."""

from functools import cache


@cache
def byte_letters() -> str:
    """256 letters; the letter of byte b is at index b.

    A byte that prints in Latin-1 stands for itself; the others take letters from U+0100 on.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return "".join(
        chr(byte if byte in printable else 0x100 + others.index(byte)) for byte in range(256)
    )


def spell(token: bytes) -> str:
    """How a vocabulary writes `token`."""
    return "".join(byte_letters()[byte] for byte in token)


@cache
def byte_of_letter() -> dict[str, int]:
    return {letter: byte for byte, letter in enumerate(byte_letters())}


def unspell(spelling: str) -> bytes:
    """The inverse of `spell`. Raises KeyError for a letter outside the alphabet."""
    return bytes(map(byte_of_letter().__getitem__, spelling))
