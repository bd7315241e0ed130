"""A small vocabulary for grammars: every byte, a few words, a control token and an end."""

from sampling.grammar import GrammarVocabulary

END, CALL, FIRST_BYTE, FIRST_WORD = 0, 1, 2, 258
WORDS = (b"name", b"na", b": ", b'{"', b"yes")


def byte_vocabulary(size: int = FIRST_WORD + len(WORDS)) -> GrammarVocabulary:
    """Ids past the words have no token. Text is spelt with words where that is possible."""
    tokens = [b"", b"<call>", *(bytes([byte]) for byte in range(256)), *WORDS]
    tokens += [b""] * (size - len(tokens))
    return GrammarVocabulary(tokens, {END, CALL}, [END], encode)


def encode(text: bytes) -> list[int]:
    """The first of WORDS that fits wins."""
    ids: list[int] = []
    while text:
        number = next((n for n, word in enumerate(WORDS) if text.startswith(word)), None)
        ids.append(FIRST_BYTE + text[0] if number is None else FIRST_WORD + number)
        text = text[1 if number is None else len(WORDS[number]) :]
    return ids


def decode(token_ids: list[int]) -> bytes:
    """Control tokens and the end are left out."""
    return b"".join(
        bytes([i - FIRST_BYTE]) if i < FIRST_WORD else WORDS[i - FIRST_WORD]
        for i in token_ids
        if i >= FIRST_BYTE
    )
