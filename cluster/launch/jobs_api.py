"""Ray jobs on a cluster: submitted once for the same words, followed to their end."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import ClientError

from adabldm.core.faults import ExitCode, InputFault, JobFault

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

POLL_SECONDS = 1.0
RECONNECTIONS = 20


def base_id(words: Sequence[str]) -> str:
    """The submission's own name, the same for the same words."""
    return "adabldm-" + hashlib.sha256(json.dumps(list(words)).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """A job on the cluster: ``started`` just now, or there before. ``before`` is the state of this
    job, or of the one it replaces; None if there was none."""

    job: str
    started: bool
    before: str | None


class Cluster:
    """The jobs of the cluster whose dashboard is at ``address``.

    Raises :class:`InputFault` for an address that is none, :class:`JobFault` if nobody answers.
    """

    def __init__(self, address: str) -> None:
        from ray.exceptions import AuthenticationError
        from ray.job_submission import JobSubmissionClient

        # Ray would let RAY_ADDRESS overrule the address that was typed.
        os.environ["RAY_API_SERVER_ADDRESS"] = address
        try:
            self._client: JobSubmissionClient = JobSubmissionClient(address)
        except AuthenticationError as error:
            rule = "the cluster wants its token, in RAY_AUTH_TOKEN or ~/.ray/auth_token"
            raise JobFault(f"--address: {address!r}: {rule}") from error
        except ValueError as error:
            raise InputFault.of("--address", address, f"is no address ({error})") from error
        except (ConnectionError, RuntimeError) as error:
            raise JobFault(f"--address: {address!r}: no Ray dashboard answers: {error}") from error

    def _attempts(self, base: str) -> dict[int, JobDetails]:
        found = {}
        for job in self._client.list_jobs():
            name, _, number = (job.submission_id or "").rpartition("-")
            if name == base and number.isdigit():
                found[int(number)] = job
        return found

    def submit(self, words: Sequence[str], *, again: bool = False) -> Submitted:
        """Start ``adabldm WORDS``, unless it runs or has succeeded already.

        One that failed or was stopped is started anew, and continues what it had committed.
        """
        base = base_id(words)
        for _ in range(RECONNECTIONS):
            attempts = self._attempts(base)
            last = max(attempts, default=0)
            before = str(attempts[last].status).lower() if last else None
            if before in ("pending", "running") or (before == "succeeded" and not again):
                return Submitted(job=f"{base}-{last}", started=False, before=before)
            job = f"{base}-{last + 1}"
            try:
                self._client.submit_job(
                    entrypoint=shlex.join(["adabldm", *words]), submission_id=job
                )
            except RuntimeError as error:
                # Somebody else has submitted the same words in this moment.
                if "already" in str(error):
                    continue
                raise JobFault(f"the cluster refused the job: {error}") from error
            return Submitted(job=job, started=True, before=before)
        raise JobFault(f"{base}: could not be submitted")

    def last(self, words: Sequence[str]) -> str | None:
        """The last job that ``adabldm WORDS`` was submitted as."""
        base = base_id(words)
        attempts = self._attempts(base)
        return f"{base}-{max(attempts)}" if attempts else None

    def stop(self, job: str) -> str:
        """Ask the job to end, and wait until it has; its state then, or ``running`` still."""
        self._client.stop_job(job)
        for _ in range(RECONNECTIONS):
            status = self.details(job).status
            if status.is_terminal():
                break
            time.sleep(POLL_SECONDS)
        return str(status).lower()

    def log(self, job: str) -> str:
        """All that the job has said."""
        return str(self._client.get_job_logs(job))

    def details(self, job: str) -> JobDetails:
        return self._client.get_job_info(job)

    def follow(self, job: str) -> ExitCode:
        """Print the job's log until it ends; its exit code (STOPPED when only Ray knows why)."""
        printed = failures = 0
        while failures < RECONNECTIONS:
            try:
                before, printed = printed, asyncio.run(self._print_log(job, printed))
                failures = 0 if printed > before else failures
                if self.details(job).status.is_terminal():
                    break
            except (OSError, RuntimeError, ClientError) as error:
                print(f"lost the job's log, asking again: {error}", file=sys.stderr)
            failures += 1
            time.sleep(POLL_SECONDS)
        else:
            raise JobFault(f"{job}: the cluster does not answer; the job may still run")
        details = self.details(job)
        if str(details.status) == "SUCCEEDED":
            return ExitCode.OK
        if details.driver_exit_code in list(ExitCode)[1:]:
            return ExitCode(details.driver_exit_code)
        print(f"{job}: {details.status}: {details.message}", file=sys.stderr)
        return ExitCode.STOPPED

    async def _print_log(self, job: str, printed: int) -> int:
        """Print the log from character ``printed`` on; how many are printed in all."""
        seen = 0
        async for text in self._client.tail_job_logs(job):
            fresh = text[max(0, printed - seen) :]
            seen += len(text)
            print(fresh, end="", flush=True)
            printed = max(printed, seen)
        return printed
