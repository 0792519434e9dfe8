"""Does a Dask cluster give what processes give? A scheduler and two workers, started as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.test_sweep import ROOT, SLOW, TIMEOUT_S, process, run_here, until

pytest.importorskip("distributed")


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Path]:
    """The file that says where the scheduler is; two workers are on their way to it."""
    file = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    worker = ["worker", *common, "--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path)]
    everything = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with ExitStack() as stack:
        for line in (["scheduler", "--host", "127.0.0.1", "--port", "0", *common], worker, worker):
            command = [sys.executable, "-m", "dask", *line]
            running = subprocess.Popen(command, env=everything, stderr=subprocess.DEVNULL, cwd=tmp_path)
            stack.callback(running.wait)
            stack.callback(running.kill)
        yield file


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes(scheduler: Path, tmp_path: Path) -> None:
    until(lambda: scheduler.exists() and scheduler.stat().st_size > 0)
    address = json.loads(scheduler.read_text())["address"]
    line = ("sweep", *SLOW, "-o", str(tmp_path / "a"), "--scheduler", address)
    done = process(*line)
    assert done.communicate(timeout=TIMEOUT_S)[0] == f"16 points: 16 done; {tmp_path / 'a' / 'results.csv'}\n"
    run_here(tmp_path / "b", *SLOW)
    assert (tmp_path / "a" / "results.csv").read_bytes() == (tmp_path / "b" / "results.csv").read_bytes()


def test_no_scheduler_is_a_mistake(tmp_path: Path) -> None:
    done = process("sweep", *SLOW, "-o", str(tmp_path), "--scheduler", "tcp://127.0.0.1:9")
    assert done.communicate(timeout=TIMEOUT_S) == (
        "",
        "command-line:0: --scheduler: expected a Dask scheduler, got tcp://127.0.0.1:9\n",
    )
    assert done.returncode == 2
