"""Which faults strike: a function of the seed, all kinds, each once."""

from __future__ import annotations

from collections import Counter

from jobs.chaos.schedule import GAPS, KINDS, Pending, draw_schedule


def test_a_schedule_is_a_function_of_its_seed_and_has_every_kind() -> None:
    schedule = draw_schedule(3, 200)
    assert schedule == draw_schedule(3, 200)
    assert schedule != draw_schedule(4, 200)
    assert len(schedule) == 200
    assert {fault.kind for fault in schedule} == set(KINDS)
    assert all(GAPS[0] <= fault.gap <= GAPS[1] for fault in schedule)


def test_each_fault_is_handed_out_once_and_only_where_it_can_strike() -> None:
    schedule = draw_schedule(0, 200)
    pending = Pending(schedule)
    taken = []
    while (place := pending.next_place()) is not None:
        for _ in range(30):
            if (fault := pending.take(place)) is not None:
                assert fault.where in (place, "any")
                taken.append(fault)
    assert not len(pending)
    assert Counter(taken) == Counter(schedule)


def test_faults_that_found_nothing_to_strike_come_next() -> None:
    pending = Pending(draw_schedule(0, 40))
    first = pending.take("s3")
    assert first is not None
    pending.give_back([first])
    assert len(pending) == 40
    assert pending.take("s3") == first


def test_kinds_that_a_machine_cannot_make_are_left_out() -> None:
    kinds = {name: kind for name, kind in KINDS.items() if name != "clock jump"}
    assert {fault.kind for fault in draw_schedule(0, 100, kinds)} == set(kinds)
