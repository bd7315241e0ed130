"""Forms that are too much for whoever compiles them, and the processes that do so."""

import json

import psutil

from server.constraints import JsonSchema, Lark

CHAIN = Lark("start: r0\n" + "".join(f"r{n}: r{n + 1}\n" for n in range(5000)) + 'r5000: "a"')
"""Overruns the stack of the process that compiles it."""
MANY_MEMBERS = {"type": "object", "properties": {f"p{n}": {} for n in range(9_000)}}
ENDLESS = JsonSchema(json.dumps(MANY_MEMBERS))
"""Takes many seconds, and the more members the longer for each."""


def nurseries() -> list[psutil.Process]:
    """The processes of this server that make those which check grammars, zombies included."""
    children = psutil.Process().children()
    return [
        child
        for child in children
        if child.status() == psutil.STATUS_ZOMBIE or "server.grammars.checker" in child.cmdline()
    ]


def checks() -> list[psutil.Process]:
    """The processes that check a grammar now, each its own."""
    return [process for nursery in nurseries() for process in nursery.children()]
