"""Keys are made once, kept to their owner, and never made in production."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from hub.keys import KeysError, load_keys, source_keys

FILES = ["audit.keys", "checkpoint.keys", "cursor.keys", "identity.key", "issuer.pem"]


def refused(folder: Path) -> str:
    with pytest.raises(KeysError) as caught:
        load_keys(folder, create=False)
    return str(caught.value)


def write(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)


def test_a_demo_makes_its_keys_once(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "keys"
    first, second = load_keys(folder, create=True), load_keys(folder, create=False)
    assert sorted(file.name for file in folder.iterdir()) == FILES
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert first.identity == second.identity
    assert (first.audit, first.cursor) == (second.audit, second.cursor)
    assert first.issuer.thumbprint() == second.issuer.thumbprint()
    assert [len(first.identity), len(first.audit[1]), len(first.cursor[1])] == [32, 32, 64]


def test_two_demos_have_different_keys(tmp_path: Path) -> None:
    one, other = (load_keys(tmp_path / name, create=True) for name in "ab")
    assert one.identity != other.identity
    assert one.issuer.thumbprint() != other.issuer.thumbprint()


def test_hubs_that_start_at_once_agree_on_their_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load_keys(tmp_path, create=True).identity, range(8)))
    assert len(set(found)) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == FILES


@pytest.mark.parametrize("name", FILES)
def test_production_refuses_a_missing_key_and_makes_none(tmp_path: Path, name: str) -> None:
    load_keys(tmp_path, create=True)
    (tmp_path / name).unlink()
    assert refused(tmp_path).endswith("不存在：正式环境须由管理员放入")
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", FILES)
def test_a_key_others_can_read_is_refused(tmp_path: Path, name: str) -> None:
    load_keys(tmp_path, create=True)
    (tmp_path / name).chmod(0o640)
    assert f"请执行 chmod 600 {tmp_path / name}" in refused(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("identity.key", "beef"),
        ("identity.key", "no hex" * 10),
        ("audit.keys", ""),
        ("audit.keys", "1 beef\n"),
        ("audit.keys", f"0 {'ab' * 32}\n"),
        ("audit.keys", f"x {'ab' * 32}\n"),
        ("cursor.keys", f"1 {'ab' * 64}\n1 {'cd' * 64}\n"),
        ("cursor.keys", f"256 {'ab' * 64}\n"),
        ("issuer.pem", "no key"),
    ],
)
def test_an_unfit_key_is_one_line_without_its_content(tmp_path: Path, name: str, text: str) -> None:
    load_keys(tmp_path, create=True)
    write(tmp_path / name, text)
    line = refused(tmp_path)
    assert line.startswith(f"密钥文件 {name} ")
    assert "beef" not in line
    assert "abab" not in line


def test_a_key_of_another_curve_is_refused(tmp_path: Path) -> None:
    load_keys(tmp_path, create=True)
    pem = ECKey.generate_key("P-384", private=True).as_pem(private=True)
    write(tmp_path / "issuer.pem", pem.decode())
    assert "P-256" in refused(tmp_path)


def test_production_may_hold_the_issuers_public_key_alone(tmp_path: Path) -> None:
    made = load_keys(tmp_path, create=True)
    write(tmp_path / "issuer.pem", made.issuer.as_pem(private=False).decode())
    assert load_keys(tmp_path, create=False).issuer.is_private is False


def test_a_ring_holds_several_keys(tmp_path: Path) -> None:
    load_keys(tmp_path, create=True)
    write(tmp_path / "audit.keys", f"1 {'ab' * 32}\n2 {'cd' * 32}\n")
    assert dict(load_keys(tmp_path, create=False).audit) == {1: b"\xab" * 32, 2: b"\xcd" * 32}


def test_keys_show_nothing_of_themselves(tmp_path: Path) -> None:
    assert repr(load_keys(tmp_path, create=True)) == "Keys()"


def test_each_source_may_have_a_file_of_its_own(tmp_path: Path) -> None:
    load_keys(tmp_path, create=True)
    assert source_keys(tmp_path) == {}
    (tmp_path / "sources").mkdir()
    write(tmp_path / "sources" / "rs_jiuye", "hub:geheim\n")
    write(tmp_path / "sources" / "wfgz", "口令\n")
    assert source_keys(tmp_path) == {"rs_jiuye": "hub:geheim", "wfgz": "口令"}


def test_a_sources_secret_that_others_may_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "sources" / "wfgz"
    file.parent.mkdir()
    write(file, "\n")
    with pytest.raises(KeysError, match="为空") as caught:
        source_keys(tmp_path)
    write(file, "geheim")
    file.chmod(0o640)
    with pytest.raises(KeysError, match="可被他人读取") as caught:
        source_keys(tmp_path)
    assert "geheim" not in str(caught.value)
