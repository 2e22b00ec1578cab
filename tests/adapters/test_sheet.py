"""adapters/drops/sheet.py: character sets, title rows, merged headers, typed cells."""

from __future__ import annotations

import base64
import io
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.drops.delivery import Manifest, Refused
from adapters.drops.sheet import rows_of
from catalog.datasets import Decode, Layout

PLAIN = {"姓名": Decode.PLAIN, "身份证号": Decode.PLAIN}
FLAT = Layout()
OLD_BOOK = """
eNrtWE1IVFEU/u6bN844zOhoGjiBDUJWpuCMhc3CmQrUVYOlYYVQ2gwR5mhDi2yTZbOKogiEwo1giwisNv3/uWsRGM0iCAqn
cNUqKGrh+Dr3vPdoNAMHSph43+Oee+4595z7c+7Pe+/1TNnsxF1fBksQhg0LWjGKcmSCUrFZ8IL0miZZM3dS0iwUFIqdFMgi
Ox57XjlkDGW8M1BwR50mCnyk1IMhRAcTcf8qYhf3oVfIPrQQFRgnSQmquFflTI8wXcP0Ntd8wnQHSy4ybaG6s+IgZiLRuu3G
Kt6v1LCuBNLvfbZ5x5IAKvFSruIzl4Ve146dyWO9xwtMUa26MQkKaHs8EU/KciluwAUMExoGBhpisVlUULAn8U3zA1/NXf3C
b8lXVy5A8h+L5Y4/yJ0UxKXyq4oKjEA7zJskBTfCqtQowtO1r3Me3XIZcLJD+E6d6HneKRVUOX3A06VC3LqUjU5f+N5JbGt8
fGwuvv4oKR9Fh+I2iLaxK1E0lgPbmkKhYDAQam5u3BoIhkKBoEveBnx6eBedHh7eVW6iMZQyX8Z7y0vdn7/55c3uvo7IIZaM
8I2h3ysb5DCg4ay0IOMS1tiYSk0dW2xheo69rmPex7SCBkd5bUelwbSNcp3zrK2ldpoY6cjGHH4T8anPex5Upz5FNhM/1Z45
XTH1NjKBGrrnYmQvn1HUi3px/ZrEw4iZC+MMes+06rfzyKl4jb5rxuVZiqzcgYQyps9ojsCzIx8bW4hlLARbSKqXzPnUSwrb
miUblVSjdWUZXwr7shv19djImD3l0ShEP6SlxyDP/ZzRuh6JsFKOe9IBna+/4IIFCxYsWLBgwYKFQoJ8v1OMN22VPxL0t3iH
8V8nS2nB+k3y32IvBuk5SR+VrUhQnsRwXutnLezC9CVWaGP+L5ToptaT6Ecf96M/7/VL3y0idzwrNvT+vS2Ub/sL+fTzH7f/
E3PS5uM=
"""
"""A workbook of 1997's format, packed: a title, 姓名, 身份证号, 故障日期, 人数, and one row."""


def _rows(
    content: bytes, columns: dict[str, Decode], layout: Layout = FLAT, **said: Any
) -> list[tuple[str | None, ...]]:
    told: dict[str, Any] = {"file": "a.csv", "rows": 1, "encoding": "utf-8"} | said
    manifest = Manifest(
        "a", "t", told["file"], "", datetime.now(UTC), told["rows"], told["encoding"]
    )
    return list(rows_of(content, manifest, columns, layout))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("name", ["陆云", "䶮㛃", "𣲗·买买提"])
def test_a_list_reads_the_same_in_every_character_set(
    encoding: str, name: str, lines: Callable[..., bytes]
) -> None:
    content = lines([("姓名", "身份证号"), (name, "539922197704129912")], encoding)
    if encoding == "utf-8-sig":
        assert content.startswith(b"\xef\xbb\xbf")
    if encoding == "gb18030" and name.startswith("𣲗"):
        assert len("𣲗".encode(encoding)) == 4
    assert _rows(content, PLAIN, encoding=encoding) == [(name, "539922197704129912")]


def test_a_mark_nobody_spoke_of_is_no_part_of_the_first_column(lines: Callable[..., bytes]) -> None:
    content = lines([("姓名", "身份证号"), ("陆云", "1")], "utf-8-sig")
    assert _rows(content, PLAIN, encoding="utf-8") == [("陆云", "1")]


def test_the_line_of_a_bad_byte_is_told(lines: Callable[..., bytes]) -> None:
    content = lines([("姓名", "身份证号"), ("陆云", "1"), ("农海", "2")])
    # Some names are UTF-8 by chance: 韦山 in GB18030 is two Greek letters' bytes. This one is not.
    broken = content.replace("农海".encode(), "农海".encode("gb18030"))
    with pytest.raises(Refused) as refused:
        _rows(broken, PLAIN)
    assert (refused.value.reason, refused.value.line) == ("CHARSET", 3)


def test_blanks_at_the_ends_go_unless_the_data_set_keeps_them(lines: Callable[..., bytes]) -> None:
    content = lines([("姓名\u3000", "身份证号"), ("陆 云\u3000 ", "\u3000"), ("", "")])
    assert _rows(content, PLAIN) == [("陆 云", None)]
    assert _rows(content, PLAIN, Layout(trim=False)) == [("陆 云\u3000 ", "\u3000")]


def test_only_columns_of_the_catalogue_are_kept(lines: Callable[..., bytes]) -> None:
    content = lines([("备注", "身份证号", "姓名", ""), ("病重", "1", "陆云", "")])
    assert _rows(content, PLAIN) == [("陆云", "1")]


def test_a_cell_behind_the_last_column_is_refused_by_its_place(
    lines: Callable[..., bytes],
) -> None:
    content = lines([("姓名", "身份证号"), ("陆云", "1", "", "韦山")])
    with pytest.raises(Refused) as refused:
        _rows(content, PLAIN)
    assert str(refused.value) == "a.csv 第 2 行 列“4”：在最后一列之后还有内容"


def test_titles_above_and_a_merged_header_are_read(
    workbook: Callable[..., bytes], tmp_path: Path
) -> None:
    rows = [
        ("砚山县在校生名册", None, None, None),
        ("学籍号", "监护人1", None, "班级"),
        (None, "姓名", "电话", None),
        ("L1", "陆山\u3000", 12000000000, "1班"),
    ]
    content = workbook(rows, tmp_path, ("A1:D1", "A2:A3", "B2:C2", "D2:D3"))
    columns = dict.fromkeys(("学籍号", "监护人1姓名", "监护人1电话", "班级"), Decode.PLAIN)
    layout = Layout(header_row=3, header_rows=2)
    found = _rows(content, columns, layout, file="a.xlsx", encoding=None)
    assert found == [("L1", "陆山", "12000000000", "1班")]


def test_a_cell_that_is_a_date_or_a_number_is_written_as_its_column_is_declared(
    workbook: Callable[..., bytes], tmp_path: Path
) -> None:
    columns = {
        "故障日期": Decode.EXCEL_SERIAL,
        "修复日期": Decode.EXCEL_SERIAL,
        "出生日期": Decode.YYYYMMDD,
        "月份": Decode.YYYYMM,
        "登记日期": Decode.PLAIN,
        "人数": Decode.PLAIN,
        "金额": Decode.AMOUNT,
        "证件号码": Decode.PLAIN,
    }
    day = ("day", 46327)
    row = (day, 46327, day, day, day, 12.0, 12.5, 539922197704129912)
    content = workbook([tuple(columns), row], tmp_path)
    found = _rows(content, columns, file="a.xlsx", encoding=None)
    assert found == [
        (
            "46327",
            "46327",
            "20261101",
            "202611",
            "2026-11-01",
            "12",
            "12.5",
            "5.399221977041299e+17",
        )
    ]


def test_a_workbook_of_the_old_format_reads_like_a_new_one() -> None:
    content = zlib.decompress(base64.b64decode(OLD_BOOK))
    assert content.startswith(b"\xd0\xcf\x11\xe0")
    columns = PLAIN | {"故障日期": Decode.EXCEL_SERIAL, "人数": Decode.PLAIN}
    found = _rows(content, columns, Layout(header_row=2), file="a.xls", encoding=None)
    assert found == [("陆云", "539922197704129912", "46327", "12")]


def test_a_named_sheet_is_taken_and_a_missing_one_refused(
    workbook: Callable[..., bytes], tmp_path: Path
) -> None:
    content = workbook([("姓名", "身份证号"), ("陆云", "1")], tmp_path)
    assert _rows(content, PLAIN, Layout(sheet="名单"), file="a.xlsx") == [("陆云", "1")]
    with pytest.raises(Refused, match="没有工作表“别的”"):
        _rows(content, PLAIN, Layout(sheet="别的"), file="a.xlsx")


def test_half_a_workbook_is_refused(workbook: Callable[..., bytes], tmp_path: Path) -> None:
    content = workbook([("姓名", "身份证号"), ("陆云", "1")], tmp_path)
    with pytest.raises(Refused) as refused:
        _rows(content[: len(content) // 2], PLAIN, file="a.xlsx")
    assert refused.value.reason == "UNREADABLE"


def test_a_workbook_that_claims_the_whole_sheet_is_refused_and_the_loader_lives(
    workbook: Callable[..., bytes], tmp_path: Path
) -> None:
    small = workbook([("姓名", "身份证号"), ("陆云", "1")], tmp_path)
    file = tmp_path / "bomb.xlsx"
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    with zipfile.ZipFile(io.BytesIO(small)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"</sheetData>", far))
    assert file.stat().st_size < 5_000
    with pytest.raises(Refused) as refused:
        _rows(file.read_bytes(), PLAIN, file="a.xlsx")
    assert refused.value.reason == "UNREADABLE"
    assert _rows(small, PLAIN, file="a.xlsx") == [("陆云", "1")]


def test_a_header_beyond_the_file_is_refused(lines: Callable[..., bytes]) -> None:
    with pytest.raises(Refused, match="没有第 3 行"):
        _rows(lines([("姓名", "身份证号")]), PLAIN, Layout(header_row=3))
