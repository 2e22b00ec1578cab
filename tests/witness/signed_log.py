"""A log in memory that signs checkpoints and proves them: the one side of a witness's talk."""

from __future__ import annotations

from dataclasses import dataclass, field

from audit.note import Checkpoint, Ed25519Signer, Note, signed
from audit.tree import consistency, leaf, root_of
from audit.witness import Submission

ORIGIN = "demo.invalid/hub/test/sha256"
SEED = bytes(range(32))


@dataclass
class SignedLog:
    """Leaves by their number; `fork` of them from some number on are others."""

    origin: str = ORIGIN
    seed: bytes = SEED
    leaves: list[bytes] = field(default_factory=list)

    @property
    def signer(self) -> Ed25519Signer:
        return Ed25519Signer(self.origin, self.seed)

    @property
    def vkey(self) -> str:
        return self.signer.verifier.vkey

    def grow(self, size: int, salt: str = "") -> SignedLog:
        """Until it has `size` leaves."""
        for number in range(len(self.leaves), size):
            self.leaves.append(leaf(f"{salt}{number}".encode()))
        return self

    def forked(self, at: int, size: int) -> SignedLog:
        """Another log under the same key: the same beginning, then other leaves."""
        return SignedLog(self.origin, self.seed, self.leaves[:at]).grow(size, "other ")

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(self.origin, size, root_of(self.leaves[:size]))

    def note(self, size: int) -> Note:
        return signed(self.checkpoint(size), [self.signer])

    def submission(self, old: int, size: int) -> Submission:
        """As an honest log sends it."""
        proof = consistency(self.leaves[:size], old) if old <= size else []
        return Submission(old, tuple(proof), self.note(size))

    def body(self, old: int, size: int) -> bytes:
        return str(self.submission(old, size)).encode()
