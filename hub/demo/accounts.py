"""The demonstration's accounts: one per kind of post, all in the county's demo store.

Real names are invented like everybody's. `lab` exists in no production policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from store.accounts import NewPost, NewPrincipal
from store.clients import ACTIVE, SYSTEM, Client

FILE = ("aid.file", "aid.verify", "correct")
DESK = ("aid.file", "aid.verify", "aid.review", "correct")
REVIEW = ("aid.review", "correct", "share")
OFFICE = ("supervise", "report", "correct", "share", "admin")
HEAD = ("aid.review", "correct", "share", "admin")
ACCOUNTS = ("admin",)
REPORT = ("report", "share")
AUDIT = ("audit",)


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """An account with its post; its demo token may declare `purposes`, the first by default."""

    name: str
    title: str
    real_name: str
    dept: str
    role: str
    region: str
    purposes: tuple[str, ...]

    def principal(self) -> NewPrincipal:
        """As the store takes it."""
        post = NewPost(self.dept, self.role, self.region)
        return NewPrincipal(self.name, "official", self.real_name, self.dept, (post,))


def accounts(village: str) -> tuple[DemoAccount, ...]:
    """The accounts; `village` is the region path of the village clerk's village in 者腊乡."""
    return (
        DemoAccount(
            "zhelai-village-01", "者腊乡某村干部", "侬某甲", "rev", "village", village, FILE
        ),
        DemoAccount("zhelai-town-01", "者腊乡经办人", "陆某乙", "rev", "town", "532622205", DESK),
        DemoAccount("bange-town-01", "蚌峨乡经办人", "韦某丙", "rev", "town", "532622206", DESK),
        DemoAccount("mca-dept-01", "县民政局经办人", "李某丁", "mca", "dept", "532622", REVIEW),
        DemoAccount("office-01", "领导小组办公室", "王某戊", "rev", "office", "532622", OFFICE),
        DemoAccount("authority-01", "数据主管", "岑某庚", "rev", "authority", "532622", REPORT),
        DemoAccount("auditor-01", "审计员（安全官）", "陶某己", "rev", "auditor", "532622", AUDIT),
        DemoAccount("zhelai-lead-01", "者腊乡领导", "罗某辛", "rev", "lead", "532622205", HEAD),
        DemoAccount("mca-lead-01", "县民政局负责人", "农某壬", "mca", "lead", "532622", HEAD),
        DemoAccount(
            "rev-admin-01", "办公室账号管理员", "黄某癸", "rev", "account_admin", "532622", ACCOUNTS
        ),
        DemoAccount(
            "mca-admin-01",
            "县民政局账号管理员",
            "普某子",
            "mca",
            "account_admin",
            "532622",
            ACCOUNTS,
        ),
        DemoAccount("lab", "接口测试账号（仅演示）", "测试账号", "rev", "lab", "532622", REVIEW),
    )


MACHINE = NewPrincipal(
    "mca-system-01",
    "system",
    "县民政救助系统",
    "mca",
    (NewPost("mca", "system", "532622"),),
)
"""A department's system; it signs in at ``/oauth/token`` as CLIENT."""

CLIENT = Client(
    "mca-demo",
    "县民政救助系统（演示）",
    "mca",
    MACHINE.id,
    SYSTEM,
    ("sync", "report"),
    ACTIVE,
    date(2099, 12, 31),
)
