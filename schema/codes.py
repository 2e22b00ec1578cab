"""Enumerations: every code table of the catalogue with its Chinese labels."""

from __future__ import annotations

from enum import Enum
from typing import Any

import strawberry

from catalog.load import Catalog


def codes(catalog: Catalog) -> dict[str, Any]:
    """Strawberry enums by GraphQL name; a value's stored text is its name."""
    return {name: _enum(catalog, name) for name in catalog.codes}


def _enum(catalog: Catalog, name: str) -> Any:
    labels = catalog.codes[name]
    values = {
        code: strawberry.enum_value(code, description=label) for code, label in labels.items()
    }
    made = Enum(name, values)  # type: ignore[misc]  # members come from codes.toml
    return strawberry.enum(made, name=name, description=catalog.code_titles[name])
