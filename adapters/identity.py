"""公民身份号码 (GB 11643): many spellings, one person, one key (领域设计 2.5).

`canonical` undoes what sources do to a number, always in the same order:

    width (NFKC) → blanks, quotes, zero-width → capitals → G + 18 → 18 → 20/22 → 15 → 18
    → check digit → birth date not after today

It never guesses: what cannot be read has a DQ code and no number. An area code nobody
issued is no error (prefix 5399 of invented persons is one).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from stdnum.iso7064 import mod_11_2

from catalog.states import DQCode, MatchGrade

KEY_VERSION = 1  # of the county key: a changed key must not mix with old uids
UID_HEX = 32  # 128 bits of the HMAC: no two of 480,000 persons meet
SYNTHETIC_PREFIX = "5399"  # no prefecture since 1980, never issued (领域设计 2.7)
COUNTY_ZONE = ZoneInfo("Asia/Shanghai")  # a birth date is a day of this zone

_NOISE = re.compile("[\\s'\"`‘’“”′\u200b-\u200f\u2060\ufeff]+")
_SCIENTIFIC = re.compile(r"[0-9](\.[0-9]+)?E\+?[0-9]+\Z")
_ID18 = re.compile(r"[0-9]{17}[0-9X]\Z")
_ID15 = re.compile(r"[0-9]{15}\Z")
_DISABILITY = re.compile(r"[0-9]{17}[0-9X]([1-7][1-4]|[0-9A-Z]{4})\Z")
_DOTS = re.compile("[·•・‧∙⋅●.]")
_BLANKS = re.compile("[\\s\u200b-\u200f\u2060\ufeff]+")


@dataclass(frozen=True, slots=True)
class Canonical:
    """`id18` is a valid number or None; `dq` says why there is none (empty if upstream masks)."""

    id18: str | None
    dq: tuple[DQCode, ...] = ()


def canonical(text: str | None, *, today: date | None = None) -> Canonical:
    """The 18-character number a source means by `text`; `today` is a Shanghai date.

    A number the source itself masked (``*``) has neither number nor fault.
    """
    plain = _stripped(text or "")
    if not plain:
        return Canonical(None, (DQCode.DQ05,))
    if "*" in plain:
        return Canonical(None)
    if _SCIENTIFIC.match(plain):
        return Canonical(None, (DQCode.DQ04,))
    id18 = _eighteen(plain)
    if id18 is None:
        return Canonical(None, (DQCode.DQ01,))
    fault = _fault(id18, today or datetime.now(COUNTY_ZONE).date())
    return Canonical(None, (fault,)) if fault else Canonical(id18)


def _stripped(text: str) -> str:
    return _NOISE.sub("", unicodedata.normalize("NFKC", text)).upper()


def _eighteen(plain: str) -> str | None:
    number = plain[1:] if plain.startswith("G") and len(plain) == 19 else plain
    if len(number) == 18:
        return number
    if _DISABILITY.match(number):
        return number[:18]
    if _ID15.match(number):
        # 15 digits ended in 1999: the century can only be 19.
        return with_check_digit(number[:6] + "19" + number[6:])
    return None


def _fault(id18: str, today: date) -> DQCode | None:
    if not _ID18.match(id18) or not mod_11_2.is_valid(id18):
        return DQCode.DQ02
    birth = _date(id18[6:14])
    return DQCode.DQ03 if birth is None or birth > today else None


def _date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def with_check_digit(first17: str) -> str:
    """17 digits with their ISO 7064 MOD 11-2 character (GB 11643)."""
    return first17 + str(mod_11_2.calc_check_digit(first17))


def birth_of(id18: str) -> date:
    """The birth date a canonical number carries; ValueError if it carries none."""
    birth = _date(id18[6:14])
    if birth is None:
        raise ValueError("the number carries no birth date")
    return birth


def spellings(id18: str, formats: Sequence[str]) -> tuple[str, ...]:
    """Every text a source with these key formats (`KEY_FORMATS`) may hold for one person.

    Each of them has `id18` as its canonical form.
    """
    bare = list(_bare(id18, formats))
    found = dict.fromkeys(bare)
    for text in bare:
        found.update(dict.fromkeys(_decorated(text, formats)))
    if "disability20" in formats:
        found.update(dict.fromkeys(_disability(id18)))
    return tuple(found)


def _bare(id18: str, formats: Sequence[str]) -> Iterator[str]:
    cases = [id18]
    if "lower_x" in formats and id18.endswith("X"):
        cases.append(id18.lower())
    if {"id18", "lower_x", "apostrophe", "padded"} & set(formats):
        yield from cases
    if "g18" in formats:
        yield from ("G" + case for case in cases)
    if "id15" in formats and id18[6:8] == "19":
        yield id18[:6] + id18[8:17]


def _decorated(text: str, formats: Sequence[str]) -> Iterator[str]:
    if "apostrophe" in formats:
        yield "'" + text
    if "padded" in formats:
        yield from (text + " ", text + "\u3000", " " + text)


def _disability(id18: str) -> Iterator[str]:
    yield from (f"{id18}{kind}{grade}" for kind in range(1, 8) for grade in range(1, 5))


def citizen_uid(key: bytes, id18: str) -> str:
    """The hub's key of a person: ``1-`` + 32 hex digits of HMAC-SHA-256 under the county key.

    Without the key it does not lead back to the number, which may stand in no log or URL.
    """
    return _uid(key, id18)


def local_uid(key: bytes, source: str, local_id: str) -> str:
    """The key of a row without a valid number: its own source's number, never joined."""
    return _uid(key, f"local\0{source}\0{local_id}")


def _uid(key: bytes, message: str) -> str:
    digest = hmac.new(key, message.encode(), hashlib.sha256).hexdigest()
    return f"{KEY_VERSION}-{digest[:UID_HEX]}"


def grade(name_register: str, name_source: str | None) -> MatchGrade:
    """How sure a row found by id number is this person's: M1, M2 (same but for writing), M3."""
    if not name_source:
        return MatchGrade.M3
    if name_register == name_source:
        return MatchGrade.M1
    same = _plain_name(name_register) == _plain_name(name_source)
    return MatchGrade.M2 if same else MatchGrade.M3


def _plain_name(name: str) -> str:
    return _DOTS.sub("·", _BLANKS.sub("", unicodedata.normalize("NFKC", name)))


def is_synthetic(id18: str) -> bool:
    """True for the number of an invented person (prefix 5399)."""
    return id18.startswith(SYNTHETIC_PREFIX)
