"""Only a token our issuer signed, for us, that has not expired, says who asks."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from catalog.errors import PurposeRequired, Unauthenticated
from catalog.load import load
from hub.identity.tokens import CACHED, SKEW_S, Claims, Tokens, bearer, purpose
from store.accounts import Holder

ISSUER, AUDIENCE = "https://demo.invalid", "data-sharing-hub"
KEY = ECKey.generate_key("P-256", private=True)
NOW = 1_800_000_000


class Clock:
    def __init__(self) -> None:
        self.at: float = NOW

    def __call__(self) -> float:
        return self.at


def tokens(key: ECKey = KEY, clock: Clock | None = None, **other: str) -> Tokens:
    named = {"issuer": ISSUER, "audience": AUDIENCE} | other
    return Tokens(key, **named, clock=clock or Clock())


def claims(**over: Any) -> dict[str, Any]:
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "zhelai-town-01",
        "client_id": "hub-demo",
        "purposes": ["aid.review"],
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 600,
        "jti": "1",
    } | over


def signed(body: dict[str, Any], key: Any = KEY, **header: Any) -> str:
    head = {"alg": "ES256", "typ": "at+jwt"} | header
    head = {name: value for name, value in head.items() if value is not None}
    registry = JWSRegistry(algorithms=[head["alg"]], strict_check_header=False)
    return jwt.encode(head, body, key, registry=registry, default_type=None)


GOOD = signed(claims())


def b64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def reason_of(token: str, **more: Any) -> str | None:
    with pytest.raises(Unauthenticated) as caught:
        tokens(**more).verify(token)
    assert caught.value.status == 401
    assert "zhelai" not in caught.value.message
    return caught.value.reason


def test_an_issued_token_says_who_asks_and_for_what() -> None:
    clock = Clock()
    ours = tokens(clock=clock)
    token = ours.issue("zhelai-town-01", ["aid.review", "aid.verify"], ttl_s=60)
    found = ours.verify(token)
    assert found == Claims(
        "zhelai-town-01",
        ("aid.review", "aid.verify"),
        "hub-demo",
        NOW + 60,
        found.jti,
        iat=NOW,
        epoch=0,
    )
    assert ours.verify(token) is found


def test_two_tokens_of_one_account_are_two() -> None:
    ours = tokens()
    assert ours.verify(ours.issue("a", [])).jti != ours.verify(ours.issue("a", [])).jti


def test_a_token_signed_as_the_standard_says_is_taken() -> None:
    assert tokens().verify(signed(claims())).sub == "zhelai-town-01"
    assert tokens().verify(signed(claims(aud=["x", AUDIENCE]))).exp == NOW + 600
    assert tokens().verify(signed(claims(), typ="application/at+jwt")).client == "hub-demo"


def test_a_public_key_verifies_and_does_not_issue() -> None:
    public = ECKey.import_key(KEY.as_dict(private=False))
    assert tokens(public).verify(tokens().issue("a", ["self"])).sub == "a"
    with pytest.raises(ValueError, match="private key"):
        tokens(public).issue("a", ["self"])


def test_expired_is_said_apart_and_clocks_may_differ_by_a_minute() -> None:
    token = signed(claims(exp=NOW - 59))
    assert tokens().verify(token).sub == "zhelai-town-01"
    assert reason_of(signed(claims(exp=NOW - 60))) == "TOKEN_EXPIRED"


def test_a_cached_token_expires_all_the_same() -> None:
    clock = Clock()
    ours = tokens(clock=clock)
    token = ours.issue("a", ["self"], ttl_s=600)
    clock.at += 659
    assert ours.verify(token).sub == "a"
    clock.at += 1
    with pytest.raises(Unauthenticated) as caught:
        ours.verify(token)
    assert caught.value.reason == "TOKEN_EXPIRED"


@pytest.mark.parametrize(
    "body",
    [
        claims(iss="https://other.invalid"),
        claims(aud="other"),
        claims(aud=[]),
        claims(sub=""),
        claims(sub=7),
        claims(nbf=NOW + 61),
        claims(iat=NOW + 61),
        claims(exp="2030-01-01"),
        claims(exp=True),
        claims(purposes="aid.review"),
        claims(purposes=[1]),
        claims(client_id=["x"]),
        *({k: v for k, v in claims().items() if k != gone} for gone in ("iss", "aud", "sub")),
        *({k: v for k, v in claims().items() if k != gone} for gone in ("exp", "iat", "jti")),
    ],
)
def test_wrong_or_missing_claims_make_it_invalid(body: dict[str, Any]) -> None:
    assert reason_of(signed(body)) == "TOKEN_INVALID"


def test_a_token_of_another_key_is_forged() -> None:
    stranger = ECKey.generate_key("P-256", private=True)
    assert reason_of(signed(claims(), stranger)) == "TOKEN_INVALID"
    assert reason_of(signed(claims(), stranger, kid=KEY.thumbprint())) == "TOKEN_INVALID"


def test_what_a_token_is_bound_to_is_read_or_it_is_refused() -> None:
    assert tokens().verify(signed(claims(cnf={"x5t#S256": "abc"}))).certificate == "abc"
    assert tokens().verify(signed(claims())).certificate is None
    wrong: Any
    for wrong in ({"jkt": "x"}, {"x5t#S256": "x", "jkt": "x"}, {"x5t#S256": 7}, {}, "x", []):
        assert reason_of(signed(claims(cnf=wrong))) == "TOKEN_INVALID"


def test_an_epoch_is_a_number_and_only_our_word_makes_a_machine() -> None:
    ours = tokens()
    found = ours.verify(ours.issue("a", ["sync"], client="app", epoch=3, machine=True))
    assert (found.epoch, found.machine, found.client) == (3, True, "app")
    assert ours.verify(ours.issue("a", ["sync"])).machine is False
    for wrong in ("3", 3.0, True, [3]):
        assert reason_of(signed(claims(epoch=wrong))) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    ("epoch", "iat", "void"),
    [
        (2, NOW - 9_000, False),  # its epoch is the account's: when it was issued is no matter
        (1, NOW + 9_000, True),
        (3, NOW, True),
        (None, NOW - 1, True),
        (None, NOW + SKEW_S, True),
        (None, NOW + SKEW_S + 1, False),
    ],
)
def test_void_is_told_by_epoch_else_by_when_it_was_issued(
    epoch: int | None, iat: int, void: bool
) -> None:
    held = Claims("a", (), "c", NOW, "1", iat=iat, epoch=epoch)
    assert held.void(Holder("official", False, epoch=2, epoch_at=NOW, dept="mca")) is void


def test_before_the_first_epoch_nothing_is_void_and_a_department_names_its_own() -> None:
    holder = Holder("official", False, dept="mca")
    assert not Claims("a", (), "c", NOW, "1").void(holder)
    assert not Claims("a", (), "c", NOW, "1", dept="mca").void(holder)
    assert Claims("a", (), "c", NOW, "1", dept="edu").void(holder)


def test_one_changed_claim_breaks_the_signature() -> None:
    head, _, signature = signed(claims()).split(".")
    assert reason_of(f"{head}.{b64(claims(sub='office-01'))}.{signature}") == "TOKEN_INVALID"


def test_the_algorithm_is_the_keys_never_the_tokens() -> None:
    unsigned = b64({"alg": "none", "typ": "at+jwt"}) + "." + b64(claims()) + "."
    assert reason_of(unsigned) == "TOKEN_INVALID"
    # The classic: the public key's own text as the secret of an HMAC.
    signing = b64({"alg": "HS256", "typ": "at+jwt"}) + "." + b64(claims())
    mac = hmac.digest(KEY.as_pem(private=False), signing.encode(), "sha256")
    forged = base64.urlsafe_b64encode(mac).decode().rstrip("=")
    assert reason_of(f"{signing}.{forged}") == "TOKEN_INVALID"
    rsa = RSAKey.generate_key(2048, private=True)
    assert reason_of(signed(claims(), rsa, alg="RS256")) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "header",
    [
        {"typ": None},
        {"typ": "JWT"},
        {"typ": 1},
        {"kid": "other"},
        {"jku": "https://evil.invalid/jwks"},
        {"x5u": "https://evil.invalid/x5u"},
        {"jwk": KEY.as_dict(private=False)},
        {"crit": ["exp"], "exp": 1},
    ],
)
def test_a_header_that_brings_its_own_key_or_demand_is_refused(header: dict[str, Any]) -> None:
    # Signed by the right key: the header alone is what is wrong.
    head = {"alg": "ES256", "typ": "at+jwt"} | header
    signing = b64({k: v for k, v in head.items() if v is not None}) + "." + b64(claims())
    signature = sign(signing)
    assert reason_of(f"{signing}.{signature}") == "TOKEN_INVALID"
    plain = b64({"alg": "ES256", "typ": "at+jwt"}) + "." + b64(claims())
    assert tokens().verify(f"{plain}.{sign(plain)}").sub == "zhelai-town-01"


def sign(text: str) -> str:
    signature = JWSRegistry.algorithms["ES256"].sign(text.encode(), KEY)
    return base64.urlsafe_b64encode(signature).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b", "a.b.c", "..", "e30.e30.e30", "é.é.é", "\ud800", "[" * 5_000, "a" * 9_000],
)
def test_what_is_no_token_is_invalid(token: str) -> None:
    assert reason_of(token) == "TOKEN_INVALID"


@given(place=st.floats(0, 1, exclude_max=True), cut=st.integers(0, 6), put=st.text(max_size=6))
@settings(max_examples=1_000, deadline=None)
def test_no_mutation_of_a_token_of_ours_is_taken(place: float, cut: int, put: str) -> None:
    at = int(place * len(GOOD))
    mutated = GOOD[:at] + put + GOOD[at + cut :]
    try:
        found = tokens().verify(mutated)
    except Unauthenticated:
        return
    assert found.sub == "zhelai-town-01"
    assert decoded(mutated) == decoded(GOOD)  # another spelling of the very same bytes


def decoded(token: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + "==") for part in token.split(".")]


def test_a_payload_that_is_no_object_is_invalid() -> None:
    signing = b64({"alg": "ES256", "typ": "at+jwt"}) + "." + b64([1])
    assert reason_of(f"{signing}.{sign(signing)}") == "TOKEN_INVALID"


def test_refused_tokens_do_not_fill_the_cache() -> None:
    ours = tokens()
    for number in range(3):
        with pytest.raises(Unauthenticated):
            ours.verify(f"x{number}")
    assert len(ours._known) == 0
    assert ours._known.maxsize == CACHED


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, "TOKEN_MISSING"),
        ("  ", "TOKEN_MISSING"),
        ("Basic eDp5", "TOKEN_INVALID"),
        ("Bearer", "TOKEN_INVALID"),
        ("Bearer   ", "TOKEN_INVALID"),
    ],
)
def test_without_a_bearer_token_nobody_asks(header: str | None, found: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        bearer(header)
    assert caught.value.reason == found


def test_the_scheme_may_be_written_in_any_case() -> None:
    assert bearer("bearer abc") == bearer("Bearer  abc ") == "abc"


def declared(header: str | None, *purposes: str) -> str:
    held = Claims("a", purposes, "hub-demo", NOW, "1")
    headers = {} if header is None else {"x-purpose": header}
    return purpose(headers, held, load().purposes)


def refused(header: str | None, *purposes: str) -> PurposeRequired:
    with pytest.raises(PurposeRequired) as caught:
        declared(header, *purposes)
    assert caught.value.status == 403
    return caught.value


def test_a_purpose_the_token_may_declare_is_taken() -> None:
    assert declared("aid.verify", "aid.review", "aid.verify") == "aid.verify"


def test_the_only_purpose_of_a_token_needs_no_header() -> None:
    assert declared(None, "aid.review") == "aid.review"
    assert declared("", "aid.review") == "aid.review"


def test_of_several_purposes_one_must_be_chosen() -> None:
    error = refused(None, "aid.review", "aid.verify")
    assert (error.reason, error.message) == (
        "MISSING",
        "请在 X-Purpose 头中说明用途；可用用途：aid.review、aid.verify",
    )
    assert refused(None).reason == "MISSING"


@pytest.mark.parametrize("header", ["report", "aid.review,aid.verify", "AID.REVIEW", "no.such"])
def test_a_purpose_beyond_the_token_is_unknown(header: str) -> None:
    assert refused(header, "aid.review", "aid.verify").reason == "UNKNOWN"


def test_a_purpose_the_catalogue_does_not_know_is_unknown_though_the_token_says_it() -> None:
    assert refused("my.purpose", "my.purpose").reason == "UNKNOWN"
    assert refused(None, "my.purpose").reason == "MISSING"


def test_a_header_that_is_no_code_is_not_repeated() -> None:
    assert "539922" not in refused("539922199001011234", "aid.review").message
    assert "`report`" in refused("report", "aid.review").message
