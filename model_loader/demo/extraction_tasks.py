"""Extraction tasks: facts about a person, answered as one JSON object."""

import json
import random

from model_loader.demo.dialogue import Exchange, Split, ask, draw
from model_loader.demo.words import CITIES, NAMES

FACT_FORMS = (
    "{name} is {age} years old and lives in {city}.",
    "{name} lives in {city} and is {age} years old.",
    "{name}, {age}, lives in {city}.",
    "{name} is {age} and lives in {city}.",
    "Name: {name}. Age: {age}. City: {city}.",
    "In {city} lives {name}, who is {age}.",
    "This is {name}. Age: {age}. City: {city}.",
    "{name} from {city} is {age}.",
)
REQUEST_FORMS = (
    "Extract {keys} as JSON: {facts}",
    "Extract {keys} as JSON.\n{facts}",
    "Give me {keys} as JSON: {facts}",
    "{facts} Extract {keys} as JSON.",
    "Return {keys} as a JSON object: {facts}",
    "{facts}\nReturn a JSON object with {keys}.",
)
KEY_ORDERS = (("name", "age", "city"),) * 4 + (
    ("name", "city"),
    ("name", "age"),
    ("city", "age"),
    ("age", "name"),
    ("city", "name", "age"),
    ("name",),
    ("city",),
)


def extraction(rng: random.Random, split: Split) -> Exchange:
    """Name, age and city (or some of them, in the order asked) as JSON."""
    person = draw(rng, "extraction", split, _person)
    keys = rng.choice(KEY_ORDERS)
    facts = rng.choice(FACT_FORMS).format(**person)
    asked = " and ".join((", ".join(keys[:-1]), keys[-1])) if len(keys) > 1 else keys[0]
    request = rng.choice(REQUEST_FORMS).format(keys=asked, facts=facts)
    return ask("extraction", request, json.dumps({key: person[key] for key in keys}))


def _person(rng: random.Random) -> dict[str, object]:
    return {"name": rng.choice(NAMES), "age": rng.randint(1, 99), "city": rng.choice(CITIES)}
