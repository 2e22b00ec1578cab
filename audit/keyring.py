"""The keys that sign checkpoints, by the days on which they do. Pure.

A key signs from its day on. When a later key begins, its predecessor signs along for seven
more days, so that who verifies with the old key has time to learn of the new one:

    key A  ───────────────────────┐ last day: B's first + 6
    key B              ┌──────────┴───────────
                       B's first day           days of Asia/Shanghai
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone

from audit.note import Ed25519Signer, VerifierKey

SEED_BYTES = 32
ALONG = timedelta(days=7)  # days with both signatures
SHANGHAI = timezone(timedelta(hours=8))  # no summer time since 1991


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 seed and the day from which it signs."""

    since: date
    seed: bytes = field(repr=False)

    def signer(self, log_id: str) -> Ed25519Signer:
        """It signs in the name of the log."""
        return Ed25519Signer(log_id, self.seed)


@dataclass(frozen=True, slots=True)
class Published:
    """What verifiers are given: the key and its first and last day; None while in use."""

    key: VerifierKey
    since: date
    until: date | None

    def __str__(self) -> str:
        return f"{self.key.vkey} {self.since} {self.until or '-'}"


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """In the order of their first days; at least one."""

    keys: tuple[SigningKey, ...] = field(repr=False)

    @classmethod
    def parse(cls, lines: Iterable[str]) -> SigningKeys:
        """From lines ``since-day seed-hex``; ValueError if a line or their order is wrong."""
        keys = tuple(_parsed(line) for line in lines if line.strip())
        days = [key.since for key in keys]
        if not keys or days != sorted(set(days)):
            raise ValueError("keys begin one after the other")
        return cls(keys)

    def signers(self, log_id: str, day: date) -> Sequence[Ed25519Signer]:
        """Who signs on `day`, the newest first; empty before the first key's day."""
        spans = zip(self.keys, self._lasts(), strict=True)
        now = [key for key, last in spans if key.since <= day and (last is None or day <= last)]
        return [key.signer(log_id) for key in reversed(now)]

    def published(self, log_id: str) -> Sequence[Published]:
        """All keys under the name of the log, the oldest first."""
        spans = zip(self.keys, self._lasts(), strict=True)
        return [Published(key.signer(log_id).verifier, key.since, last) for key, last in spans]

    def _lasts(self) -> list[date | None]:
        """Each key's last day."""
        return [later.since + ALONG - timedelta(days=1) for later in self.keys[1:]] + [None]


def line_of(key: SigningKey) -> str:
    """The key file's line, with its newline."""
    return f"{key.since} {key.seed.hex()}\n"


def day_of(us: int) -> date:
    """The day in the county of a time in µs UTC."""
    return datetime.fromtimestamp(us / 1_000_000, UTC).astimezone(SHANGHAI).date()


def _parsed(line: str) -> SigningKey:
    day, _, seed = line.strip().partition(" ")
    key = SigningKey(date.fromisoformat(day), bytes.fromhex(seed))
    if len(key.seed) != SEED_BYTES or len(day) != len("2022-01-01"):
        raise ValueError("a seed has 32 bytes, a day is written YYYY-MM-DD")
    return key
