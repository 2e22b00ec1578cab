"""``make bench``: everything up, one loaded at a time, figures beside what is demanded.

Written into bench/ only by a whole run; a part of one writes into ``.cache/bench``.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from bench import county, growth, installed, report, systems
from bench.apart import Apart, in_three
from bench.figures import CLIENTS, PEERS, QUESTIONS, Number
from bench.folders import CACHE, ROOT
from bench.postgres import Server, server
from bench.process import NotStarted
from bench.rounds import Cell, Checked, checked, measured
from bench.systems import PRODUCT, STARTERS, System

WHOLE = 100  # per cent of the county


def _several(known: Sequence[str]) -> click.Choice[str]:
    return click.Choice([*known])


@click.command(help="与同类系统并排测量；结果写入 bench/（只测一部分时写入 .cache/bench/）。")
@click.option("--only", multiple=True, type=_several(QUESTIONS), help="只问这些问题")
@click.option("--peers", multiple=True, type=_several(PEERS), help="只与这些系统比较")
@click.option("--rounds", default=5, show_default=True, help="轮数")
@click.option("--seconds", default=4, show_default=True, help="每轮每个系统加压的秒数")
@click.option(
    "--percent", default=WHOLE, type=click.Choice([*county.SCALES]), help="全县的百分之几"
)
@click.option("--growth/--no-growth", "grow", default=True, help="是否测量随数据与策略增长的变化")
def main(
    only: tuple[str, ...],
    peers: tuple[str, ...],
    rounds: int,
    seconds: int,
    percent: int,
    grow: bool,
) -> None:
    """Measure and write."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))  # ends what was started
    CACHE.mkdir(parents=True, exist_ok=True)
    whole = not only and not peers and percent == WHOLE and grow
    questions, compared = only or QUESTIONS, peers or PEERS
    tools = installed.wrk()
    with server() as database_server:
        county.clear(database_server)  # what a run that was broken off left
        run = Run(database_server, percent, rounds, seconds)
        found = run.found(questions, compared, grow, tools)
        _write(ROOT / "bench" if whole else CACHE, found)
        county.clear(database_server)
    asked = [n for n in found.numbers() if _within(n, questions, compared)]
    for number in (*asked, *found.others()):
        click.echo(report.line(number))
    sys.exit(0 if all(cell.errors() == {} for cell in found.cells) else 1)


def _within(number: Number, questions: Sequence[str], peers: Sequence[str]) -> bool:
    question, peer, _ = number.name.split("/")
    return question in questions and peer in peers


def _write(folder: Path, found: report.Found) -> None:
    (folder / "RESULTS.md").write_text(report.as_markdown(found), encoding="utf-8")
    (folder / "results.json").write_text(report.as_json(found.numbers()), encoding="utf-8")


def say(text: str) -> None:
    """What is being done, on standard error: standard output is for numbers."""
    click.echo(text, err=True)


class Run:
    """One run on one server."""

    def __init__(self, server: Server, percent: int, rounds: int, seconds: int) -> None:
        self.server, self.percent = server, percent
        self.rounds, self.seconds = rounds, seconds
        self.missing: dict[str, str] = {}

    def found(
        self, questions: Sequence[str], peers: Sequence[str], grow: bool, tools: str
    ) -> report.Found:
        """Everything, part by part."""
        say(f"county: {self.percent} %, made if it is not there")
        template = county.template(self.server, self.percent)
        database = county.copied(self.server, template, "main")
        facts = self._facts(database, tools)
        with self._running(database, peers) as running:
            checks, cells = self._measured(running, questions)
            memory = {system.name: system.memory_mb() for system in running}
        inside = {f"{self.percent} %": growth.inside(self.server, database)}
        profile = growth.profile(self.server, database) if grow else []
        county.drop(self.server, database)
        apart = in_three(self.server, self.rounds, self.seconds, say) if grow else Apart()
        growths = self._growths() if grow else []
        if grow:
            inside |= self._inside_smaller()
        return report.Found(
            facts,
            cells,
            checks,
            self.missing,
            memory,
            growths,
            inside,
            apart,
            growth.numbers(inside[f"{self.percent} %"], memory[PRODUCT]),
            profile,
        )

    @contextlib.contextmanager
    def _running(self, database: str, peers: Sequence[str]) -> Iterator[list[System]]:
        """The product, then every peer that can be started."""
        running = [systems.product(self.server, database)]
        try:
            for peer in peers:
                say(f"starting {peer}")
                try:
                    running.append(STARTERS[peer](self.server, database))
                except NotStarted as why:
                    self.missing[peer] = str(why)
                    say(f"{peer} is missing: {why}")
            yield running
        finally:
            for system in running:
                system.stop()

    def _measured(
        self, running: Sequence[System], questions: Sequence[str]
    ) -> tuple[list[Checked], list[Cell]]:
        checks, cells = [], []
        for question in questions:
            answered = checked(running, question)
            checks += answered
            for one in answered:
                if one.fault or one.unlike:
                    say(f"{question} {one.system}: {one.fault or one.unlike}")
            # Who answers another question is not beaten by answering this one faster.
            able = {one.system for one in answered if not one.fault and not one.unlike}
            asked = [system for system in running if system.name in able]
            if PRODUCT not in able:
                continue
            cells += [
                measured(asked, question, clients, self.rounds, self.seconds, say)
                for clients in CLIENTS
            ]
        return checks, cells

    def _growths(self) -> list[growth.Growth]:
        return [
            growth.by_county(self.server, self.rounds, self.seconds, say),
            growth.by_rules(self.server, self.rounds, self.seconds, say),
        ]

    def _inside_smaller(self) -> dict[str, dict[str, dict[str, float]]]:
        found = {}
        for percent in county.SCALES:
            if percent != self.percent:
                template = county.template(self.server, percent)
                database = county.copied(self.server, template, "inside")
                found[f"{percent} %"] = growth.inside(self.server, database)
                county.drop(self.server, database)
        return found

    def _facts(self, database: str, tools: str) -> dict[str, str]:
        counts = county.counts(self.server, database)
        pg = self.server.settings()
        return {
            "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            "product": _commit(),
            "machine": f"{os.cpu_count()} cores, {_processor()}, {platform.system()}",
            "Python": platform.python_version(),
            "PostgreSQL": ", ".join(f"{name} {value}" for name, value in pg.items()),
            "county": ", ".join(f"{number:,} {table}" for table, number in counts.items()),
            "load": f"{tools}; {self.rounds} alternating rounds of {self.seconds} s",
            "limit, strawberry": ", ".join(_pins()),
            **{peer: installed.versions(peer) for peer in ("postgraphile", "hive")},
        }


def _pins() -> list[str]:
    text = (installed.PEERS / "requirements.txt").read_text(encoding="utf-8")
    return [line.replace("==", " ") for line in text.splitlines() if not line.startswith("#")]


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    said = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    return said.stdout.strip() or "no git checkout"


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
