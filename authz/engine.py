"""The one file that says ``import casbin``; what leaves it is a bool.

Lines enter the model as lists, never as CSV text: the library's adapters join values by
comma, so that a comma inside a value would become a column.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import casbin

from authz.errors import ModelChanged
from authz.match import covers, held, one_of
from authz.post import Post

MODEL_FILE = Path(__file__).parent / "model.conf"
MODEL_DIGEST = "7775dd986bbdfad6af8ab3ae2761ecadca07a55223e1fde818f09238e9716e9d"
"""SHA-256 of model.conf: a changed matcher is a changed meaning of every line."""

# The library logs refusals at WARNING with the request's values.
logging.getLogger("casbin").setLevel(logging.ERROR)


def read_model(file: Path = MODEL_FILE) -> str:
    """The model's text; ModelChanged if it is not the reviewed one."""
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != MODEL_DIGEST:
        raise ModelChanged(f"{file.name}: digest differs: restore the file or review MODEL_DIGEST")
    return content.decode("utf-8")


class Judge:
    """Casbin over a fixed list of lines (nine text columns each, effect last)."""

    def __init__(self, lines: Sequence[tuple[str, ...]], model: str) -> None:
        loaded = casbin.Model()
        loaded.load_model_from_text(model)
        loaded.model["p"]["p"].policy = [list(line) for line in lines]
        self._enforcer = casbin.Enforcer(loaded)
        for function in (covers, one_of, held):
            self._enforcer.add_function(function.__name__, function)

    def allows(
        self,
        posts: tuple[Post, ...],
        obj: str,
        act: str,
        purpose: str,
        day: date,
        row: str,
        owner: str,
    ) -> bool:
        """One question: may these posts do `act` on a row at path `row` of `owner`?"""
        answer: object = self._enforcer.enforce(
            posts, obj, act, purpose, day.isoformat(), row, owner
        )
        return answer is True
