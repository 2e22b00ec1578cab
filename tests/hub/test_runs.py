"""Runs of consecutive id numbers: how long they are leaves the memory, no number does."""

from __future__ import annotations

import asyncio

from hub.runs import ACCOUNTS, FORGOTTEN_S, NUMBERS, Runs, looked_up, noted


def number(sequence: int, day: str = "19800101") -> str:
    """An invented number; its last sign is no matter here."""
    return f"539922{day}{sequence:03d}X"


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_run_grows_number_by_number_in_either_direction() -> None:
    runs = Runs()
    lengths = [runs.longest("a", [number(n)]) for n in (5, 6, 7, 4, 3, 9, 8)]
    assert lengths == [0, 2, 3, 4, 5, 0, 7]


def test_numbers_of_one_operation_are_a_run_too() -> None:
    assert Runs().longest("a", [number(n) for n in range(10, 30)]) == 20


def test_another_birth_date_or_account_is_no_neighbour() -> None:
    runs = Runs()
    assert runs.longest("a", [number(1)]) == 0
    assert runs.longest("a", [number(2, "19800102")]) == 0
    assert runs.longest("b", [number(2)]) == 0
    assert runs.longest("a", [number(2)]) == 2


def test_the_same_number_again_is_no_run() -> None:
    runs = Runs()
    assert [runs.longest("a", [number(1), number(1)]) for _ in range(3)] == [0, 0, 0]


def test_what_is_no_id_number_is_passed_over() -> None:
    assert Runs().longest("a", ["", "5399", "5399221980010100", number(1)[:14] + "abcX"]) == 0


def test_ten_minutes_end_a_run() -> None:
    clock = Clock()
    runs = Runs(clock)
    assert runs.longest("a", [number(1)]) == 0
    clock.now = FORGOTTEN_S
    assert runs.longest("a", [number(2)]) == 0
    clock.now += FORGOTTEN_S - 0.1
    assert runs.longest("a", [number(3)]) == 2


def test_memory_is_bounded_by_accounts_and_numbers() -> None:
    runs = Runs()
    assert runs.longest("a", [number(n) for n in range(999)]) == NUMBERS
    for other in range(ACCOUNTS):
        runs.longest(f"b{other}", [number(1)])
    assert runs.longest("a", [number(999)]) == 0  # the oldest account was forgotten
    assert runs.longest(f"b{ACCOUNTS - 1}", [number(2)]) == 2


def test_numbers_are_collected_from_tasks_inside_and_nowhere_else() -> None:
    async def ask(id18: str) -> None:
        noted(id18)

    async def one(first: int) -> list[str]:
        with looked_up() as numbers:
            await asyncio.gather(ask(number(first)), ask(number(first + 1)))
        noted(number(first + 2))
        return numbers

    async def two() -> list[list[str]]:
        return [*await asyncio.gather(one(10), one(20))]

    assert asyncio.run(two()) == [[number(10), number(11)], [number(20), number(21)]]
    assert noted("x") == "x"
