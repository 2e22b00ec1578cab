"""The command line: one file per group of verbs, imported when called."""

from __future__ import annotations

import importlib

import click

from catalog.errors import Readable
from hub.cli.say import OPERATOR, stop

VERBS = {
    "demo": ("demo", "生成虚构县，以三个岗位提问，展示数据、回执与审计核验"),
    "token": ("demo", "签发演示账号的访问令牌"),
    "serve": ("serve", "以正式设置启动服务"),
    "db": ("db", "升级数据库、查看版本"),
    "schema": ("schema", "打印接口定义"),
    "explain": ("explain", "打印一次查询的计划：取什么、能看什么、记什么"),
    "authz": ("authz", "解释权限判定、比较策略、核对场景"),
    "policy": ("policy", "改动权限策略，签署并留痕"),
    "client": ("client", "应用：部门系统与网关的登记、密钥与停用"),
    "documents": ("documents", "受信查询：登记、查看、批准、停用、比较"),
    "print": ("print", "打印件：核验、查留存；由文件生成公示"),
    "bulletin": ("bulletin", "月度通报与季度红黑榜：冻结、查看、核验、调整、排名"),
    "audit": ("audit", "核验访问审计日志"),
    "compare": ("compare", "比对：运行规则、列出批次"),
    "job": ("job", "定时任务：超时记录、提醒、督办升级、每月比对、到期清理"),
    "source": ("source", "数据源：列出、探测、核对、新写、载入送达的文件"),
    "doctor": ("doctor", "检查运行环境，逐项说明如何处理"),
    "config": ("config", "查看设置及其来源"),
    "version": ("doctor", "版本"),
}


class Verbs(click.Group):
    """Knows every verb's name and help; imports a verb's file only when it is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order of VERBS."""
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, imported now."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"hub.cli.{VERBS[cmd_name][0]}")
        # A verb that is a name of Python's own stands there with a line after it.
        command: click.Command = getattr(module, cmd_name, None) or getattr(module, f"{cmd_name}_")
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """数据共享中心：跨部门查询，分级授权，访问留痕。"""


def main() -> None:
    """The console script. A wrong word, key or department program is one line, not a trace."""
    try:
        cli(prog_name="hub")
    except Readable as error:
        stop(str(error), OPERATOR)
