"""Other names for our headers, the legal basis, another system's message id."""

from __future__ import annotations

import pytest

from catalog.errors import BadRequest
from hub.edge.declared import basis, message, plain

RING = {1: b"k" * 32}
KNOWN = ("MEASURES_ART_4", "PIPL_ART_13")


def test_x_roads_names_mean_ours() -> None:
    given = {b"x-road-issue": b"SQ20260001", b"x-road-userid": b"u-1", b"accept": b"*/*"}
    assert plain(given) == given | {b"x-case-no": b"SQ20260001", b"x-end-user": b"u-1"}
    without = {b"accept": b"*/*"}
    assert plain(without) is without


def test_two_names_may_say_the_same_and_not_two_things() -> None:
    same = {b"x-road-issue": b"SQ1", b"x-case-no": b"SQ1"}
    assert plain(same) == same
    with pytest.raises(BadRequest) as caught:
        plain({b"x-road-issue": b"SQ1", b"x-case-no": b"SQ2"})
    assert caught.value.reason == "HEADER"
    assert "SQ" not in caught.value.message


def test_a_registered_basis_stands_for_the_purposes_own() -> None:
    assert basis({}, KNOWN, "MEASURES_ART_4") == "MEASURES_ART_4"
    assert basis({b"x-legal-basis": b" PIPL_ART_13 "}, KNOWN, "MEASURES_ART_4") == "PIPL_ART_13"


@pytest.mark.parametrize("given", [b"", b"pipl_art_13", b"539922197704129912", b"\xff"])
def test_any_other_text_is_refused_and_not_said_again(given: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        basis({b"x-legal-basis": given}, KNOWN, "MEASURES_ART_4")
    assert caught.value.reason == "HEADER"
    assert "5399" not in caught.value.message


def test_a_message_id_is_told_by_a_keyed_digest() -> None:
    given = {b"x-road-id": b"3aad090d-6b2c-4b0f-9a51-5d24c0e5a9b1"}
    told = message(given, RING)
    assert len(told) == 64
    assert told == message(given, RING) != message(given, {1: b"o" * 32})
    assert message({}, RING) == ""


@pytest.mark.parametrize(
    "given", [b"", b"short", b"a" * 129, b"two words", b"\xe5\xbc\xa0\xe4\xb8\x89"]
)
def test_an_id_that_is_a_text_is_refused(given: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        message({b"x-road-id": given}, RING)
    assert caught.value.reason == "HEADER"
