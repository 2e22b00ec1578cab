"""What wrk prints, read as figures."""

from __future__ import annotations

import pytest

from bench.load import Load, read

SAID = (
    "Running 2s test\n  1 threads and 32 connections\n\nBENCH 2000 2000000 1500 9000 {} {} 400000\n"
)


def test_the_figures_are_read() -> None:
    assert read(SAID.format(0, 0)) == Load(1000.0, 1.5, 9.0, 0, 200)


def test_a_wrong_answer_is_an_error_and_not_an_answer() -> None:
    found = read(SAID.format(500, 3) + 'SAMPLE 200 {"errors":[]}\n')
    assert found == Load(750.0, 1.5, 9.0, 503, 200, '200 {"errors":[]}')


def test_no_figures_is_a_fault() -> None:
    with pytest.raises(ValueError, match="no figures"):
        read("unable to connect to 127.0.0.1")
