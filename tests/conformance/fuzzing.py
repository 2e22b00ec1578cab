"""schemathesis against the running hub: every root, valid and invalid documents, 0 failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CASES = 5_000
A_ROOT = 195  # cases of each root; there are 26 or more
SEED = 539922


def main() -> None:
    """Run the fuzzer with our words; the last line is what was reached."""
    tokens = json.loads(os.environ["HUB_TEST_TOKENS"])
    given = {
        "HUB_TEST_LAB": tokens["lab"],
        "HUB_TEST_PORTAL": tokens["portal-01"],
        "PYTHONPATH": str(HERE),
    }
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "report.json"
        options = ["--max-examples", str(A_ROOT), "--seed", str(SEED), "--workers", "2"]
        options += ["--phases", "fuzzing", "--generation-database", "none", "--no-color"]
        options += ["--report", "json", "--report-json-path", str(told)]
        program = Path(sys.executable).parent / "schemathesis"
        words = ["--config-file", str(HERE / "schemathesis.toml"), "run"]
        ran = subprocess.run(
            [str(program), *words, os.environ["HUB_TEST_URL"], *options],
            cwd=folder,  # what it keeps for itself goes with it
            env=os.environ | given,
            stdout=subprocess.PIPE,
            text=True,
        )
        sys.stderr.write(ran.stdout)
        report = json.loads(told.read_text(encoding="utf-8"))
    cases, failed = report["test_cases"]["generated"], report["test_cases"]["with_failures"]
    missed = [f"{f['title']}: {', '.join(f['operations'])}" for f in report["failures"]]
    missed += [str(error) for error in report["errors"]]
    if cases < CASES:
        missed.append(f"only {cases} cases")
    if ran.returncode != 0 and not missed:
        missed.append(f"schemathesis ended with {ran.returncode}")
    reached = f"{failed} failures in {cases} cases of {report['operations']['tested']} roots"
    sys.stdout.write(json.dumps({"reached": reached, "missed": missed}) + "\n")


if __name__ == "__main__":
    main()
