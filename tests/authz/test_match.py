"""Matcher functions: exact claims, and every answer is a bool (D5, D6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.match import covers, fits, held, one_of, owns, reaches
from authz.post import Post

ANY_TEXT = st.text(max_size=12)


@pytest.mark.parametrize(
    ("pattern", "obj", "expected"),
    [
        ("Citizen.identity", "Citizen.identity", True),
        ("Citizen.identity", "Citizen.identity@minor", False),
        ("Citizen.id", "Citizen.identity", False),
        ("Citizen.*", "Citizen.health@minor", True),
        ("Citizen.*", "CitizenSecret.x", False),
        ("Citizen.*", "Citizen", False),
        ("", "", False),
        ("*", "Citizen.basic", False),
    ],
)
def test_covers_is_exact_or_one_type(pattern: str, obj: str, expected: bool) -> None:
    assert covers(pattern, obj) is expected


@pytest.mark.parametrize(
    ("words", "word", "expected"),
    [
        ("*", "mca", True),
        ("a|b", "b", True),
        ("a|b", "c", False),
        ("ab|c", "a", False),
        ("!a|b", "c", True),
        ("!a|b", "b", False),
        ("*", "", False),
        ("!a", "", False),
        ("", "", False),
        ("", "a", False),
    ],
)
def test_one_of_never_matches_an_empty_value(words: str, word: str, expected: bool) -> None:
    assert one_of(words, word) is expected


@pytest.mark.parametrize(
    ("reach", "base", "row", "expected"),
    [
        ("subtree", "532622105", "532622105203", True),
        ("subtree", "532622105", "532622105", True),
        ("subtree", "532622105", "532622106", False),
        ("subtree", "532622105", "532622", False),
        ("here", "532622105", "532622105", True),
        ("here", "532622105203", "532622105", False),
        ("county", "532622105203", "532622", True),
        ("532622206", "532622105", "532622206201", True),
        ("532622206", "532622105", "532622105", False),
        ("", "532622", "532622", False),
        ("subtree", "", "532622", False),
        ("county", "532622", "", False),
    ],
)
def test_reaches(reach: str, base: str, row: str, expected: bool) -> None:
    assert reaches(reach, base, row) is expected


@pytest.mark.parametrize(
    ("own", "dept", "owner", "expected"),
    [
        ("any", "mca", "wat", True),
        ("self", "mca", "mca", True),
        ("self", "mca", "wat", False),
        ("mca|wat", "hea", "wat", True),
        ("!mca", "hea", "mca", False),
        ("any", "mca", "", False),
    ],
)
def test_owns(own: str, dept: str, owner: str, expected: bool) -> None:
    assert owns(own, dept, owner) is expected


def test_one_and_the_same_post_must_fit_everything() -> None:
    town = Post("mca", "town", "532622105", frozenset({"town", "staff"}))
    dept = Post("wat", "dept", "532622", frozenset({"dept", "staff"}))
    assert held((town, dept), "town", "*", "subtree", "any", "532622105203", "mca")
    # The town's role and the department's area must not add up to a right.
    assert not held((town, dept), "town", "*", "subtree", "any", "532622206", "mca")
    assert not held((town, dept), "town", "wat", "subtree", "any", "532622105", "mca")
    assert held((town, dept), "*", "!hea", "here", "self", "532622", "wat")
    assert not held((), "*", "*", "county", "any", "532622", "mca")


def test_inherited_roles_fit() -> None:
    post = Post("mca", "town", "532622105", frozenset({"town", "staff"}))
    assert fits(post, "staff", "*")
    assert not fits(post, "dept", "*")


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_every_answer_is_a_bool(a: str, b: str, c: str, d: str) -> None:
    post = Post(a, b, c, frozenset({b}))
    answers = [covers(a, b), one_of(a, b), reaches(a, b, c), owns(a, b, c)]
    assert {type(answer) for answer in answers} == {bool}
    assert type(held((post,), b, a, c, d, a, b)) is bool
