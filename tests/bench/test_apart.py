"""Three databases beside one."""

from __future__ import annotations

from bench.apart import ONE, PLACED, THREE, Apart, placed
from bench.load import Load
from bench.postgres import Server
from bench.rounds import Cell
from bench.systems import settings
from hub.placing import catalogue, copies
from hub.settings import load_settings


def test_as_long_as_nothing_was_measured_every_number_is_missing() -> None:
    names = [(n.name, n.verdict) for n in Apart().numbers()]
    assert names == [
        ("apart/Q1/1", "missing"),
        ("apart/Q1/32", "missing"),
        ("apart/Q2/1", "missing"),
        ("apart/Q2/32", "missing"),
    ]


def test_three_databases_are_compared_with_one() -> None:
    loads = {ONE: [Load(100.0, 1, 1, 0, 1)], THREE: [Load(59.0, 1, 1, 0, 1)]}
    first, *rest = Apart([Cell("Q1", 1, loads)]).numbers()
    assert (first.name, first.reached, first.verdict) == ("apart/Q1/1", 0.59, "short")
    assert {n.verdict for n in rest} == {"missing"}


def test_the_product_is_asked_with_settings_it_knows() -> None:
    server = Server("postgresql://postgres@127.0.0.1:5432", own=True)
    more = placed(server, {"cases": "c", "events": "e"})
    read = load_settings(settings(server, "one", 0) | more)
    words = catalogue(read)
    assert {name: words.datasets[name].source for name in PLACED} == PLACED
    assert copies(read) == {
        "cases": "postgresql+asyncpg://postgres@127.0.0.1:5432/c",
        "events": "postgresql+asyncpg://postgres@127.0.0.1:5432/e",
    }
