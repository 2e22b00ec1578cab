"""Checkpoints as signed notes: what an outsider needs to hold the log to its word. Pure.

The formats are public (c2sp.org: signed-note, tlog-checkpoint, tlog-cosignature), so that
tools which know nothing of the hub can check what it signed:

    demo.invalid/hub/main/sha256          origin: the log's name
    4711                                  records covered: 0 … 4710
    qJWaeBEGjcM5Y4ImPRYa2iGpSmeCn/I2…     root of their tree, base64

    — demo.invalid/hub/main/sha256 VhgwQi…   name, then base64 of key id and signature

A signature counts only under a key that was known before; lines of unknown keys say nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from audit import sm2
from audit.tree import HASH_BYTES

ED25519, COSIGNATURE = 0x01, 0x04  # signature types of c2sp.org/signed-note
NAMED = 0xFF  # a kind it does not list: a name for it stands before the key; SM2 is ours
SIGNATURES = 16  # a note with more is refused: every verifier takes as many
NOTE_BYTES = 64 * 1024
ID_BYTES, KEY_BYTES, STAMP_BYTES = 4, 32, 8

_MARK = "— "  # em dash and blank, in front of every signature
_NAME = re.compile(r"[^\s+]{1,200}\Z")
_SIZE = re.compile(r"(?:0|[1-9]\d{0,17})\Z", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class Fault(StrEnum):
    """Why a note cannot be taken."""

    MALFORMED = "MALFORMED"
    TOO_MANY_SIGNATURES = "TOO_MANY_SIGNATURES"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    UNKNOWN_SIGNATURE = "UNKNOWN_SIGNATURE"


class BadNote(ValueError):
    """A note, checkpoint or key that cannot be taken; `fault` says which kind of fault."""

    def __init__(self, fault: Fault, about: str) -> None:
        super().__init__(about)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree over the first `size` records of the log `origin`; `root` 32 bytes."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed: three lines, each with its newline."""
        return f"{self.origin}\n{self.size}\n{base64_of(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """From a note's text; further lines are somebody's extension and say nothing here."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not lines[0] or not _SIZE.match(lines[1]):
            raise BadNote(Fault.MALFORMED, "no checkpoint: origin, size and root are needed")
        root = bytes_of(lines[2])
        if len(root) != HASH_BYTES:
            raise BadNote(Fault.MALFORMED, "no checkpoint: its root has not 32 bytes")
        return cls(lines[0], int(lines[1]), root)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: key name, key id (4 bytes) and the signature's own bytes."""

    name: str
    key_id: bytes
    raw: bytes

    @property
    def line(self) -> str:
        """The line with its newline."""
        return f"{_MARK}{self.name} {base64_of(self.key_id + self.raw)}\n"

    @classmethod
    def parse(cls, line: str) -> Signature:
        """From a line without its newline."""
        name, _, encoded = line.removeprefix(_MARK).partition(" ")
        if not line.startswith(_MARK) or not _NAME.match(name):
            raise BadNote(Fault.MALFORMED, "a signature line has no name")
        raw = bytes_of(encoded)
        if len(raw) <= ID_BYTES:
            raise BadNote(Fault.MALFORMED, "a signature line has no signature")
        return cls(name, raw[:ID_BYTES], raw[ID_BYTES:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text and what was signed below it."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(one.line for one in self.signatures)

    @classmethod
    def parse(cls, note: str) -> Note:
        """BadNote for what is no note, or one with more than 16 signatures."""
        if len(note) > NOTE_BYTES or _CONTROL.search(note) or not note.endswith("\n"):
            raise BadNote(Fault.MALFORMED, "no note: too long, or not lines of text")
        text, gap, tail = note[:-1].rpartition("\n\n")
        if not gap:
            raise BadNote(Fault.MALFORMED, "no note: no empty line before the signatures")
        lines = tail.split("\n")
        if len(lines) > SIGNATURES:
            raise BadNote(Fault.TOO_MANY_SIGNATURES, f"more than {SIGNATURES} signatures")
        return cls(text + "\n", tuple(Signature.parse(line) for line in lines))

    def with_signatures(self, more: Iterable[Signature]) -> Note:
        """The same text, `more` signatures at the end; none twice."""
        return Note(self.text, tuple(dict.fromkeys((*self.signatures, *more))))


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under a name; `kind` ED25519 for a log, COSIGNATURE for a witness.

    NAMED is an extra of a log: `public` is ``gm/sm2-sm3/1`` and a point of SM2, 65 bytes.
    """

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise BadNote(Fault.MALFORMED, "a key's name has no blanks and no plus")
        plain = self.kind in (ED25519, COSIGNATURE) and len(self.public) == KEY_BYTES
        if not (plain or (self.kind == NAMED and _is_sm2(self.public))):
            raise BadNote(Fault.MALFORMED, "a key of an unknown kind")

    @property
    def key_id(self) -> bytes:
        """Four bytes that name the key in a signature line."""
        return sha256(self.name.encode() + b"\n" + bytes((self.kind,)) + self.public).digest()[
            :ID_BYTES
        ]

    @property
    def vkey(self) -> str:
        """``name+id+key`` as verifiers are given it."""
        return f"{self.name}+{self.key_id.hex()}+{base64_of(bytes((self.kind,)) + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """From `vkey`; BadNote if the id does not belong to the key."""
        name, _, rest = vkey.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        raw = bytes_of(encoded)
        key = cls(name, raw[0] if raw else 0, raw[1:])
        if key.key_id.hex() != key_id:
            raise BadNote(Fault.MALFORMED, "a key's id does not belong to it")
        return key

    def made(self, signature: Signature) -> bool:
        """Does the line name this key?"""
        return signature.name == self.name and signature.key_id == self.key_id

    def verifies(self, text: str, signature: Signature) -> bool:
        """Is it this key's signature of `text`? Sm2Error if openssl is needed and not there."""
        raw, signed = signature.raw, text.encode()
        if self.kind == NAMED:
            return sm2.verify(self.public[len(sm2.LONG_ID) :], signed, raw)
        if self.kind == COSIGNATURE:
            raw, signed = raw[STAMP_BYTES:], cosigned(text, stamp_of(signature))
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(raw, signed)
        except InvalidSignature:
            return False
        return True


class CheckpointSigner(Protocol):
    """Whoever signs checkpoints: a key file, another process, a certified device."""

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""

    def sign(self, text: str) -> Signature:
        """Sign a checkpoint's text."""


class Ed25519Signer:
    """Signs with a key of 32 bytes held in memory; shows nothing of it."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = VerifierKey(name, ED25519, self._key.public_key().public_bytes_raw())

    def sign(self, text: str) -> Signature:
        """An Ed25519 signature of the text itself."""
        return Signature(self.verifier.name, self.verifier.key_id, self._key.sign(text.encode()))


class Sm2Signer:
    """Signs by an external command that holds the key of `point` (`sm2.py`). Sm2Error."""

    def __init__(self, name: str, point: bytes, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self.verifier = VerifierKey(name, NAMED, sm2.LONG_ID + point)

    def sign(self, text: str) -> Signature:
        """An SM2 signature over SM3 of the text, DER."""
        raw = sm2.sign(self._command, text.encode())
        return Signature(self.verifier.name, self.verifier.key_id, raw)


class Cosigner:
    """A witness's key: signs a checkpoint together with the time at which it saw it."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = VerifierKey(name, COSIGNATURE, self._key.public_key().public_bytes_raw())

    def sign(self, text: str, seconds: int) -> Signature:
        """``cosignature/v1`` at `seconds` since 1970."""
        stamp = seconds.to_bytes(STAMP_BYTES, "big")
        raw = stamp + self._key.sign(cosigned(text, seconds))
        return Signature(self.verifier.name, self.verifier.key_id, raw)


def cosigned(text: str, seconds: int) -> bytes:
    """What a witness signs."""
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def stamp_of(signature: Signature) -> int:
    """When a witness signed, seconds since 1970; says nothing unless the signature holds."""
    return int.from_bytes(signature.raw[:STAMP_BYTES], "big")


def signed(checkpoint: Checkpoint, signers: Sequence[CheckpointSigner]) -> Note:
    """The checkpoint as a note with the signature of each signer."""
    return Note(checkpoint.text, tuple(one.sign(checkpoint.text) for one in signers))


def opened(note: Note, keys: Sequence[VerifierKey]) -> tuple[Checkpoint, tuple[Signature, ...]]:
    """The checkpoint of a note, and its signatures by `keys`, all of which hold.

    BadNote: BAD_SIGNATURE if a line names one of the keys and is not by it, UNKNOWN_SIGNATURE
    if no line names any. A key signs a note once: a second line in its name is BAD_SIGNATURE.
    """
    checkpoint, held = Checkpoint.parse(note.text), dict[VerifierKey, Signature]()
    for one in note.signatures:
        key = next((key for key in keys if key.made(one)), None)
        if key is None:
            continue
        if key in held or not key.verifies(note.text, one):
            raise BadNote(Fault.BAD_SIGNATURE, "a signature is not by the key it names")
        held[key] = one
    if not held:
        raise BadNote(Fault.UNKNOWN_SIGNATURE, "no signature by a known key")
    return checkpoint, tuple(held.values())


def _is_sm2(public: bytes) -> bool:
    return public[: -sm2.POINT_BYTES] == sm2.LONG_ID and public[len(sm2.LONG_ID)] == 0x04


def base64_of(raw: bytes) -> str:
    """Standard base64 (RFC 4648 section 4)."""
    return base64.b64encode(raw).decode()


def bytes_of(text: str) -> bytes:
    """From `base64_of`; BadNote for any other spelling.

    One spelling for each value, or a changed note could still be the same bytes.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadNote(Fault.MALFORMED, "no base64") from None
    if base64_of(raw) != text:
        raise BadNote(Fault.MALFORMED, "no canonical base64")
    return raw
