"""公示: what may hang in a village for everybody to read, and nothing else (领域设计 1.13).

A notice carries name, village, item, result, where to object and until when. It never carries an
id number, a telephone number of a person, a bank account or an illness: there is no field for
them, and free texts are searched. A text in which something is found is refused with a list of
what and where, never with the value; nothing is blotted out, since what is left of a sentence may
still say it.

Numbers are found as people and other systems write them:

    width (NFKC) → every sign of a number 0-9, also 一 … 九, 〇, 壹 … → what is neither letter nor
    digit is passed over (blanks, line breaks, hyphens, zero-width) → runs of digits

An id number has 15, 18, 20 or 22 characters, G before it or X behind it (GB 11643, GB/T 2261; the
forms of `adapters/identity.py`), a mobile 11, a bank account 12 to 19. Every run of seven digits
or more is refused, whatever it is, but for an amount with its fen (``20000.00``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property

from catalog.items import FlowKind
from domain.case import has_notice

LONGEST = 200  # characters of a result: a sentence, not a story
NAME_LONGEST = 30  # characters; the longest names of the register have a dozen and a middle dot
OPEN_DIGITS = 6  # a run of so many is a sum of money, a share, a month; seven are a telephone
ID_LENGTHS = frozenset({15, 17, 18, 20, 22})  # 17: before an X
MOBILE, ACCOUNT = 11, frozenset(range(12, 20))
_AMOUNT = re.compile(r"(?:[0-9]{1,6}|[0-9]{1,3},[0-9]{3})\.[0-9]{1,2}\Z")
_DOTS = frozenset("·•")  # within a name
_OFFICE_PHONE = re.compile(r"[0-9]{3,10}\Z")
"""Without an area code: it hangs in the county. Eleven digits would be somebody's mobile."""
_ICD = re.compile(r"(?<![A-Z0-9])[A-Z][0-9]{2}(?:\.[0-9]{1,2})?(?![0-9])")
_DIGITS = range(10)
_ENDS = frozenset({"Lu", "Ll", "Lt", "Lo"})
"""Categories of letters, which end a run of digits; modifier letters look like hyphens."""


class Fault(StrEnum):
    """What is wrong with a text."""

    ID_NUMBER = "ID_NUMBER"
    PHONE = "PHONE"
    BANK_ACCOUNT = "BANK_ACCOUNT"
    NUMBER = "NUMBER"
    ILLNESS = "ILLNESS"
    NAME = "NAME"
    PLACE = "PLACE"
    ITEM = "ITEM"
    TEXT = "TEXT"
    CONTACT = "CONTACT"
    PERIOD = "PERIOD"
    EMPTY = "EMPTY"


@dataclass(frozen=True, slots=True)
class Finding:
    """Where and what; `digits` of the number that was found. Never the text itself.

    `entry` counts from 1; 0 is the notice itself.
    """

    fault: Fault
    field: str
    entry: int = 0
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: who, where from, for what (`item` a code), and what was found or decided."""

    name: str
    village: str
    item: str
    result: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A notice as somebody would like it; `since` and `until` are its first and last day."""

    entries: tuple[Entry, ...]
    office: str
    phone: str
    since: date
    until: date


@dataclass(frozen=True)
class Rules:
    """What a notice is checked against: the words of the catalogue, passed in.

    `villages` the official names, `items` code -> flow kind, `illnesses` words nobody may read.
    """

    villages: Collection[str]
    items: Mapping[str, FlowKind]
    illnesses: Collection[str]

    @cached_property
    def _plain(self) -> tuple[str, ...]:
        return tuple(map(_letters, self.illnesses))

    def ill(self, text: str) -> bool:
        """Does it name an illness, whatever stands between the characters?"""
        plain = _letters(text)
        return any(word in plain for word in self._plain) or _icd(text)


@dataclass(frozen=True, slots=True)
class Notice:
    """A draft in which nothing was found; `checked` alone makes one."""

    entries: tuple[Entry, ...]
    office: str
    phone: str
    since: date
    until: date


def checked(draft: Draft, rules: Rules) -> Notice | tuple[Finding, ...]:
    """The notice, or everything that is wrong with the draft, in its order."""
    findings = tuple(_findings(draft, rules))
    if findings:
        return findings
    return Notice(draft.entries, draft.office, draft.phone, draft.since, draft.until)


def _findings(draft: Draft, rules: Rules) -> Iterator[Finding]:
    if not draft.entries:
        yield Finding(Fault.EMPTY, "entries")
    if draft.until <= draft.since:
        yield Finding(Fault.PERIOD, "until")
    for number, entry in enumerate(draft.entries, start=1):
        yield from _of_entry(entry, number, rules)
    yield from _of_text("office", draft.office, 0, rules)
    if not _OFFICE_PHONE.match(draft.phone):
        yield Finding(Fault.CONTACT, "phone")


def _of_entry(entry: Entry, number: int, rules: Rules) -> Iterator[Finding]:
    if not _is_name(entry.name):
        yield Finding(Fault.NAME, "name", number)
    yield from _of_text("name", entry.name, number, rules, shape=False)
    if entry.village not in rules.villages:
        yield Finding(Fault.PLACE, "village", number)
    flow = rules.items.get(entry.item)
    if flow is None or not has_notice(flow):
        yield Finding(Fault.ITEM, "item", number)
    yield from _of_text("result", entry.result, number, rules)


def _of_text(
    name: str, text: str, number: int, rules: Rules, *, shape: bool = True
) -> Iterator[Finding]:
    if shape and (not text.strip() or len(text) > LONGEST or not text.isprintable()):
        yield Finding(Fault.TEXT, name, number)
    for digits, written in _runs(text):
        if digits > OPEN_DIGITS and not _AMOUNT.match(written):
            yield Finding(_kind(digits), name, number, digits)
    if rules.ill(text):
        yield Finding(Fault.ILLNESS, name, number)


def _is_name(text: str) -> bool:
    """Letters, with dots between them."""
    fits = all(character.isalpha() or character in _DOTS for character in text)
    return fits and 0 < len(text) <= NAME_LONGEST


def _kind(digits: int) -> Fault:
    if digits in ID_LENGTHS:
        return Fault.ID_NUMBER
    if digits <= MOBILE:
        return Fault.PHONE
    return Fault.BANK_ACCOUNT if digits in ACCOUNT else Fault.NUMBER


# ---- how a text is read --------------------------------------------------------------------------


def _runs(text: str) -> Iterator[tuple[int, str]]:
    """How many digits stand together, and how they are written, over all that is no letter."""
    plain = unicodedata.normalize("NFKC", text)
    count, first, last = 0, 0, 0
    for at, character in enumerate(plain):
        if _is_digit(character):
            first = first if count else at
            count, last = count + 1, at
        elif count and unicodedata.category(character) in _ENDS:
            yield count, plain[first : last + 1]
            count = 0
    if count:
        yield count, plain[first : last + 1]


def _is_digit(character: str) -> bool:
    """A sign of one of the numbers 0 to 9, in whatever script: 7, ７, ٧, 七, 柒, 〧."""
    return unicodedata.numeric(character, -1.0) in _DIGITS


def _letters(text: str) -> str:
    """Letters and digits alone, alike in width and case."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in plain if character.isalnum())


def _icd(text: str) -> bool:
    """A code of ICD-10, as ``I10`` or ``E11.9``."""
    return _ICD.search(unicodedata.normalize("NFKC", text).upper()) is not None
