"""How the clients that read prompts at the same time share the rows of one step."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

Asker = TypeVar("Asker", bound=Hashable)


def share_rows(demands: Mapping[Asker, int], budget: int) -> dict[Asker, int]:
    """Max-min fair shares: nobody gets more than it asks for, and nothing asked for is left over.

    Every client gets at least one row while the budget lasts; equal demands are served in the
    mapping's order.
    """
    shares: dict[Asker, int] = {}
    for position, client in enumerate(sorted(demands, key=demands.__getitem__)):
        fair = -(-budget // (len(demands) - position))
        shares[client] = min(demands[client], fair)
        budget -= shares[client]
    return shares
