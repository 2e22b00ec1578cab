"""How sources spoil what they hold: id numbers and names, as often as 领域设计 2.7 says."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from adapters.identity import with_check_digit
from hub.demo.names import other_character
from hub.demo.people import Person

LOWER_X = 0.30  # of the numbers ending in X, in the two sources that do this
FIFTEEN = 0.015  # of the numbers of people born before 2000, in 住建
NAME_VARIANT = 0.008
BLANK_OR_APOSTROPHE = 0.003
WRONG_CHECK_DIGIT = 0.002
MISSING = 0.004
FUTURE_BIRTH = "20991231"  # no day of the past: DQ03
LAST_TWO_BYTE = 0xFFFF  # a source with three-byte characters loses what lies above


@dataclass(frozen=True, slots=True)
class Scribe:
    """Writes numbers and names the way one source does. Planted people are written cleanly,

    save for the one fault (`Person.dirt` = source, fault) they were planted for.
    """

    source: str
    rng: Random
    lower_x: bool = False
    fifteen: bool = False
    blanks: bool = False
    apostrophe: bool = False
    lossy: bool = False

    def number(self, person: Person, *, planted: bool = False) -> str | None:
        """The person's id number in the source's spelling, or what became of it."""
        if planted:
            return self._planted_number(person)
        draw = self.rng.random()
        if draw < MISSING:
            return None
        if draw < MISSING + WRONG_CHECK_DIGIT:
            return wrong_check_digit(person.number)
        return self._decorated(self._spelled(person), draw)

    def _planted_number(self, person: Person) -> str:
        fault = self._fault(person)
        if fault == "wrong_check_digit":
            return wrong_check_digit(person.number)
        if fault == "future_birth":
            return with_check_digit(person.number[:6] + FUTURE_BIRTH + person.number[14:17])
        return person.number.lower() if fault == "lower_x" else person.number

    def _spelled(self, person: Person) -> str:
        number = person.number
        if self.lower_x and number.endswith("X") and self.rng.random() < LOWER_X:
            return number.lower()
        if self.fifteen and person.birth.year < 2000 and self.rng.random() < FIFTEEN:
            return number[:6] + number[8:17]
        return number

    def _decorated(self, number: str, draw: float) -> str:
        from_here = MISSING + WRONG_CHECK_DIGIT
        if not self.blanks or draw >= from_here + BLANK_OR_APOSTROPHE:
            return number
        if self.apostrophe and draw < from_here + BLANK_OR_APOSTROPHE / 2:
            return "'" + number
        return number + "\u3000"

    def name(self, person: Person, *, planted: bool = False) -> str:
        """The person's name as the source writes it."""
        name = self._written(person, planted)
        if not self.lossy:
            return name
        return "".join("?" if ord(c) > LAST_TWO_BYTE else c for c in name)

    def _written(self, person: Person, planted: bool) -> str:
        if planted:
            return self._planted_name(person)
        if self.rng.random() >= NAME_VARIANT:
            return person.name
        if "·" in person.name:
            return person.name.replace("·", "•")
        if self.rng.random() < 0.5:
            return person.name[0] + "\u3000" + person.name[1:]
        return other_character(self.rng, person.name, person.male)

    def _planted_name(self, person: Person) -> str:
        fault = self._fault(person)
        if fault == "blank_in_name":
            return person.name[0] + "\u3000" + person.name[1:]
        if fault == "other_name":
            return other_character(Random(person.serial), person.name, person.male)  # noqa: S311
        return person.name

    def _fault(self, person: Person) -> str | None:
        if person.dirt is None or person.dirt[0] != self.source:
            return None
        return person.dirt[1]


def wrong_check_digit(number: str) -> str:
    """The number with a last character that cannot be right."""
    return number[:17] + ("0" if number[17] != "0" else "1")
