"""Which key signs on which day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from audit.keyring import Published, SigningKey, SigningKeys, day_of, line_of

LOG = "demo.invalid/hub/test/sha256"
A, B = SigningKey(date(2026, 1, 1), bytes(32)), SigningKey(date(2026, 7, 1), bytes(range(32)))
RING = SigningKeys.parse([line_of(A), "", line_of(B)])


def _on(day: date) -> list[SigningKey]:
    by = {key.signer(LOG).verifier: key for key in (A, B)}
    return [by[signer.verifier] for signer in RING.signers(LOG, day)]


def test_a_key_begins_on_its_day_and_its_predecessor_signs_along_for_seven_days() -> None:
    assert _on(date(2025, 12, 31)) == []
    assert _on(date(2026, 6, 30)) == [A]
    both = [day for day in (B.since + timedelta(n) for n in range(30)) if _on(day) == [B, A]]
    assert both == [date(2026, 7, n) for n in range(1, 8)]
    assert _on(date(2026, 7, 8)) == [B]


def test_the_public_list_has_first_and_last_days() -> None:
    first, second = RING.published(LOG)
    assert first == Published(A.signer(LOG).verifier, A.since, date(2026, 7, 7))
    assert str(first) == f"{A.signer(LOG).verifier.vkey} 2026-01-01 2026-07-07"
    assert str(second) == f"{B.signer(LOG).verifier.vkey} 2026-07-01 -"


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["2026-01-01"],
        ["2026-01-01 abcd"],
        [f"20260101 {'ab' * 32}"],
        [f"1 {'ab' * 32}"],
        [line_of(B), line_of(A)],
        [line_of(A), line_of(A)],
    ],
)
def test_what_is_no_ring_is_refused(lines: list[str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        SigningKeys.parse(lines)


def test_days_are_the_countys() -> None:
    assert day_of(1_767_196_799_000_000) == date(2025, 12, 31)  # 15:59:59 UTC
    assert day_of(1_767_196_800_000_000) == date(2026, 1, 1)


def test_a_seed_is_not_shown() -> None:
    assert "00" * 32 not in repr(RING)
    assert repr(bytes(32)) not in repr(RING)
    assert repr(bytes(32)) not in repr(A)
