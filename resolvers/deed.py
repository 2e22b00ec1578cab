"""What a mutation is to the road: a deed with its arguments, done once, and what came of it.

The Plan of its payload is made before the deed, so that nothing is done whose answer could not
be given, and run after it, so that nobody is shown a row he may not see because he changed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from authz.gate import Gate


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a deed: the payload's type, keys of rows by field, plain values by field.

    `changed`: it is committed. Else nothing was changed, and the payload says why (a business
    refusal). `again`: it had been done before under the same key. `policy`: the version of the
    policy that it made, if it changed rights.
    """

    kind: str
    rows: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    changed: bool = True
    again: bool = False
    policy: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the record says of a deed: codes and numbers, never a text or a person's value.

    `about` the object's number, `subject` the ``citizen_uid`` of whom it is about, `region` where
    it lies, `before` and `after` its states, `changed` the names of its changed columns.
    """

    command: str
    about: str
    region: str
    before: str = ""
    after: str = ""
    changed: tuple[str, ...] = ()
    subject: str | None = None


class Record(Protocol):
    """Writes the record of a deed in the transaction of the deed, last of all."""

    async def __call__(self, connection: Any, told: Told, policy: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Writing:
    """What a request brings beside its question so that it may change something.

    `key`: under which the deed is done once, the asker's own (``Idempotency-Key``) or the
    request's; `record` writes who did it.
    """

    key: str
    record: Record


class Commands(Protocol):
    """Does deeds. HubError if it may not or cannot be done: then nothing was changed."""

    async def do(
        self, name: str, arguments: Mapping[str, Any], gate: Gate, writing: Writing
    ) -> Done: ...
