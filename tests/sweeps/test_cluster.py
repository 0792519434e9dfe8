"""Does a Dask cluster give what processes give? A scheduler and two workers, started as a user would."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.errors import UserError
from accelsim.sweeps.spec import inline_sweep
from accelsim.sweeps.sweep import run_sweep
from accelsim.sweeps.work import PointTask
from accelsim.sweeps.workers import on_cluster
from tests.sweeps.test_sweep import MACHINE, NET, ROOT, SLOW, TIMEOUT_S, process, results_in, run_here, until

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
    assert done.communicate(timeout=TIMEOUT_S)[0] == f"10 points: 10 done; {tmp_path / 'a' / 'results.csv'}\n"
    run_here(tmp_path / "b", *SLOW)
    assert (tmp_path / "a" / "results.csv").read_bytes() == (tmp_path / "b" / "results.csv").read_bytes()


@pytest.mark.slow
def test_points_of_lost_workers_are_done_by_others(
    scheduler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And without others, that is a mistake, with what was finished kept."""
    from distributed import Client

    until(lambda: scheduler.exists() and scheduler.stat().st_size > 0)
    address = json.loads(scheduler.read_text())["address"]
    monkeypatch.setattr("accelsim.sweeps.workers._ALONE_SECONDS", 0.5)

    def killing(_: int) -> Callable[[], None]:
        """Kills a worker after the first point, if there is one."""
        left = [True]

        def step() -> None:
            if left.pop() if left else False:
                with Client(address, set_as_default=False) as client:
                    os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

        return step

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=TIMEOUT_S)
    wanted = inline_sweep([SLOW[1]], [SLOW[3]], [(0, SLOW[5])], [])
    summary = run_sweep(wanted, tmp_path / "a", lambda tasks: on_cluster(tasks, address), killing)
    assert summary.counts == {"done": 10}
    with pytest.raises(UserError, match=r"expected a Dask scheduler with workers, got .*, which lost them all"):
        run_sweep(wanted, tmp_path / "b", lambda tasks: on_cluster(tasks, address), killing)
    assert len(run_here(tmp_path / "b", *SLOW)) < 10


ADDRESS = "the address of a Dask scheduler, such as tcp://127.0.0.1:8786"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("tcp://127.0.0.1:9", "a Dask scheduler"),
        ("foo://127.0.0.1:9", ADDRESS),
        ("tcp://127.0.0.1:99999", ADDRESS),
        ("nonsense", ADDRESS),
    ],
)
def test_no_scheduler_is_a_mistake(
    address: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["sweep", "--network", NET, "--hw", MACHINE, "-o", str(tmp_path / "out"), "--scheduler", address]
    assert main(argv) == 2
    assert capsys.readouterr() == ("", f"command-line:0: --scheduler: expected {expected}, got {address}\n")


def test_a_scheduler_that_never_speaks_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("accelsim.sweeps.workers._CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        argv = ["sweep", "--network", NET, "--hw", MACHINE, "-o", str(tmp_path / "out"), "--scheduler", address]
        assert main(argv) == 2
    assert capsys.readouterr() == ("", f"command-line:0: --scheduler: expected a Dask scheduler, got {address}\n")


@pytest.mark.parametrize("said", [b"", b"x", b"SSH-2.0-OpenSSH_9.2\r\n", b"\0" * 8, b"\1\0\0\0\0\0\0", b"\xff" * 5000])
def test_what_speaks_as_no_scheduler_does_is_a_mistake(
    said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether it goes on or is silent then: Dask waited for it without end, or took its words for a size."""
    monkeypatch.setattr("accelsim.sweeps.workers._CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        address = f"tcp://127.0.0.1:{stranger.getsockname()[1]}"
        argv = ["sweep", "--network", NET, "--hw", MACHINE, "-o", str(tmp_path / "out"), "--scheduler", address]
        with ThreadPoolExecutor(1) as other:
            answered = other.submit(lambda: stranger.accept()[0])
            other.submit(lambda: answered.result().sendall(said))
            assert main(argv) == 2
            answered.result().close()
    assert capsys.readouterr() == ("", f"command-line:0: --scheduler: expected a Dask scheduler, got {address}\n")


def test_a_scheduler_with_tls_needs_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["sweep", "--network", NET, "--hw", MACHINE, "-o", str(tmp_path / "out"), "--scheduler", "tls://127.0.0.1:9"]
    assert main(argv) == 2
    expected = "certificates for tls:// in Dask's configuration"
    assert capsys.readouterr() == ("", f"command-line:0: --scheduler: expected {expected}, got none\n")


def test_threads_of_a_client_log_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they come to, such as a lost connection, is a mistake of one line."""
    monkeypatch.setattr("accelsim.sweeps.workers._CONNECT_SECONDS", 0.1)
    monkeypatch.setattr("accelsim.sweeps.workers._refuse_strangers", lambda _: None)
    with pytest.raises(UserError):
        next(on_cluster(iter([]), "tcp://127.0.0.1:9"))
    names = ("distributed", "distributed.client", "distributed.utils", "tornado.application", "asyncio")
    assert not [name for name in names if logging.getLogger(name).isEnabledFor(logging.ERROR)]


@pytest.mark.slow
@pytest.mark.parametrize("lost", [OSError, CancelledError])
def test_a_scheduler_that_is_lost_as_it_gets_a_task_is_a_mistake(
    lost: type[Exception], scheduler: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Dask raises then is no lack of room for results."""

    def fails(*_: object, **__: object) -> None:
        raise lost

    until(lambda: scheduler.exists() and scheduler.stat().st_size > 0)
    monkeypatch.setattr("distributed.Client.submit", fails)
    with pytest.raises(UserError, match="expected a Dask scheduler that stays, got tcp"):
        next(on_cluster(iter([PointTask("", "", "")]), json.loads(scheduler.read_text())["address"]))


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_scheduler_that_is_lost_is_a_mistake(how: signal.Signals, scheduler: Path, tmp_path: Path) -> None:
    """One line, and what was finished is kept."""
    from distributed import Client

    until(lambda: scheduler.exists() and scheduler.stat().st_size > 0)
    address = json.loads(scheduler.read_text())["address"]
    with Client(address, set_as_default=False) as client:
        number = client.run_on_scheduler(os.getpid)
    done = process("sweep", *SLOW, "-o", str(tmp_path / "a"), "--scheduler", address)
    until(lambda: results_in(tmp_path / "a") > 1)
    os.kill(number, how)
    said = done.communicate(timeout=TIMEOUT_S)
    expected = f"expected a Dask scheduler that stays, got {address}"
    assert said == ("", f"command-line:0: --scheduler: {expected}\n")
    assert done.returncode == 2
    assert results_in(tmp_path / "a") > 1


def test_a_scheduler_without_workers_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    line = ["dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    command = [sys.executable, "-m", *line]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path) as running:
        try:
            until(lambda: file.exists() and file.stat().st_size > 0)
            address = json.loads(file.read_text())["address"]
            done = process("sweep", *SLOW, "-o", str(tmp_path / "a"), "--scheduler", address)
            said = done.communicate(timeout=TIMEOUT_S)
        finally:
            running.kill()
    expected = f"expected a Dask scheduler with workers, got {address} without any"
    assert said == ("", f"command-line:0: --scheduler: {expected}\n")
    assert done.returncode == 2


@pytest.mark.slow
def test_a_search_on_a_cluster_finds_the_same(
    scheduler: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Batch after batch, to the byte."""
    pytest.importorskip("optuna")
    spec = tmp_path / "space.yaml"
    sizes = "[2, 3, 4, 5, 6, 7, 8]"
    spec.write_text(f"networks: [{NET}]\nmachines: [{MACHINE}]\ngrid: {{array.rows: {sizes}, array.cols: {sizes}}}\n")
    until(lambda: scheduler.exists() and scheduler.stat().st_size > 0)
    line = ["recommend", str(spec), "--objective", "edp", "--trials", "10", "--allow-path", str(Path(NET).parent)]
    said = []
    for name, more in (("a", ["--scheduler", json.loads(scheduler.read_text())["address"]]), ("b", ["--jobs", "1"])):
        assert main([*line, "-o", str(tmp_path / name), *more]) == 0
        said.append(capsys.readouterr().out.replace(str(tmp_path / name), "DIR"))
    assert said[0] == said[1]
    assert (tmp_path / "a" / "results.csv").read_bytes() == (tmp_path / "b" / "results.csv").read_bytes()
