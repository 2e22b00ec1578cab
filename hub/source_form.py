"""The form of a new source: a catalogue file with its blanks, commented for who fills it in.

What the department already has in the catalogue (authorisation object, place in the answer) is
filled in; what is blank, the loader names one by one, with file and key.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from catalog.datasets import KEY_FORMATS, ROOM, Decode, FieldType, Kind, RegionKind
from catalog.errors import Readable
from catalog.grades import Mask, Sensitivity, UpdateCycle
from catalog.load import Catalog
from catalog.states import CodeScheme


class NoForm(Readable):
    """One Chinese line: why no file was written."""


def write(folder: Path, catalog: Catalog, name: str, kind: Kind, dept: str) -> Path:
    """The file just written. NoForm for a name that is taken, a department nobody knows."""
    if dept not in catalog.departments:
        raise NoForm(f"没有部门 `{dept}`：请写 {' '.join(catalog.departments)} 之一")
    if name in catalog.sources:
        raise NoForm(f"数据源 `{name}` 已在目录中：请换一个名称")
    file = folder / f"{name}.toml"
    try:
        folder.mkdir(exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:  # never over somebody's work
            opened.write(form(catalog, name, kind, dept))
    except FileExistsError:
        raise NoForm(f"文件 {file} 已存在：未改动") from None
    except OSError:
        raise NoForm(f"文件 {file} 无法写入：请检查目录与权限") from None
    return file


def form(catalog: Catalog, name: str, kind: Kind, dept: str) -> str:
    """The text of the file."""
    department = catalog.departments[dept]
    objects = [o.name for o in catalog.objects.values() if o.provider == dept]
    citizens = [o for o in objects if o.startswith("Citizen.")]
    container = next(
        (c for c, sets in catalog.facets("Citizen").items() if sets[0].provider == dept), ""
    )
    return FORM.format(
        name=name,
        dept=dept,
        office=department.title,
        kind=kind,
        schemes=_words(CodeScheme),
        more=MORE[kind],
        table=TABLE[kind],
        object=citizens[0] if citizens else "",
        objects="、".join(objects) or "catalog/objects.toml 中尚无，须先经评审增加",
        room=ROOM,
        bases=" ".join(catalog.legal_bases),
        cycles=_words(UpdateCycle),
        formats=" ".join(KEY_FORMATS),
        regions=_words(RegionKind),
        container=container,
        types=_words(FieldType),
        grades=_words(Sensitivity),
        masks=_words(Mask),
        decodes=_words(Decode),
    )


def _words(kind: type[StrEnum]) -> str:
    return " ".join(kind)


REST = """\
# 接口怎样问、怎样答；例为国家接口风格，按该系统的接口说明改写
[source.rest]
# 接口路径，接在 sources 的地址之后；$table 处换为数据集的 table
path = "/fsi/api"
# 应答自己的代码在哪里、哪个值是成功：HTTP 200 不等于成功
success = { field = "infcode", value = "0" }
# 行在哪里，总数在哪里（没有总数就删去 total），逐层以点相连
rows = "output.list"
total = "output.total"
# 一次至多问几个证件号码，一页几行
batch = 100
page_size = 100
# 报文。空位：$table $keys（列表）$keys_text（逗号相连）$page $offset $size，$key（此时 batch = 1）
body = { infno = "$table", input = { certnos = "$keys", pageNum = "$page", pageSize = "$size" } }
# 凭证：none、header（密钥）、token（换取令牌）、signature（签名）；密钥本身写在设置 source_keys
credential = { kind = "header", header = "appKey" }
"""
GRAPHQL = """\
# 子图怎样问；例为一人一个实体的联邦子图，按该系统的接口定义改写
[source.graphql]
# 接口路径，接在 sources 的地址之后
path = "/graphql"
# entities 按联邦的 _entities 查询；query 另写根字段 field 与收证件号码列表的参数 argument
by = "entities"
# 人员的类型与其证件号码字段，即各数据集 key 的列
type = "Resident"
key = "idCard"
# 一次至多问几人
batch = 100
# 每次调用都带的请求头，如与该部门约定的用途；没有就删去此行
headers = { X-Purpose = "aid.review" }
# 凭证：none、header（密钥）、token（换取令牌）、signature（签名）；密钥本身写在设置 source_keys
credential = { kind = "header", header = "Authorization", prefix = "Bearer " }
# 数据集的 table = 实体的字段，逐层以点相连；行就是实体本身时写 "."
[source.graphql.fields]
chronic_record = "chronicRecords"
"""
MORE: Mapping[Kind, str] = {
    Kind.SQL: "",
    Kind.REST: REST,
    Kind.GRAPHQL: GRAPHQL,
    Kind.FILES: "",
}
TABLE: Mapping[Kind, str] = {
    Kind.SQL: "部门库中的表或视图",
    Kind.REST: "接口编号，填入 $table",
    Kind.GRAPHQL: "source.graphql.fields 中的一个名称",
    Kind.FILES: "表名，送达清单中的 table；表头不在首行时另写 file = { header_row = 3 }",
}
ADDRESS: Mapping[Kind, str] = {
    Kind.SQL: "postgresql+asyncpg://只读账号:密码@主机/库",
    Kind.REST: "http://主机:端口",
    Kind.GRAPHQL: "http://主机:端口",
    Kind.FILES: "files:///送达目录",
}
"""Kind -> what its settings line looks like; a kind without one has no form."""

FORM = """\
# {office}的数据源。空着的（""）逐项填写，读取是严格的：写错时报出文件、键与改法。
# 填好后运行：hub source check {name} --as 账号
[source]
name = "{name}"
# 系统名称，如：残疾人两项补贴台账
title = ""
department = "{dept}"
kind = "{kind}"
# 区划代码是谁的：{schemes}
code_scheme = "NBS_STAT"
# 部门许可的访问量，没有限制就不写：同时 room（缺省 {room}）、每秒 rate、每日 quota 次
# rate = 5
# quota = 5000
{more}
# 一个数据集即一类行；再有一类，整段照写
[[dataset]]
# 数据集的名称，小写英文与下划线，全目录唯一
name = ""
# 接口中的类型名，大写开头的英文，全目录唯一
type = ""
title = ""
description = ""
# 权限对象：谁可读此对象，谁可读此数据集。本部门的：{objects}
object = "{object}"
# 依据：{bases}
legal_basis = "MEASURES_ART_4"
# 更新周期：{cycles}
update_cycle = "MONTHLY"
# {table}
table = ""
# 源中写姓名的列，用来判断是否同一人；没有就删去此行
person_name = ""
# 次序：列名，前加 - 为倒序；先列的先取
order = []
sharing = {{ kind = "CONDITIONAL", condition = "按岗位、辖区与用途", basis = "MEASURES_ART_11" }}
# 证件号码所在的列与写法：{formats}
key = {{ kind = "identity", columns = [""], formats = ["id18", "lower_x"] }}
# 行在哪里：{regions}；citizen 为随本人底册，code 须另写 column
region = {{ kind = "citizen" }}
# 挂在 citizen {{ 部门 {{ 字段 }} }} 之下；一人多行加 many = true
facet = {{ container = "{container}", field = "" }}

# 一个字段一段
[[dataset.field]]
# 接口中的字段名，小写开头的英文
name = ""
# 源中的列
column = ""
title = ""
description = ""
# 类型：{types}
type = "string"
# 分级：{grades}
sensitivity = "L4_SENSITIVE"
# 遮蔽：{masks}
mask = "HIDE"
# 源中的写法：{decodes}
decode = "plain"
"""


def next_steps(name: str, kind: Kind, file: Path, extra: Path | None) -> list[str]:
    """What to do with the new file, line by line; `extra` as catalog.extra_dir has it now."""
    lines = [f"已写 {file}：请逐项填写；填完之前，读取该目录的中枢不能启动"]
    if extra != file.parent.absolute():
        lines.append(f'设置文件 [catalog] 一节：extra_dir = "{file.parent}"')
    lines.append(f'设置文件 [sources] 一节：{name} = "{ADDRESS[kind]}"')
    if kind is Kind.FILES:
        lines.append(f"文件与清单送达后：hub source sync {name}")
    lines.append(f"填好后：hub source check {name} --as 账号")
    return lines
