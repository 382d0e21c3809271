"""Job files: read, their command made, and nothing run."""

from __future__ import annotations

from typing import Any

from adabldm.core.faults import InputFault
from jobs.verbs.job_file import read_job_file
from jobs.verbs.submit import VERBS
from tests.fuzz.case import Case
from tests.fuzz.texts import JUNK, any_yaml

SECRET = "hunter2AbC"
JOBS: tuple[dict[str, Any], ...] = (
    {"run": "generate", "with": {"manifest": "plan", "model": "base", "output": "s3://b/out",
                                 "workers": "1:8", "keep": "source", "branch": ["a=b", "c=d"]}},
    {"run": "train", "with": {"dataset": "set", "base": "base", "output": "branch", "steps": 5}},
    {"run": "verify", "with": {"output": "out"}, "address": "http://127.0.0.1:8265"},
    {"run": "plan", "with": {"dataset": "set", "count": 3, "seed": 1, "output": "plan"}},
    {"run": "verify", "with": {"output": f"s3://me:{SECRET}@bucket/out"}},
)  # fmt: skip


def run(case: Case) -> None:
    job = dict(case.rng.choice(JOBS))
    job["with"] = dict(job["with"])
    for _ in range(case.rng.choice((0, 0, 1, 2))):
        job["with"][case.rng.choice((*job["with"], "x", "help", "--output"))] = case.rng.choice(
            JUNK
        )
    path = case.folder / "job.yaml"
    path.write_bytes(case.keep("job.yaml", any_yaml(case, job)))
    answer = case.call("job file", (InputFault,), lambda: read_job_file(path, VERBS))
    if answer.value is not None:
        words, _ = answer.value
        case.require("job file", words[0] in VERBS, "gives no verb", words)
        texts = all(isinstance(word, str) for word in words)
        case.require("job file", texts, "gives words that are none", words)
    if answer.refusal is not None:
        case.require("job file", SECRET not in answer.refusal, "repeats a secret", answer.refusal)
