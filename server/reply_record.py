"""Keeps what a reply used and took in the generation log, once it is over. Knows no dialect."""

from dataclasses import dataclass

from server.events import Usage
from server.generation import Reply
from server.generation_log import GenerationRecord, Origin
from server.reply_meter import ReplyMeter
from server.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """By what a reply is to be found, and what is to be said of it besides its counts."""

    id: str
    created: int
    model: str
    client: str
    is_streamed: bool
    origin: Origin = Origin()


def record_at_end(services: Services, reply: Reply, meter: ReplyMeter, label: Label) -> None:
    """However the reply ends: also if it fails, or if nobody waits for it any more."""

    def record(_: Usage) -> None:
        services.generations.add(
            GenerationRecord(
                id=label.id,
                client=label.client,
                created=label.created,
                model=label.model,
                usage=reply.usage,
                seconds=meter.seconds or 0.0,
                seconds_to_first_token=meter.seconds_to_first_token,
                is_streamed=label.is_streamed,
                is_cancelled=reply.num_unfinished > 0 and not reply.has_failed,
                reason=reply.end_reasons.get(0),
                origin=label.origin,
            )
        )

    meter.on_end(record)
