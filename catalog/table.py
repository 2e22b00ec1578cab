"""Strict reading of one TOML table: every key is known, every value has its kind.

A wrong word stops the start with file, key and remedy in one line; nothing is guessed,
nothing unknown is passed over.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from catalog.errors import CatalogError

E = TypeVar("E", bound=StrEnum)


class Table:
    """A TOML table whose keys are taken one by one; `done` refuses what was not taken."""

    def __init__(self, file: str, where: str, data: Mapping[str, Any]) -> None:
        self.file, self.where, self._data = file, where, dict(data)

    def fail(self, key: str, remedy: str) -> CatalogError:
        """The error for one key of this table."""
        return CatalogError(self.file, f"{self.where}.{key}" if self.where else key, remedy)

    def has(self, key: str) -> bool:
        """Is the key there, and not taken yet?"""
        return key in self._data

    def text(self, key: str, default: str | None = None) -> str:
        """A non-empty text; without a default it must be there."""
        value = self._data.pop(key, default)
        if value is None or value == "":
            if default is not None:
                return default
            raise self.fail(key, "is missing: add a text")
        if not isinstance(value, str):
            raise self.fail(key, "must be a text in quotes")
        return value

    def optional(self, key: str) -> str | None:
        """A text, or None if the key is absent."""
        return self.text(key) if key in self._data else None

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self._data.pop(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, "must be true or false")
        return value

    def number(self, key: str, default: int) -> int:
        """A whole number."""
        value = self._data.pop(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.fail(key, "must be a whole number")
        return value

    def positive(self, key: str) -> int | None:
        """A whole number from 1, or None if the key is absent."""
        if key not in self._data:
            return None
        value = self.number(key, 0)
        if value < 1:
            raise self.fail(key, "must be 1 or more; leave it out for no limit")
        return value

    def count(self, key: str) -> int:
        """A whole number from 1 that must be there."""
        value = self.positive(key)
        if value is None:
            raise self.fail(key, "is missing: add a whole number from 1")
        return value

    def day(self, key: str) -> date | None:
        """A date without time, or None if the key is absent."""
        value = self._data.pop(key, None)
        if value is not None and type(value) is not date:  # a moment is a date, too
            raise self.fail(key, "must be a date, as in 2026-11-01")
        return value

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of texts."""
        value = self._data.pop(key, list(default))
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.fail(key, "must be a list of texts")
        return tuple(value)

    def pairs(self, key: str) -> dict[str, str]:
        """A table of texts, in the order written; empty if absent."""
        value = self._data.pop(key, {})
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise self.fail(key, "must be a table of texts")
        return dict(value)

    def nested(self, key: str) -> dict[str, Any]:
        """A table as it is written, whatever is in it; it must be there."""
        value = self._data.pop(key, None)
        if not isinstance(value, dict):
            raise self.fail(key, "is missing: add a table")
        return value

    def choice(self, key: str, kind: type[E], default: E | None = None) -> E:
        """One of the words of an enumeration."""
        value = self.text(key, default.value if default is not None else None)
        try:
            return kind(value)
        except ValueError:
            words = " ".join(kind)
            raise self.fail(key, f"`{value}` is unknown: use one of {words}") from None

    def known(
        self, key: str, words: Mapping[str, object], what: str, default: str | None = None
    ) -> str:
        """A text that must be a key of `words`."""
        value = self.text(key, default)
        if value not in words:
            raise self.fail(key, f"`{value}` is no {what}: use one of {' '.join(words)}")
        return value

    def sub(self, key: str) -> Table | None:
        """A sub-table, or None if the key is absent."""
        value = self._data.pop(key, None)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.fail(key, "must be a table")
        return Table(self.file, f"{self.where}.{key}" if self.where else key, value)

    def subs(self, key: str, label: str = "name") -> Iterator[Table]:
        """An array of tables; each is named in errors by its `label`."""
        value = self._data.pop(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.fail(key, f"must be written as [[{key}]]")
        for index, entry in enumerate(value):
            name = entry.get(label, index)
            prefix = f"{self.where}." if self.where else ""
            yield Table(self.file, f"{prefix}{key}[{name}]", entry)

    def tables(self) -> Iterator[tuple[str, Table]]:
        """All remaining keys as named tables."""
        for name in list(self._data):
            table = self.sub(name)
            assert table is not None  # noqa: S101  the key was just listed
            yield name, table

    def done(self) -> None:
        """Refuse keys nobody asked for."""
        if self._data:
            key = next(iter(self._data))
            raise self.fail(key, "is unknown: remove it or correct its spelling")


def read_toml(file: Path) -> Table:
    """The whole file as one table; a syntax error becomes a CatalogError."""
    try:
        return Table(file.name, "", tomllib.loads(file.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(file.name, "syntax", f"is not TOML in UTF-8: {error}") from None


def read_csv(file: Path, header: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and row of a CSV in UTF-8 with exactly this header and so many values a row."""
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != header:
            raise CatalogError(file.name, "line 1", f"the header must be {','.join(header)}")
        for line, row in enumerate(reader, start=2):
            if None in row or None in row.values():
                raise CatalogError(file.name, f"line {line}", f"must have {len(header)} values")
            yield line, row
