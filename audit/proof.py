"""Proofs that stand by themselves: ``c2sp.org/tlog-proof@v1``. Pure.

    c2sp.org/tlog-proof@v1
    index 4711                       place of the record in the log
    qJWaeBEGjcM5Y4ImPRYa2iGpSme…     sibling hashes, the nearest first, base64
    …
                                     an empty line, then the checkpoint as it was signed
    demo.invalid/hub/main/sha256
    …

With the leaf hash of a receipt it shows that this record is what the log's key signed for:
no hub, no database, no network.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audit.note import NOTE_BYTES, Checkpoint, Note, VerifierKey, opened
from audit.suite import suite_in
from audit.tree import HASH_BYTES, verify_inclusion

HEADER = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63

_INDEX = re.compile(r"index (0|[1-9][0-9]{0,17})\Z")
_LEAF = re.compile(r"[0-9a-f]{64}\Z")


class BadProof(ValueError):
    """A text that is no proof, or no receipt. Says what is missing, never a value."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Record `index` lies in the tree of the checkpoint; `extra` is whatever the log adds."""

    index: int
    hashes: tuple[bytes, ...]
    note: Note
    extra: bytes = b""

    def __str__(self) -> str:
        lines = [HEADER]
        if self.extra:
            lines.append(f"extra {_base64(self.extra)}")
        lines += [f"index {self.index}", *map(_base64, self.hashes), "", str(self.note)]
        return "\n".join(lines)

    @classmethod
    def parse(cls, text: str) -> Proof:
        """BadProof; BadNote for the checkpoint in it."""
        if len(text) > 2 * NOTE_BYTES:
            raise BadProof("too long")
        above, gap, note = text.partition("\n\n")
        header, *lines = above.split("\n")
        if header != HEADER or not gap or not lines:
            raise BadProof("no tlog-proof: its first line, the index or the checkpoint is missing")
        extra = b""
        if lines[0].startswith("extra "):
            extra = _decoded(lines.pop(0).removeprefix("extra "))
        found = _INDEX.match(lines[0]) if lines else None
        hashes = tuple(map(_decoded, lines[1:]))
        if found is None or len(hashes) > MOST_HASHES:
            raise BadProof("no tlog-proof: no index, or too many hashes")
        if any(len(one) != HASH_BYTES for one in hashes):
            raise BadProof("no tlog-proof: a hash has not 32 bytes")
        return cls(int(found[1]), hashes, Note.parse(note), extra)

    def checkpoint(self, leaf: bytes, keys: Sequence[VerifierKey]) -> Checkpoint | None:
        """The signed checkpoint that `leaf` leads to; None if it does not. BadNote."""
        signed, _ = opened(self.note, keys)
        led = verify_inclusion(
            leaf, self.index, signed.size, self.hashes, signed.root, suite_in(signed.origin)
        )
        return signed if led else None


@dataclass(frozen=True, slots=True)
class Kept:
    """A receipt as a client kept it."""

    idx: int
    leaf: bytes
    log: str

    @classmethod
    def parse(cls, told: Any) -> Kept:
        """From ``{idx, leaf, log}`` or an answer that holds ``extensions.audit``. BadProof."""
        try:
            if "extensions" in told:
                told = told["extensions"]["audit"]
            idx, leaf, log = told["idx"], told["leaf"], told["log"]
        except (KeyError, TypeError):
            raise BadProof("no receipt: idx, leaf and log are needed") from None
        if type(idx) is not int or not isinstance(log, str) or not isinstance(leaf, str):
            raise BadProof("no receipt: idx, leaf or log is of another kind")
        if idx < 0 or not _LEAF.match(leaf):
            raise BadProof("no receipt: the leaf is no hash")
        return cls(idx, bytes.fromhex(leaf), log)

    def proved(self, proof: Proof, keys: Sequence[VerifierKey]) -> Checkpoint | None:
        """The checkpoint that covers this very record; None if the proof is another's. BadNote."""
        signed = proof.checkpoint(self.leaf, keys)
        same = signed is not None and (proof.index, signed.origin) == (self.idx, self.log)
        return signed if same else None


def lines_of(hashes: Sequence[bytes]) -> str:
    """Hashes as lines of base64, each with its newline."""
    return "".join(f"{_base64(one)}\n" for one in hashes)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadProof("no base64") from None
    if _base64(raw) != text:
        raise BadProof("no canonical base64")
    return raw
