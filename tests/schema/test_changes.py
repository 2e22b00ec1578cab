"""schema/changes.py: what breaks a client is found, said and not let through unsaid."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.deprecation import deprecation
from catalog.load import load
from resolvers.binding import Bindings
from schema.build import build, sdl
from schema.changes import (
    NotSDL,
    breaking,
    dangerous,
    deprecated,
    released,
    unsaid,
)

ROOT = Path(__file__).parents[2]
FILE = "schema/released.graphql"
OLD = """
type Query { citizen(by: Key): Citizen  old: Int @deprecated(reason: "x") }
type Citizen { sex: Sex  phone: String }
enum Sex { MALE FEMALE }
input Key { id: ID }
"""


def from_git(*names: str) -> str | None:
    """A git command's output; None where there is no checkout or no such file in it."""
    try:
        ran = subprocess.run(["git", *names], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return ran.stdout.decode("utf-8")


def test_nothing_breaks_a_client_of_the_last_release(built: Bindings) -> None:
    # Deprecate it instead (docs/deprecation.md); what cannot wait moves released.graphql, too.
    assert [change.said for change in breaking(released(), sdl(built))] == []


def test_the_released_contract_moves_with_a_word() -> None:
    """What it loses against the last commit's is named in CHANGELOG.md in backticks."""
    before = from_git("show", f"HEAD:{FILE}")
    said = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert unsaid(before or released(), released(), said) == []


@pytest.mark.parametrize(
    ("old", "new", "kind", "what", "subject"),
    [
        ("  phone: String", "", "FIELD_REMOVED", "字段没有了", "Citizen.phone"),
        ("phone: String", "phone: Int", "FIELD_CHANGED_KIND", "字段换了类型", "Citizen.phone"),
        ("MALE FEMALE", "MALE", "VALUE_REMOVED_FROM_ENUM", "枚举值没有了", "Sex.FEMALE"),
        ("id: ID }", "id: ID! }", "FIELD_CHANGED_KIND", "字段换了类型", "Key.id"),
        ("(by: Key)", "", "ARG_REMOVED", "参数没有了", "Query.citizen"),
        (
            "(by: Key)",
            "(by: Key, a: Int!)",
            "REQUIRED_ARG_ADDED",
            "字段多了必填参数",
            "Query.citizen",
        ),
    ],
)
def test_what_breaks_is_named_and_let_through_once_it_is_said(
    old: str, new: str, kind: str, what: str, subject: str
) -> None:
    after = OLD.replace(old, new)
    assert after != OLD
    (found,) = breaking(OLD, after)
    assert (found.kind, found.what) == (kind, what)
    assert any(name.startswith(subject) for name in found.subjects)
    assert unsaid(OLD, after, "") == [found.said]
    assert unsaid(OLD, after, f"- breaking: `{found.subjects[0]}`") == []


def test_what_only_may_surprise_is_told_apart() -> None:
    after = OLD.replace("MALE FEMALE", "MALE FEMALE UNKNOWN")
    assert breaking(OLD, after) == []
    assert [c.kind for c in dangerous(OLD, after)] == ["VALUE_ADDED_TO_ENUM"]
    assert (breaking(OLD, OLD), dangerous(OLD, OLD)) == ([], [])


@pytest.mark.parametrize("text", ["", "type Query {", "type Query { a: Nobody }", "四"])
def test_a_text_that_is_no_contract_is_one_error(text: str) -> None:
    with pytest.raises(NotSDL):
        breaking(text, OLD)


# ---- what will go ------------------------------------------------------------------------------


def test_every_mark_in_the_contract_has_its_form_and_its_year(built: Bindings) -> None:
    for where, reason in deprecated(sdl(built)).items():
        assert deprecation(reason).reason == reason, where


def test_marks_are_found_wherever_the_language_has_them() -> None:
    text = """
    type Query { a(b: Int @deprecated(reason: "1"), c: Int): Int  d: Int @deprecated(reason: "2") }
    interface I { e: Int @deprecated(reason: "3") }
    enum E { F @deprecated(reason: "4") G }
    input H { i: Int @deprecated(reason: "5")  j: Int }
    """
    assert deprecated(text) == {
        "Query.a(b:)": "1",
        "Query.d": "2",
        "I.e": "3",
        "E.F": "4",
        "H.i": "5",
    }


def test_a_mark_of_the_catalogue_stands_in_the_contract() -> None:
    catalog, reason = load(), "since 2026-11; use sex; removal 2027-12"
    plain = sdl(build(catalog))
    dataset = catalog.datasets["enrolment"]
    marked = tuple(
        replace(f, deprecated=deprecation(reason)) if f.name == "birthDate" else f
        for f in dataset.fields
    )
    with_mark = replace(dataset, fields=marked)
    changed = replace(catalog, datasets={**catalog.datasets, "enrolment": with_mark})
    text = sdl(build(changed))
    assert deprecated(text) == {"Enrolment.birthDate": reason}
    assert f'birthDate: Date @deprecated(reason: "{reason}")' in text
    assert breaking(plain, text) == []
    assert [line for line in text.splitlines() if line not in plain.splitlines()] == [
        f'  birthDate: Date @deprecated(reason: "{reason}")'
    ]
