"""Holds jobs and their results in memory, each owner's in bounds of their own. Knows no dialect."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from engine.errors import QueueFull
from server.jobs.job import Job


@dataclass(frozen=True, slots=True)
class Room:
    """What one owner's jobs may take up. There are as many owners as there are API keys."""

    max_jobs: int = 1000
    max_bytes: int = 64 * 2**20


class JobStore:
    """An owner sees only jobs of its own, and cannot push out those of others.

    Results that are not fetched make room for new jobs, the oldest first.
    """

    def __init__(self, room: Room | None = None) -> None:
        self._room = room or Room()
        self._shelves: defaultdict[str, dict[str, Job]] = defaultdict(dict)

    def add(self, job: Job) -> None:
        """Raises QueueFull if there is no room even without the results of jobs that ended."""
        shelf = self._swept(job.owner)
        ended = [other for other in shelf.values() if other.has_ended]
        while not self._has_room(shelf, job) and ended:
            self.remove(ended.pop(0))
        if not self._has_room(shelf, job):
            raise QueueFull("too many jobs of one client are waiting or running")
        shelf[job.id] = job

    def remove(self, job: Job) -> None:
        """Forget it, and stop it if it still works."""
        job.cancel()
        self._shelves[job.owner].pop(job.id, None)

    def find(self, job_id: str, owner: str, place: str) -> Job | None:
        job = self._swept(owner).get(job_id)
        return job if job is not None and job.place == place else None

    def jobs(self, owner: str, place: str) -> list[Job]:
        """The oldest first."""
        return [job for job in self._swept(owner).values() if job.place == place]

    async def close(self) -> None:
        """Stop all work."""
        jobs = [job for shelf in self._shelves.values() for job in shelf.values()]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*(job.gone() for job in jobs))
        self._shelves.clear()

    def _swept(self, owner: str) -> dict[str, Job]:
        """The owner's jobs without those whose time is over."""
        shelf = self._shelves[owner]
        for job in [job for job in shelf.values() if job.is_expired]:
            self.remove(job)
        return shelf

    def _has_room(self, shelf: dict[str, Job], job: Job) -> bool:
        num_bytes = sum(other.num_bytes for other in shelf.values())
        return (
            len(shelf) < self._room.max_jobs and num_bytes + job.num_bytes <= self._room.max_bytes
        )
