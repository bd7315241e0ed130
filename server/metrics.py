"""Prometheus metrics of one server, on a registry passed in.

Names are vLLM's stems with the prefix `granite_`: its dashboards need one search-and-replace.
"""

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from engine.interface import Engine
from server.json_shapes import STRING
from server.route_notes import RouteNotes, noted

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_FIRST_TOKEN_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
_BETWEEN_TOKENS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5)
_WHOLE_REQUEST_BUCKETS = (0.1, 0.3, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560)


class Metrics:
    """The counters that the dialects feed. Times are in seconds.

    A request is observed once, when it ends: its tokens are added whether it succeeded or not.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.prompt_tokens = Counter(
            "granite_prompt_tokens", "Prompt tokens of ended requests", registry=registry
        )
        self.cached_tokens = Counter(
            "granite_prompt_tokens_cached",
            "Those of the prompt tokens that were not computed anew",
            registry=registry,
        )
        self.generation_tokens = Counter(
            "granite_generation_tokens", "Generated tokens of ended requests", registry=registry
        )
        self.request_success = Counter(
            "granite_request_success",
            "Choices that ended normally",
            ["finished_reason"],
            registry=registry,
        )
        self.request_errors = Counter(
            "granite_request_errors", "Error replies and error events", ["code"], registry=registry
        )
        self.time_to_first_token = Histogram(
            "granite_time_to_first_token_seconds",
            "From receipt of the request to its first token",
            buckets=_FIRST_TOKEN_BUCKETS,
            registry=registry,
        )
        self.inter_token_latency = Histogram(
            "granite_inter_token_latency_seconds",
            "Between two tokens of one choice",
            buckets=_BETWEEN_TOKENS_BUCKETS,
            registry=registry,
        )
        self.e2e_request_latency = Histogram(
            "granite_e2e_request_latency_seconds",
            "From receipt of the request to its end",
            buckets=_WHOLE_REQUEST_BUCKETS,
            registry=registry,
        )

    def watch(self, engine: Engine) -> None:
        """Read the engine's load at each scrape instead of copying it on every change."""
        self._registry.register(_EngineCollector(engine))

    def exposition(self) -> bytes:
        return generate_latest(self._registry)


class _EngineCollector(Collector):
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> list[Metric]:
        stats = self._engine.stats
        return [
            GaugeMetricFamily(
                "granite_num_requests_running", "Requests with a slot", stats.running
            ),
            GaugeMetricFamily(
                "granite_num_requests_waiting", "Requests in the queue", stats.waiting
            ),
            GaugeMetricFamily("granite_free_slots", "Unused sequence slots", stats.free_slots),
            GaugeMetricFamily("granite_free_pages", "Unused K/V pages", stats.free_pages),
            GaugeMetricFamily(
                "granite_num_preemptions", "Preemptions since start", stats.preemptions
            ),
            CounterMetricFamily(
                "granite_step_seconds", "Time in steps of the model worker", stats.step_seconds
            ),
            CounterMetricFamily(
                "granite_forward_seconds", "Part of it in the network", stats.forward_seconds
            ),
            CounterMetricFamily(
                "granite_sampling_seconds", "Part of it in the sampler", stats.sampling_seconds
            ),
            CounterMetricFamily(
                "granite_mask_seconds", "Part of it waiting for grammars", stats.mask_seconds
            ),
            CounterMetricFamily(
                "granite_grammar_seconds",
                "Processor time of grammars, in processes of their own",
                stats.grammar_seconds,
            ),
        ]


def metrics_router(metrics: Metrics) -> APIRouter:
    router = APIRouter()

    @router.get("/metrics")
    @noted(RouteNotes(replies={"text/plain": STRING}))
    async def exposition() -> Response:
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)

    return router
