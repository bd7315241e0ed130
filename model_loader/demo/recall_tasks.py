"""Recall tasks: a fact told early in a conversation and asked for much later."""

import random
from dataclasses import dataclass

from model_loader.demo.dialogue import Exchange, Split, ask, draw
from model_loader.demo.words import CODE_WORDS, NAMES, WORDS

SUBJECTS = ("code word", "password", "secret number", "name")
TELL_FORMS = {
    "code word": (
        "The code word is {}.",
        "Remember the code word: the code word is {}.",
        "Please remember: the code word is {}.",
    ),
    "password": (
        "The password is {}.",
        "My password is {}.",
        "Please remember: the password is {}.",
    ),
    "secret number": ("The secret number is {}.", "Remember: the secret number is {}."),
    "name": ("My name is {}.", "Hello, my name is {}."),
}
ASK_FORMS = {
    "code word": (
        "What is the code word?",
        "What was the code word?",
        "Tell me the code word.",
        "Which code word did I give you?",
    ),
    "password": ("What is the password?", "What is my password?", "Tell me the password."),
    "secret number": ("What is the secret number?", "Tell me the secret number."),
    "name": ("What is my name?", "Tell me my name."),
}
ANSWER_FORMS = {
    "code word": "The code word is {}.",
    "password": "The password is {}.",
    "secret number": "The secret number is {}.",
    "name": "Your name is {}.",
}
FILLER_FORMS = (
    "The {} near the {} is {}.",
    "A {} {} can {} in the {}.",
    "Every {} has a {} and a {}.",
    "The {} was {} and the {} was {}.",
    "In the {} there is a {} {}.",
    "My {} likes the {} {}.",
    "We {} the {} before the {}.",
    "They {} with a {} in the {}.",
)


@dataclass(frozen=True, slots=True)
class Secret:
    """One fact to remember."""

    subject: str
    value: str


def secret(rng: random.Random, split: Split, subject: str | None = None) -> Secret:
    """A fact about `subject`, or about a random one."""
    chosen = subject or rng.choices(SUBJECTS, weights=(6, 2, 2, 2))[0]
    return Secret(
        chosen, draw(rng, f"recall {chosen}", split, lambda source: _value(source, chosen))
    )


def _value(rng: random.Random, subject: str) -> str:
    if subject == "name":
        return rng.choice(NAMES)
    if subject == "secret number":
        return str(rng.randrange(10 ** rng.randint(2, 4)))
    if rng.random() < 0.25:
        return f"{rng.choice(CODE_WORDS)}-{rng.choice(CODE_WORDS)}"
    return rng.choice(CODE_WORDS)


def filler(rng: random.Random, sentences: int) -> str:
    """Sentences that tell nothing about any subject."""
    return " ".join(_filler_sentence(rng) for _ in range(sentences))


def _filler_sentence(rng: random.Random) -> str:
    form = rng.choice(FILLER_FORMS)
    return form.format(*(rng.choice(WORDS) for _ in range(form.count("{}"))))


def tell(rng: random.Random, fact: Secret) -> Exchange:
    """The user tells the fact; the answer confirms without repeating it."""
    told = rng.choice(TELL_FORMS[fact.subject]).format(fact.value)
    return ask("tell", told, f"OK, I will remember the {fact.subject}.")


def recall(rng: random.Random, fact: Secret) -> Exchange:
    """The user asks for a fact told before."""
    return ask(
        "recall", rng.choice(ASK_FORMS[fact.subject]), ANSWER_FORMS[fact.subject].format(fact.value)
    )


def recall_in_text(rng: random.Random, fact: Secret, before: int, after: int) -> Exchange:
    """One message: `before` filler sentences, the fact, `after` filler sentences, the question."""
    parts = (
        filler(rng, before),
        rng.choice(TELL_FORMS[fact.subject]).format(fact.value),
        filler(rng, after),
        rng.choice(ASK_FORMS[fact.subject]),
    )
    answer = ANSWER_FORMS[fact.subject].format(fact.value)
    return ask("recall", " ".join(part for part in parts if part), answer)


def unknown_recall(rng: random.Random, subject: str) -> Exchange:
    """The question without the fact: an honest answer."""
    return ask("recall", rng.choice(ASK_FORMS[subject]), f"I do not know the {subject}.")
