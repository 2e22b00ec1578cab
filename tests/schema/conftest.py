"""The schema, built once."""

from __future__ import annotations

import pytest

from catalog.load import load
from resolvers.binding import Bindings
from schema.build import build


@pytest.fixture(scope="session")
def built() -> Bindings:
    return build(load())
