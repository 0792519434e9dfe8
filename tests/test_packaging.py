"""Does it install? From a wheel in an empty environment, and in place, where an edited machine must take effect."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from accelsim.version import __version__

ROOT = Path(__file__).parent.parent
MAIN_JOB = ("run", "shufflenet_g3", "edge", "--json")
OUTSIDE = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]


def output(*line: str | Path, cwd: Path, **environment: str) -> str:
    """What a command prints; its error output is shown if it fails."""
    done = subprocess.run(line, cwd=cwd, env={**OUTSIDE, **environment}, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


@dataclass(frozen=True)
class Environment:
    """A virtual environment with nothing in it but pip."""

    folder: Path

    @property
    def scripts(self) -> Path:
        return self.folder / ("Scripts" if os.name == "nt" else "bin")

    def install(self, *arguments: str | Path) -> None:
        line = ("-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check")
        output(self.scripts / "python", *line, *arguments, cwd=self.folder)

    def accelsim(self, *argv: str, cwd: Path) -> str:
        return output(self.scripts / "accelsim", *argv, cwd=cwd)

    def site_packages(self) -> Path:
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        return Path(output(self.scripts / "python", "-c", code, cwd=self.folder).strip())


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, to build in and to edit."""
    folder = tmp_path_factory.mktemp("copy") / "accelsim"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.so", "tests", "build", "dist"))
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution: so that one is complete, too."""
    folder = tmp_path_factory.mktemp("dist")
    output(sys.executable, "-m", "build", "--outdir", folder, checkout, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    return Environment(folder)


@pytest.fixture(scope="module")
def from_wheel(environment: Environment, wheel: Path) -> str:
    """What the main job prints where nothing but the wheel is installed."""
    environment.install(wheel)
    return environment.accelsim(*MAIN_JOB, cwd=environment.folder)


@pytest.fixture(scope="module")
def in_place(environment: Environment, from_wheel: str, checkout: Path) -> Environment:
    """The environment, with the copied checkout in place of the wheel and the wheel's data left behind."""
    environment.install("--no-deps", "--editable", checkout)
    stale = environment.site_packages() / "accelsim" / "data"
    for name in ("hwconfigs", "workloads"):
        shutil.copytree(checkout / name, stale / name, dirs_exist_ok=True)
    return environment


def test_the_wheel_has_everything(wheel: Path) -> None:
    """Code, the shipped files where the code looks for them, the mark of a typed package and the licence; no tests."""
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [path for folder in ("hwconfigs", "workloads") for path in (ROOT / folder).rglob("*.yaml")]
    assert names >= {f"accelsim/data/{path.relative_to(ROOT).as_posix()}" for path in files}
    assert names >= {path.relative_to(ROOT).as_posix() for path in (ROOT / "accelsim").rglob("*.py")}
    assert "accelsim/py.typed" in names
    for kernel in ("dram", "cache"):
        begin = f"accelsim/machine/memory/{kernel}/compiled."
        assert any(name.startswith(begin) and name.endswith((".so", ".pyd")) for name in names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"accelsim"}


def test_without_a_c_compiler_the_wheel_is_of_plain_python(checkout: Path, tmp_path: Path) -> None:
    """And with one, as in the test above, it has the kernel."""
    output(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, checkout, cwd=tmp_path, CC="false")
    (path,) = tmp_path.glob("*.whl")
    assert path.name.endswith("-py3-none-any.whl")
    assert not [name for name in zipfile.ZipFile(path).namelist() if name.endswith((".so", ".pyd"))]


def test_the_main_job_gives_the_same_from_the_wheel_as_from_the_checkout(from_wheel: str, tmp_path: Path) -> None:
    """To the last digit, outside of the checkout."""
    assert from_wheel == output(sys.executable, "-m", "accelsim", *MAIN_JOB, cwd=tmp_path, PYTHONPATH=str(ROOT))


def another_interpreter() -> list[Path]:
    """The newest CPython of another supported version on this machine, on the path or as pyenv keeps it, if any."""
    named = {f"python3.{minor}" for minor in range(11, 15)} - {f"python3.{sys.version_info.minor}"}
    found = [Path(path) for name in named if (path := shutil.which(name)) and ".pyenv" not in path]
    kept = (Path.home() / ".pyenv" / "versions").glob("*/bin/python3.*")
    return sorted([*found, *(path for path in kept if path.name in named)], key=lambda path: path.name)[-1:]


def test_another_version_of_python_builds_installs_and_gives_the_same(
    checkout: Path, from_wheel: str, tmp_path: Path
) -> None:
    """Where there is one; cibuildwheel builds for all (pyproject.toml)."""
    for interpreter in another_interpreter():
        folder = tmp_path / interpreter.parents[1].name
        output(interpreter, "-m", "venv", folder, cwd=tmp_path)
        environment = Environment(folder)
        environment.install(checkout)
        assert environment.accelsim(*MAIN_JOB, cwd=folder) == from_wheel
        compiled = environment.site_packages() / "accelsim" / "machine" / "memory" / "dram"
        assert [path for path in compiled.glob("compiled.*") if path.suffix in (".so", ".pyd")]


def test_an_import_and_a_sweep_from_the_wheel(environment: Environment, from_wheel: str, tmp_path: Path) -> None:
    """Outside of the checkout, with worker processes."""
    assert from_wheel
    (tmp_path / "topo.csv").write_text("Layer, M, N, K\na, 64, 32, 128\n")
    environment.accelsim("import", "topo.csv", "-o", "net.yaml", cwd=tmp_path)
    asked = ("--network", "net.yaml", "--hw", "edge", "--vary", "array.rows=16,32", "--jobs", "2", "-o", "out")
    assert environment.accelsim("sweep", *asked, cwd=tmp_path).startswith("2 points: 2 done")


def test_a_run_comes_out_of_its_file_without_the_checkout(
    environment: Environment, from_wheel: str, tmp_path: Path
) -> None:
    """The file alone, made from the checkout, with everything inlined."""
    assert from_wheel
    line = ("run", "mobilenet_v1_0.25_128", "edge", "--set", "dram.device=lpddr4-3200", "-o", str(tmp_path / "out"))
    output(sys.executable, "-m", "accelsim", *line, cwd=tmp_path, PYTHONPATH=str(ROOT))
    told = environment.accelsim("rerun", str(tmp_path / "out" / "run.json"), cwd=environment.folder)
    assert told == "mobilenet_v1_0.25_128 on edge: the same, to the byte\n"


def test_an_onnx_model_from_the_wheel_with_its_extra(
    environment: Environment, from_wheel: str, wheel: Path, tmp_path: Path
) -> None:
    """Without the extra one line says what is missing."""
    assert from_wheel
    model = ROOT / "tests" / "data" / "onnx" / "mobilenet_v1_1.00_224.ts.cos.onnx"
    shutil.copy(model, tmp_path / "model.onnx")
    line = (environment.scripts / "accelsim", "import", "model.onnx")
    before = subprocess.run(line, cwd=tmp_path, env=OUTSIDE, capture_output=True, text=True, check=False)
    assert (before.returncode, before.stdout) == (2, "")
    expected = "command-line:0: FILE: expected onnx, installed by `pip install 'accelsim[onnx]'`, got none\n"
    assert before.stderr == expected
    environment.install(f"{wheel}[onnx]")
    environment.accelsim("import", "model.onnx", "-o", "mine.yaml", cwd=tmp_path)
    assert "568.74 M MACs" in environment.accelsim("run", "mine.yaml", "edge", cwd=tmp_path)


def test_the_citation_is_of_this_version() -> None:
    """And has what the format demands (CFF 1.2.0)."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()


def test_an_edited_machine_of_an_installation_in_place_takes_effect(
    in_place: Environment, checkout: Path, tmp_path: Path
) -> None:
    """A stale packaged copy of the shipped files does not win over those of the checkout."""
    path = checkout / "hwconfigs" / "edge.yaml"
    text = path.read_text()
    path.write_text(text.replace("name: edge\n", "name: edited\n"))
    assert in_place.accelsim("show", "edge", cwd=tmp_path).split()[:2] == ["name:", "edited"]
    path.write_text(text)
    assert in_place.accelsim("show", "edge", cwd=tmp_path).split()[:2] == ["name:", "edge"]


def test_an_existing_path_is_taken_before_a_shipped_name(in_place: Environment, checkout: Path, tmp_path: Path) -> None:
    shutil.copy(checkout / "hwconfigs" / "gemmini_default.yaml", tmp_path / "edge")
    assert in_place.accelsim("show", "edge", cwd=tmp_path).split()[:2] == ["name:", "gemmini_default"]


def test_in_place_too_the_main_job_gives_the_same(in_place: Environment, from_wheel: str, tmp_path: Path) -> None:
    assert in_place.accelsim(*MAIN_JOB, cwd=tmp_path) == from_wheel
