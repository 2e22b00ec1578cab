"""hub/registering.py: what tools write, and that the text is hashed to the last blank."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.registering import MAX_BYTES, Given, Unfit, is_client, read_file
from store.documents import sha256_of

TEXT = "query A { viewer { account } }"


def read(folder: Path, name: str, content: bytes) -> list[Given]:
    file = folder / name
    file.write_bytes(content)
    return read_file(file)


def test_a_file_is_its_text_line_ends_and_all(tmp_path: Path) -> None:
    for ends in ("", "\n", "\r\n", "  \n"):
        (found,) = read(tmp_path, "a.graphql", f"{TEXT}{ends}".encode())
        assert found == Given(f"{TEXT}{ends}", "", "a.graphql")


@pytest.mark.parametrize(
    ("content", "alias"),
    [
        ({"d0c": TEXT}, "d0c"),
        ({sha256_of(TEXT): TEXT}, sha256_of(TEXT)),
        ({f"sha256:{sha256_of(TEXT)}": TEXT}, ""),
        (
            {
                "format": "apollo-persisted-query-manifest",
                "version": 1,
                "operations": [{"id": "d0c", "name": "A", "type": "query", "body": TEXT}],
            },
            "d0c",
        ),
    ],
)
def test_each_tools_manifest_is_read(tmp_path: Path, content: Any, alias: str) -> None:
    (found,) = read(tmp_path, "a.json", json.dumps(content).encode())
    assert (found.text, found.alias) == (TEXT, alias)


@pytest.mark.parametrize(
    "content", [b"\xff", b'{"operations": []}', b'{"operations": [{"id": 1, "body": "x"}]}', b"1"]
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Unfit):
        read(tmp_path, "a.json", content)


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="超过 8 MiB"):
        read(tmp_path, "a.graphql", b" " * (MAX_BYTES + 1))


def test_a_client_is_what_the_record_takes() -> None:
    assert all(map(is_client, ("web", "mca.assist-2", "a" * 40)))
    assert not any(map(is_client, ("", "Web", "a b", "a" * 41, "应用")))
