"""Under which keys a checkpoint counts: a list that was given, or the hub's own key file.

A list has lines ``vkey since until``. `checkpoint.keys` holds the secret halves: a line
``since seed`` a key, and each signs along for seven days after its successor has begun.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from audit.note import Ed25519Signer
from audit.verify.evidence import BadEvidence, DatedKey, dated_keys

FILE = "checkpoint.keys"
ALONG = timedelta(days=7)  # days with both signatures


def known_keys(keys_dir: Path, log: str, listed: Path | None) -> tuple[DatedKey, ...]:
    """From the list `listed`, else from the key file of `log`; none if there is neither.

    BadEvidence.
    """
    try:
        if listed is not None:
            return dated_keys(listed.read_text(encoding="utf-8").splitlines())
        file = keys_dir / FILE
        return _own(file.read_text(encoding="ascii"), log) if file.is_file() else ()
    except (OSError, UnicodeDecodeError) as error:
        raise BadEvidence(type(error).__name__) from None


def _own(text: str, name: str) -> tuple[DatedKey, ...]:
    try:
        pairs = sorted(line.split() for line in text.splitlines() if line.strip())
        found = [(date.fromisoformat(day), bytes.fromhex(seed)) for day, seed in pairs]
        keys = [(since, Ed25519Signer(name, seed).verifier) for since, seed in found]
    except ValueError:
        raise BadEvidence(FILE) from None
    ends = [since + ALONG - timedelta(days=1) for since, _ in keys[1:]] + [None]
    return tuple(
        DatedKey(key, since, until) for (since, key), until in zip(keys, ends, strict=True)
    )
