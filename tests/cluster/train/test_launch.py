from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from adabldm.branches.card import CARD, WEIGHTS, BranchCard
from adabldm.core.faults import InputFault
from adabldm.data.opening import open_dataset
from adabldm.loading import open_base
from adabldm.training.options import PHASES, BranchOptions, TrainOptions, WholeModelOptions
from cluster.models.kinds import inspect_model
from cluster.train.launch import run_process, train, train_each
from cluster.train.spec import TrainingSpec, bind, split_digest
from jobs.verbs.demo import draw_data_set
from tests.support.tiny import tiny_pipeline

pytestmark = pytest.mark.slow

STEPS = 24
OPTIONS = BranchOptions(
    train=TrainOptions(
        steps=STEPS, batch_size=4, learning_rate=1e-3, save_every=4, look_every=STEPS
    ),
    pairs=32,
)
TOLERANCE = 2e-4
"""Of weights between -1 and 1 after the test's steps: summing in other parts moves last bits, and
AdamW makes them larger."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def job(folder) -> TrainingSpec:
    base = folder / "base"
    tiny_pipeline().save_pretrained(base)
    objects = open_dataset(str(draw_data_set(folder / "data")))
    objects = [replace(objects[0], surface="texture")]
    name = objects[0].name
    texts = {(name, d): (f"a metal with a {d}",) for d in objects[0].defect_types}
    return TrainingSpec(
        name=name,
        objects=tuple(objects),
        texts={**texts, (name, None): ("a metal",)},
        output=str(folder / "alone"),
        options=OPTIONS,
        base=str(base),
        base_fingerprint=inspect_model(str(base)).fingerprint,
    )


@pytest.fixture(scope="module")
def alone(job) -> dict[str, torch.Tensor]:
    """The branch that one process makes, with two accumulated parts a step."""
    parted = replace(OPTIONS.train, accumulate=2)
    run_process(replace(job, options=replace(OPTIONS, train=parted)), "cpu")
    return load_file(job.folder.join(WEIGHTS).path)


def ignore(done: int, note: str) -> None:
    del done, note


def workers_of_ray_train() -> list[psutil.Process]:
    """Those of this process's own Ray, in the order in which they were started."""
    mine = psutil.Process().children(recursive=True)
    found = [one for one in mine if any("RayTrainWorker" in word for word in one.cmdline())]
    return sorted(found, key=lambda process: process.create_time())


def test_two_workers_one_killed_make_what_one_makes_with_twice_the_accumulation(
    ray_address, job, alone, folder
):
    together = replace(job, output=str(folder / "together"), workers=2)
    store = together.store("branch")
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + 300
        while not killed and time.monotonic() < deadline:
            if any(step >= 8 for step in store.checkpoints()):
                victim = workers_of_ray_train()[-1]
                os.kill(victim.pid, signal.SIGKILL)
                killed.append(victim.pid)
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    killer.start()
    train(together, ignore)
    killer.join()
    assert killed, "training was over before a worker could be killed"
    made = load_file(together.folder.join(WEIGHTS).path)
    base = dict(tiny_pipeline().controlnet.named_parameters())
    assert made.keys() == alone.keys()
    worst = max(float((made[name] - alone[name]).abs().max()) for name in made)
    moved = max(
        float((made[name] - base[name.removeprefix("controlnet.")]).abs().max()) for name in made
    )
    assert worst <= TOLERANCE < moved / 20


def test_a_branch_says_what_it_is_of_and_what_it_learned_from(job, alone):
    card = BranchCard.from_json(job.folder.join(CARD).read())
    assert card.base_fingerprint == job.base_fingerprint
    assert card.split_sha256 == split_digest(job.objects)
    assert card.defects == tuple(job.objects[0].defect_types)
    assert card.surface == {job.name: "texture"}
    assert card.training["steps"] == STEPS
    assert all(name.startswith("controlnet.") for name in alone)


def test_a_training_leaves_a_log_a_sheet_and_events(job, alone):
    store = job.store("branch")
    assert '"loss"' in store.log_lines()[-1]
    assert list(store.folder.join("sheets").files()) == [
        f"step-{step:08d}.png" for step in (0, STEPS)
    ]
    assert any("tfevents" in name for name in store.folder.join("events").files())
    assert sorted(store.checkpoints()) == [STEPS - 4, STEPS]


def test_more_steps_go_on_from_where_a_training_ended(job, alone, folder):
    short = replace(OPTIONS.train, steps=8, accumulate=2)
    rest = replace(job, output=str(folder / "rest"), options=replace(OPTIONS, train=short))
    bind(rest)
    run_process(rest, "cpu")
    longer = replace(OPTIONS, train=replace(short, steps=STEPS))
    rest = replace(rest, options=longer)
    bind(rest)
    assert rest.steps_done() == 8
    run_process(rest, "cpu")
    made = load_file(rest.folder.join(WEIGHTS).path)
    assert all(torch.equal(made[name], alone[name]) for name in made)


def test_an_output_of_another_training_is_refused_by_field(job, folder):
    one = replace(job, output=str(folder / "bound"))
    bind(one)
    other = replace(OPTIONS, seed=5, train=replace(OPTIONS.train, learning_rate=1e-4))
    with pytest.raises(InputFault) as caught:
        bind(replace(one, options=other))
    assert [line.split(":")[0] for line in caught.value.lines] == ["learning_rate", "seed"]


def test_a_type_that_cannot_be_trained_leaves_the_others_alone(ray_address, job, s3):
    good, bad = f"{job.name}/crack", f"{job.name}/lost"
    brief = replace(OPTIONS, train=replace(OPTIONS.train, steps=2))
    cracks = tuple(d for d in job.objects[0].defects if d.defect == "crack")
    lost = tuple(replace(d, image=f"{d.image}.gone") for d in cracks)
    jobs = [
        replace(
            job,
            name=name,
            output=f"{s3}/branches/{name}",
            objects=(replace(job.objects[0], defects=defects),),
            options=brief,
        )
        for name, defects in ((good, cracks), (bad, lost))
    ]
    outcome = train_each(jobs, 2, ignore)
    assert outcome[good] is None
    assert ".gone" in (outcome[bad] or "")
    assert BranchCard.from_json(jobs[0].folder.join(CARD).read()).defects == ("crack",)
    assert not jobs[1].folder.join(CARD).exists()


def test_a_whole_model_is_trained_from_nothing_phase_by_phase(job, folder, monkeypatch):
    monkeypatch.setattr("adabldm.training.small_model.LOOKED_AT", 1)
    brief = WholeModelOptions.of(5, accumulate=1, seed=0)
    short = {name: replace(one, batch_size=4) for name, one in brief.phases.items()}
    whole = replace(
        job,
        base=None,
        base_fingerprint="",
        output=str(folder / "whole"),
        options=replace(brief, pool=16, **short),
    )
    bind(whole)
    run_process(whole, "cpu")
    assert whole.steps_done() == whole.steps
    assert all(whole.store(name).finished() for name in PHASES)
    assert not any(whole.store(name).checkpoints() for name in PHASES)
    model = open_base(whole.result.path)
    assert model.image_size == 128
    first = inspect_model(str(whole.result.path)).fingerprint
    whole.store("control").folder.join("result.safetensors").remove()
    run_process(whole, "cpu")
    assert inspect_model(str(whole.result.path)).fingerprint == first
