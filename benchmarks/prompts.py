"""Prompts of a known length that no cache has seen: random common words, one Granite token each.

Every word, after a space, is a single token of Granite's vocabulary, so that N words are N tokens;
for other vocabularies the server's own count is reported beside the length asked for.
"""

import random

WORDS = """
time year people way day man thing woman life child world school state family student group country
problem hand part place case week company system program question work government number night point
home water room mother area money story fact month lot right study book eye job word business issue
side kind head house service friend father power hour game line end member law car city community
name team minute idea kid body information back parent face others level office door health person
art war history party result change reason research girl moment air teacher force education foot boy
age policy music market sense nation plan college interest death experience use class control field
development role rate heart drug show leader light voice wife mind price report decision son view
relationship town road arm difference value building action season tax director position player
record paper space ground form event official matter center site project activity star table need
court oil cost industry figure street image phone data picture practice piece land product doctor
wall patient worker news test movie north love step food summer river forest stone bridge window
winter animal train ship
""".split()


def random_prompt(num_words: int, key: str) -> str:
    """The same words for the same `key`; two keys share a prefix only by chance."""
    return " ".join(random.Random(key).choices(WORDS, k=num_words))
