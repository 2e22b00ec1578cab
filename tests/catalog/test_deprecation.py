"""catalog/deprecation.py: one form, a year's notice at least, and the line that says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.deprecation import MONTHS, Deprecation, deprecation
from catalog.errors import CatalogError
from catalog.load import load
from tests.catalog.test_datasets import SAMPLE

GOOD = "since 2026-11; use schoolCode; removal 2027-11"


def test_a_reason_is_read_and_written_as_it_was() -> None:
    found = deprecation(GOOD)
    assert found == Deprecation("2026-11", "schoolCode", "2027-11")
    assert found.reason == GOOD
    assert MONTHS == 12


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("since 2026-11; use schoolCode; removal 2027-10", "gives 11 months"),
        ("since 2026-11; use schoolCode; removal 2026-11", "gives 0 months"),
        ("since 2026-11; use schoolCode; removal 2025-11", "gives -12 months"),
        ("since 2026-13; use schoolCode; removal 2028-01", "must read"),
        ("since 2026-11-01; use schoolCode; removal 2028-01", "must read"),
        ("since 2026-11; use ; removal 2028-01", "must read"),
        ("since 2026-11; removal 2028-01", "must read"),
        ("use schoolCode", "must read"),
        (GOOD + ".", "must read"),
        (GOOD + "\n", "must read"),
        ("No longer supported", "must read"),
    ],
)
def test_another_form_or_too_short_a_notice_is_refused(reason: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        deprecation(reason)


def _words(folder: Path, reason: str) -> Path:
    words = folder / "words"
    words.mkdir()
    text = SAMPLE.replace('name = "status"\n', f'name = "status"\ndeprecated = "{reason}"\n')
    assert text != SAMPLE
    (words / "sample.toml").write_text(text, encoding="utf-8")
    return words


def test_a_field_of_a_department_can_be_marked(tmp_path: Path) -> None:
    fields = load(_words(tmp_path, GOOD)).datasets["sample_row"].by_name
    assert fields["status"].deprecated == deprecation(GOOD)
    assert [f.name for f in fields.values() if f.deprecated is not None] == ["status"]


def test_a_mark_without_a_years_notice_stops_the_start(tmp_path: Path) -> None:
    short = "since 2026-11; use day; removal 2027-01"
    with pytest.raises(CatalogError, match=r"deprecated: gives 2 months until the removal"):
        load(_words(tmp_path, short))
