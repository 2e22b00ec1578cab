"""An outside issuer is named in words; none that could be forged on the way is taken."""

from __future__ import annotations

import pytest

from hub.identity.issuers import Issuer, is_safe

WHOLE = "iss=https://a.invalid jwks=https://a.invalid/jwks aud=x account=emp_no dept=mca"


def test_words_may_stand_in_any_order_and_are_given_back() -> None:
    made = Issuer.parse(" ".join(reversed(WHOLE.split())))
    assert made == Issuer("https://a.invalid", "https://a.invalid/jwks", "x", "emp_no", "mca")
    assert str(made) == WHOLE
    assert Issuer.parse(str(made)) == made


def test_what_is_usual_need_not_be_said() -> None:
    made = Issuer.parse("iss=a jwks=https://a.invalid")
    assert (made.aud, made.account, made.dept) == ("", "sub", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "iss=a",
        "jwks=https://a.invalid",
        "iss=a iss=b jwks=https://a.invalid",
        "iss= jwks=https://a.invalid",
        "iss=a jwks=https://a.invalid key=b",
        "iss=a jwks=https://a.invalid rubbish",
        "iss=a jwks=http://a.invalid",
        "iss=a jwks=https://user:word@a.invalid",
        "iss=a jwks=file:///etc/keys",
        "iss=a jwks=https://a.invalid account=a'b",
        "iss=a jwks=https://a.invalid dept=MCA",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no"):
        Issuer.parse(text)


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://sso.example.cn/keys?tenant=1", True),
        ("http://127.0.0.1:9/jwks", True),
        ("http://[::1]/jwks", True),
        ("http://localhost/jwks", True),
        ("http://127.0.0.1.example.cn/jwks", False),
        ("http://10.1.1.1/jwks", False),
        ("http://localhost@evil.invalid/", False),
        ("ftp://127.0.0.1/", False),
    ],
)
def test_plain_text_is_for_this_machine_alone(address: str, safe: bool) -> None:
    assert is_safe(address) is safe
