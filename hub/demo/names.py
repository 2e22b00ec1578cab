"""Invented names: surnames as often as in China, given names from small pools.

Faker's zh_CN tables give the surnames with their percentages; its few given names are joined
by two-character names, so that 480,000 people do not share a hundred names. Some peoples'
surnames are raised (which ones: unverified).
"""

from __future__ import annotations

from itertools import accumulate
from random import Random

from faker.providers.person.zh_CN import Provider

MALE_POOL = "伟强磊军洋勇杰涛明超刚平辉鹏华飞鑫波斌宇浩凯健俊帆文志国建林永成东海云山春金福德"
FEMALE_POOL = "芳娜敏静丽艳娟霞秀玲桂兰英梅琴云莲珍红燕萍雪慧颖倩婷洁莹佳欣怡美凤翠香月花仙彩琼"
RARE = ("䶮", "㛃", "𣲗")  # the last needs four bytes: some systems lose it
FOREIGN = ("阿依", "买买提", "岩罗", "玉香", "尼玛", "卓玛", "艾山", "古丽")

RARE_SHARE = 0.02  # of names hold a middle dot or a rare character
ONE_CHARACTER = 0.15  # of given names
FROM_TABLE = 0.2  # of given names come from Faker's own lists
RAISED_SHARE = 0.45  # of these peoples bear one of their frequent surnames
RAISED = {"08": "黄韦农陆罗", "06": "熊陶杨李王", "03": "马纳沙", "07": "普李张"}

_SURNAMES = list(Provider.last_names)
_WEIGHTS = list(accumulate(Provider.last_names.values()))
_TABLE = {True: list(Provider.first_names_male), False: list(Provider.first_names_female)}
_POOL = {True: MALE_POOL, False: FEMALE_POOL}


def surname(rng: Random, ethnic: str) -> str:
    """A family's surname; `ethnic` is a GB/T 3304 code."""
    raised = RAISED.get(ethnic)
    if raised and rng.random() < RAISED_SHARE:
        return rng.choice(raised)
    return rng.choices(_SURNAMES, cum_weights=_WEIGHTS)[0]


def full_name(rng: Random, family: str, male: bool) -> str:
    """A whole name; one in fifty has a middle dot or a rare character."""
    if rng.random() < RARE_SHARE:
        return _rare(rng, family, male)
    return family + _given(rng, male)


def other_character(rng: Random, name: str, male: bool) -> str:
    """The name with another last character, as a clerk mishears it."""
    return name[:-1] + rng.choice([c for c in _POOL[male] if c != name[-1]])


def _given(rng: Random, male: bool) -> str:
    draw = rng.random()
    if draw < FROM_TABLE:
        return rng.choice(_TABLE[male])
    pool = _POOL[male]
    if draw < FROM_TABLE + ONE_CHARACTER:
        return rng.choice(pool)
    return rng.choice(pool) + rng.choice(pool)


def _rare(rng: Random, family: str, male: bool) -> str:
    if rng.random() < 0.5:
        return f"{rng.choice(FOREIGN)}·{rng.choice(_POOL[male])}{rng.choice(_POOL[male])}"
    return family + rng.choice(_POOL[male]) + rng.choice(RARE)
