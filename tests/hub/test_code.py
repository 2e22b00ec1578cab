"""hub/printing/code.py: a check code is chance, and whoever typed it badly typed no code."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.printing.code import ALPHABET, NO_CODE, code_of, digest_of, new_code

CODE = "7K3M-QX9D-22AB-ZZ99"


def test_a_code_is_sixteen_signs_that_nobody_mistakes_in_groups_of_four() -> None:
    made = {new_code() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(rf"(?:[{ALPHABET}]{{4}}-){{3}}[{ALPHABET}]{{4}}", one) for one in made)
    assert {*"".join(made)} - {"-"} == {*ALPHABET}
    assert {*ALPHABET} & {*"01ILOU"} == set()
    assert len(ALPHABET) ** 16 > 2**78


@pytest.mark.parametrize(
    "typed",
    [
        CODE,
        "7k3m-qx9d-22ab-zz99",
        "7K3MQX9D22ABZZ99",
        " 7K3M QX9D\u300022AB　ZZ99\n",
        "７Ｋ３Ｍ－ＱＸ９Ｄ－２２ＡＢ－ＺＺ９９",
        "7K3M–QX9D—22AB·ZZ99",
    ],
)
def test_a_code_is_read_however_it_is_typed(typed: str) -> None:
    assert code_of(typed) == CODE


@pytest.mark.parametrize(
    "typed", ["", CODE[:-1], CODE + "2", CODE.replace("7", "0"), "陆" * 16, "x" * 100_000, NO_CODE]
)
def test_what_can_be_no_code_is_looked_up_as_one_that_is_nobodys(typed: str) -> None:
    assert code_of(typed) == NO_CODE


@given(st.text(max_size=200))
def test_whatever_is_typed_is_a_code_or_none(typed: str) -> None:
    found = code_of(typed)
    assert found == NO_CODE or code_of(found) == found


def test_a_digest_is_read_in_groups_and_any_case() -> None:
    typed = "ABCD0123 4567EF89\n" + "ab" * 24
    assert digest_of(typed) == "abcd01234567ef89" + "ab" * 24
    assert digest_of("a" * 10_000) == ""
