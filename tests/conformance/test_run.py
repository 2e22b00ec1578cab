"""The runner of the suites: what is missed is told and counts, nothing runs on, nothing is left."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

import pytest

from tests.conformance import installed
from tests.conformance.__main__ import LOGS, Outcome, main, outcome, table
from tests.conformance.suites import SUITES, By, Suite

LONG_S = 600
SAID = "import json; print('noise'); print(json.dumps({told!r}))"


def suite(limit_s: float = 30.0) -> Suite:
    return Suite("planted", "nothing missed", By.CHECKOUT, "planted.py", limit_s)


def ran(program: str, folder: Path, *, limit_s: float = 30.0, left_s: float = LONG_S) -> Outcome:
    command = [sys.executable, "-c", program]
    return outcome(suite(limit_s), command, folder, {"HUB_TEST_URL": "nowhere"}, left_s)


def test_the_last_line_of_a_suite_is_what_it_reached(tmp_path: Path) -> None:
    held = ran(SAID.format(told={"reached": "9 of 9", "missed": []}), tmp_path)
    assert (held.reached, held.missed, held.verdict) == ("9 of 9", [], "ok")
    short = ran(SAID.format(told={"reached": "8 of 9", "missed": ["one"]}), tmp_path)
    assert (short.reached, short.missed, short.verdict) == ("8 of 9", ["one"], "MISSED")
    away = ran(SAID.format(told={"reached": "-", "missed": [], "absent": "no road"}), tmp_path)
    assert (away.verdict, away.absent) == ("absent", "no road")


@pytest.mark.parametrize("program", ["raise SystemExit('broken')", "print('no json')", "pass"])
def test_a_suite_that_says_nothing_has_missed(tmp_path: Path, program: str) -> None:
    silent = ran(program, tmp_path)
    assert (silent.reached, silent.verdict) == ("nothing said", "MISSED")
    assert str(LOGS / "planted.log") in silent.missed[0]


def test_a_suite_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    child = tmp_path / "child"
    program = (
        "import pathlib, subprocess, sys, time\n"
        f"one = subprocess.Popen([sys.executable, '-c', {stubborn!r}])\n"
        f"pathlib.Path({str(child)!r}).write_text(str(one.pid))\n"
        "time.sleep(600)"
    )
    hung = ran(program, tmp_path, limit_s=3.0)
    assert (hung.reached, hung.missed) == ("not ended", ("it may take 3 s",))
    assert gone(int(child.read_text()))


def gone(pid: int) -> bool:
    """Ended within a second; nobody waits for an orphan but the system."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False


def test_the_whole_run_is_bounded_too(tmp_path: Path) -> None:
    begun = time.monotonic()
    assert ran("import time; time.sleep(600)", tmp_path, left_s=1.0).reached == "not ended"
    assert time.monotonic() - begun < 20
    late = ran("print(1)", tmp_path, left_s=0.0)
    assert (late.reached, late.verdict) == ("not run", "MISSED")


def test_a_suite_sees_the_hub_and_no_setting_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_CONFIG", "elsewhere.toml")
    monkeypatch.setenv("HUB_TEST_MINUTES", "1")
    program = (
        "import json, os\n"
        "told = sorted(n for n in os.environ if n.startswith('HUB_'))\n"
        "print(json.dumps({'reached': ' '.join(told), 'missed': []}))"
    )
    assert ran(program, tmp_path).reached == "HUB_TEST_MINUTES HUB_TEST_URL"


def test_the_table_tells_each_suite_and_each_miss() -> None:
    short = Outcome(suite(), "8 of 9", 4.4, ("one is missing",))
    away = Outcome(suite(), "not there yet", 0.2, (), "no road")
    assert table([short, away]).splitlines() == [
        "suite   | threshold      | reached       | time |",
        "--------+----------------+---------------+------+-------",
        "planted | nothing missed | 8 of 9        | 4 s  | MISSED",
        "planted | nothing missed | not there yet | 0 s  | absent",
        "  planted: one is missing",
        "  planted: no road",
    ]


def test_a_name_nobody_knows_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graphql-htpp"]) == 2
    assert "graphql-htpp: there are graphql-http, " in capsys.readouterr().err


def test_every_suite_has_its_file_and_all_fit_into_the_run() -> None:
    assert [s.file for s in SUITES if not (installed.HERE / s.file).is_file()] == []
    assert len({s.name for s in SUITES}) == len(SUITES)


def test_every_tool_is_pinned_to_one_version() -> None:
    package = json.loads((installed.HERE / "package.json").read_text(encoding="utf-8"))
    pins = {**package["dependencies"], "node": package["node"]}
    assert [n for n, pin in pins.items() if not re.fullmatch(r"\d+\.\d+\.\d+", pin)] == []
    lines = (installed.HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w\[\],-]+==[\d.]+", line)] == []
    assert len(pins) > 15
