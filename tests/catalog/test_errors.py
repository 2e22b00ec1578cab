"""catalog/errors.py: what an error says of itself."""

from __future__ import annotations

import pytest

from catalog.errors import (
    LATER,
    BadUserInput,
    Forbidden,
    HubError,
    RateLimited,
    SourceUnavailable,
    Unauthenticated,
)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (Forbidden("x", reason="QUOTA"), True),
        (Forbidden("x", reason="STALE_POLICY"), True),
        (Unauthenticated("x", reason="ISSUER_DOWN"), True),
        (Forbidden("x", reason="NO_RULE"), False),
        (Forbidden("x"), False),
        (Unauthenticated("x", reason="TOKEN_EXPIRED"), False),
        (BadUserInput("x", reason="VARIABLE"), False),
        (RateLimited("x", reason="RATE"), True),
        (SourceUnavailable("x", reason="DOWN"), True),
        (SourceUnavailable("x", reason="QUOTA", retryable=False), False),  # tomorrow
    ],
)
def test_what_passes_by_itself_may_be_asked_again(error: HubError, retryable: bool) -> None:
    assert error.extensions()["retryable"] is retryable


def test_three_reasons_pass_by_themselves() -> None:
    assert sorted(LATER) == ["ISSUER_DOWN", "QUOTA", "STALE_POLICY"]
