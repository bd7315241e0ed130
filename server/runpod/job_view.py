"""How a job is told of: its state in RunPod's words, its times in milliseconds."""

from typing import Any

from server.jobs.job import Job, JobState
from server.named_message import named_message

STATUS = {
    JobState.QUEUED: "IN_QUEUE",
    JobState.RUNNING: "IN_PROGRESS",
    JobState.COMPLETED: "COMPLETED",
    JobState.FAILED: "FAILED",
    JobState.CANCELLED: "CANCELLED",
    JobState.TIMED_OUT: "TIMED_OUT",
}


def brief(job: Job) -> dict[str, Any]:
    return {"id": job.id, "status": STATUS[job.state]}


def whole(job: Job, worker_id: str) -> dict[str, Any]:
    """What is known: times as they were measured, the output of a completed job, or its error."""
    told = brief(job)
    if job.delay is not None:
        told |= {"delayTime": _milliseconds(job.delay), "workerId": worker_id}
    if job.duration is not None:
        told["executionTime"] = _milliseconds(job.duration)
    if job.state is JobState.COMPLETED:
        told["output"] = job.outputs
    if job.error is not None:
        told["error"] = named_message(job.error)
    return told


def news(job: Job) -> dict[str, Any]:
    """The outputs since the last time. With a final status there are no more to come."""
    return {**brief(job), "stream": [{"output": output} for output in job.take_news()]}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
