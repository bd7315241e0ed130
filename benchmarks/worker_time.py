"""How a running server's worker spent its steps, from the totals on its metrics page.

The share outside is what a step costs besides the network, the sampler and grammars: planning,
index building, bookkeeping and messages, all of it Python.
"""

from dataclasses import dataclass

import httpx2
from prometheus_client.parser import text_string_to_metric_families

STEP = "granite_step_seconds_total"
FORWARD = "granite_forward_seconds_total"
SAMPLING = "granite_sampling_seconds_total"
MASK = "granite_mask_seconds_total"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeconds:
    """Totals since the worker's start, or the difference of two such totals."""

    step: float
    forward: float
    sampling: float
    mask: float = 0.0

    def since(self, earlier: "WorkerSeconds") -> "WorkerSeconds":
        return WorkerSeconds(
            step=self.step - earlier.step,
            forward=self.forward - earlier.forward,
            sampling=self.sampling - earlier.sampling,
            mask=self.mask - earlier.mask,
        )

    @property
    def share_outside(self) -> float | None:
        """Of the step time, what no network, sampler or grammar took; None without steps."""
        if self.step <= 0:
            return None
        return 1 - (self.forward + self.sampling + self.mask) / self.step


async def read_worker_seconds(client: httpx2.AsyncClient, url: str) -> WorkerSeconds | None:
    """None where the server has no such metrics: any server but ours."""
    response = await client.get(f"{url}/metrics")
    if response.status_code != 200:
        return None
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    if not {STEP, FORWARD, SAMPLING} <= samples.keys():
        return None
    return WorkerSeconds(
        step=samples[STEP],
        forward=samples[FORWARD],
        sampling=samples[SAMPLING],
        mask=samples.get(MASK, 0.0),
    )
