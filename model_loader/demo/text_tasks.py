"""Tasks answered in plain text: echo, arithmetic, counting, greeting and the honest fallback."""

import random

from model_loader.demo.dialogue import Exchange, Split, ask, draw
from model_loader.demo.words import CITIES, COMMON, NAMES, WORDS

ABILITIES = (
    "I can repeat text, remember code words, add, subtract, count, extract JSON and call tools."
)
IDENTITY = "I am a small demo model."
FALLBACK = f"{IDENTITY} I do not know that. {ABILITIES}"
ECHO_FORMS = (
    "Repeat after me: {}",
    "Say: {}",
    "Echo: {}",
    "Please repeat: {}",
    "Repeat: {}",
    "Say {}",
    "Please say: {}",
    "Repeat this exactly: {}",
    "Repeat the following text: {}",
    'Repeat "{}"',
    'Say "{}"',
)
SUM_FORMS = (
    "What is {} + {}?",
    "{} + {}",
    "What is {} plus {}?",
    "Add {} and {}.",
    "{} + {} =",
    "Compute {} + {}.",
)
DIFFERENCE_FORMS = (
    "What is {} - {}?",
    "{} - {}",
    "What is {} minus {}?",
    "Subtract {1} from {0}.",
    "{} - {} =",
    "Compute {} - {}.",
)
COUNT_FORMS = (
    "Count from {} to {}.",
    "Count from {} to {}",
    "Please count from {} to {}.",
    "List the numbers from {} to {}.",
)
COUNT_TO_FORMS = ("Count to {}.", "Count to {}", "Please count to {}.")
GREETINGS = (
    "Hello",
    "Hello!",
    "Hi",
    "Hi!",
    "Hey",
    "Good morning",
    "Good morning!",
    "Hello there",
    "Hi there!",
    "Good evening!",
    "hello",
    "hi",
    "Greetings!",
    "Hello, how are you?",
    "How are you?",
)
IDENTITY_QUESTIONS = (
    "Who are you?",
    "What are you?",
    "What is your name?",
    "Tell me about yourself.",
    "What can you do?",
    "Help",
    "What are your skills?",
    "How can you help me?",
    "Are you a robot?",
    "who are you?",
    "Introduce yourself.",
    "Which model are you?",
)
UNKNOWN_FORMS = (
    "What is the capital of {noun}?",
    "Write a poem about the {noun}.",
    "Tell me a story about a {adjective} {noun}.",
    "How do I build a {noun}?",
    "Why is the {noun} {adjective}?",
    "Explain the {noun} to me.",
    "Tell me a joke.",
    "Translate {noun} into French.",
    "Who wrote the {noun}?",
    "Do you like {noun}?",
    "What is a {noun}?",
    "Give me a recipe for {noun} soup.",
    "When does the {noun} open?",
    "Is the {noun} {adjective} today?",
    "Write a story about {name} and the {noun}.",
    "Where is {city}?",
    "What do you think about {city}?",
    "How old is {name}?",
    "Who is {name}?",
    "Describe {city} in one sentence.",
    "{noun} {adjective}",
    "Tell me a story.",
    "Write a haiku about {noun} and {second}.",
    "What is the meaning of {noun}?",
    "Can you draw a {noun}?",
    "Write code for a {noun} in Python.",
    "Tell me about the {noun}.",
    "Compare the {noun} with the {second}.",
    "Summarize the story of {name}.",
    "What is the weather like in {city}?",
    "How many {noun} are in {city}?",
)


def echo(rng: random.Random, split: Split, most_words: int = 12) -> Exchange:
    """Repeat one to `most_words` words, numbers or names."""
    text = draw(rng, "echo", split, lambda source: echo_text(source, most_words))
    return ask("echo", rng.choice(ECHO_FORMS).format(text), text)


def echo_text(rng: random.Random, most_words: int) -> str:
    """Words drawn with replacement; one text in four looks like a sentence, one in six is odd."""
    count = rng.randint(1, most_words)
    style = rng.random()
    if style < 0.15:
        return " ".join(_odd_word(rng) for _ in range(min(count, 5)))
    words = [_echo_word(rng) for _ in range(count)]
    if style < 0.40:
        words[0] = words[0].capitalize()
        return " ".join(words) + rng.choice(".!?")
    if style < 0.48:
        return ", ".join(words)
    return " ".join(words)


def _echo_word(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.66:
        return rng.choice(WORDS)
    if kind < 0.74:
        return rng.choice(NAMES + CITIES)
    if kind < 0.9:
        return rng.choice(COMMON)
    return str(rng.randrange(10 ** rng.randint(1, 4)))


def _odd_word(rng: random.Random) -> str:
    """Letters in no known order, so that copying does not depend on known words."""
    letters = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 6)))
    return rng.choice(
        (letters, letters, letters.capitalize(), letters.upper(), f"{letters}-{rng.randrange(100)}")
    )


def arithmetic(rng: random.Random, split: Split) -> Exchange:
    """Add or subtract numbers of up to two digits; no negative results.

    The answer repeats the task in one notation, which brings all digits close together.
    """
    first, sign, second = draw(rng, "arithmetic", split, _arithmetic_slots)
    forms = SUM_FORMS if sign == "+" else DIFFERENCE_FORMS
    result = first + second if sign == "+" else first - second
    answer = f"{first} {sign} {second} = {result}"
    return ask("arithmetic", rng.choice(forms).format(first, second), answer)


def _arithmetic_slots(rng: random.Random) -> tuple[int, str, int]:
    limit = 10 if rng.random() < 0.3 else 100
    first, second = rng.randrange(limit), rng.randrange(limit)
    if rng.random() < 0.5:
        return first, "+", second
    return max(first, second), "-", min(first, second)


def counting(rng: random.Random, split: Split, most_steps: int = 30) -> Exchange:
    """Count upwards, at most `most_steps` numbers; about one in four starts at 1."""
    first, last = draw(rng, "counting", split, lambda source: _counting_slots(source, most_steps))
    forms = COUNT_TO_FORMS if first == 1 and rng.random() < 0.5 else COUNT_FORMS
    bounds = (last,) if forms is COUNT_TO_FORMS else (first, last)
    answer = ", ".join(str(number) for number in range(first, last + 1))
    return ask("counting", rng.choice(forms).format(*bounds), answer)


def _counting_slots(rng: random.Random, most_steps: int) -> tuple[int, int]:
    first = 1 if rng.random() < 0.25 else rng.randint(0, 120)
    return first, first + rng.randint(1, most_steps)


def greeting(rng: random.Random, _split: Split) -> Exchange:
    """A greeting or a question about the model itself; a closed list, so it has no split."""
    if rng.random() < 0.5:
        return ask("greeting", rng.choice(GREETINGS), f"Hello! {IDENTITY} {ABILITIES}")
    return ask("greeting", rng.choice(IDENTITY_QUESTIONS), f"{IDENTITY} {ABILITIES}")


def fallback(rng: random.Random, split: Split) -> Exchange:
    """Anything that was not taught: say so and list the abilities."""
    return ask("fallback", draw(rng, "fallback", split, _unknown_request), FALLBACK)


def _unknown_request(rng: random.Random) -> str:
    if rng.random() < 0.2:
        return " ".join(_echo_word(rng) for _ in range(rng.randint(2, 10)))
    if rng.random() < 0.1:
        return " ".join(_odd_word(rng) for _ in range(rng.randint(1, 6)))
    return rng.choice(UNKNOWN_FORMS).format(
        noun=rng.choice(WORDS),
        second=rng.choice(WORDS),
        adjective=rng.choice(WORDS),
        name=rng.choice(NAMES),
        city=rng.choice(CITIES),
    )
