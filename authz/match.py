"""The functions Casbin's matcher calls: pure, and every answer is a bool.

A row is touched only by prefix tests on its region path and by equality with departments;
cell probing (book.py) is exact for this reason alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from authz.post import Post


def covers(pattern: str, obj: str) -> bool:
    """``Citizen.identity`` covers itself; ``Citizen.*`` every group, ``@minor`` too."""
    if pattern.endswith(".*"):
        return obj.startswith(pattern[:-1])
    return pattern != "" and pattern == obj


def one_of(words: str, word: str) -> bool:
    """``*``, ``a|b`` or ``!a|b``. An empty value never matches, not even ``*``."""
    if words == "" or word == "":
        return False
    if words == "*":
        return True
    if words.startswith("!"):
        return word not in words[1:].split("|")
    return word in words.split("|")


def reaches(reach: str, base: str, row: str) -> bool:
    """Does a line's reach, seen from a post's base, hold the row's region path?

    An explicit path is absolute: it is not cut with the base.
    """
    if "" in (reach, base, row):
        return False
    if reach == "county":
        return True
    if reach == "here":
        return row == base
    return row.startswith(base if reach == "subtree" else reach)


def owns(own: str, dept: str, owner: str) -> bool:
    """`own` is ``any``, ``self`` (the post's own department) or a ``one_of`` list."""
    if owner == "":
        return False
    if own == "any":
        return True
    return owner == dept if own == "self" else one_of(own, owner)


def fits(post: Post, role: str, dept: str) -> bool:
    """Does a post fall under a line's role and department?"""
    return (role == "*" or role in post.roles) and one_of(dept, post.dept)


def held(
    posts: Iterable[Post], role: str, dept: str, reach: str, own: str, row: str, owner: str
) -> bool:
    """True if one and the same post fits role, department, reach and owner."""
    return any(
        fits(post, role, dept) and reaches(reach, post.base, row) and owns(own, post.dept, owner)
        for post in posts
    )
