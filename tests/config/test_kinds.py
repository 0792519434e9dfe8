"""The contract of a kind of file, for each that is registered."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from accelsim.cli import main
from accelsim.config.kinds import KINDS, LISTED, FileKind, data_root
from accelsim.config.show import kind_of_file
from accelsim.errors import UserError

SAMPLES = {
    "machine": "extends: gemmini\n"
    "caches: [{name: L2, capacity: 1 MiB, ways: 8, line: 64 B, port: 16 GB/s, hit_clocks: 9, misses_in_flight: 8}]\n"
    "depthwise: {channels: 16, line_buffer: 8 KiB}\noutput_path: {max_pool: 16, pool_buffer: 64 KiB}\n",
    "mapping": "scheduling: {fusion: never}\n",
    "sweep": "networks: [shufflenet_g3]\nmachines: [edge]\ngrid: {array.rows: [16, 32]}\n",
}
"""A file of each kind of which none is shipped, and a machine with quantities that no shipped one has."""
YAML = [kind for kind in KINDS.values() if kind.pattern == "*.yaml"]
each_yaml = pytest.mark.parametrize("kind", YAML, ids=lambda kind: kind.name)


def contents(kind: FileKind) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in kind.files()] + [*filter(None, [SAMPLES.get(kind.name)])]


def test_rows_are_named_as_they_are_found() -> None:
    assert all(name == kind.name for name, kind in KINDS.items())
    assert all(name == kind.listed for name, kind in LISTED.items())
    assert {kind.folder for kind in KINDS.values()} - {""} == {
        str(folder.relative_to(data_root()))
        for top in ("workloads", "hwconfigs")
        for folder in (data_root() / top, *(data_root() / top).glob("*/"))
        if folder.is_dir() and any(folder.glob("*.yaml"))
    }


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_what_is_shipped_loads_by_path(kind: FileKind) -> None:
    assert kind.files() or kind.name in SAMPLES
    for path in kind.files():
        assert kind.load(str(path)) is not None


@each_yaml
def test_the_schema_accepts_what_loads_and_no_unknown_key(kind: FileKind, tmp_path: Path) -> None:
    schema = kind.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for number, text in enumerate(contents(kind)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        kind.load(str(path))
        content = yaml.safe_load(text)
        jsonschema.validate(content, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**content, "nonsense": 1}, schema)


@each_yaml
def test_an_unknown_key_is_refused_with_its_line(kind: FileKind, tmp_path: Path) -> None:
    text = contents(kind)[0].rstrip("\n") + "\nnonsense: 1\n"
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        kind.load(str(path))
    (mistake,) = raised.value.mistakes
    assert (mistake.file, mistake.line, mistake.got) == (str(path), len(text.splitlines()), "'nonsense'")


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_file_that_is_not_there_is_refused(kind: FileKind) -> None:
    with pytest.raises(UserError):
        kind.load("nowhere/nothing.yaml")


@each_yaml
def test_a_file_shows_its_kind(kind: FileKind, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its keys; what `show` prints of it is a file of that kind."""
    path = tmp_path / "file.yaml"
    path.write_text(contents(kind)[0], encoding="utf-8")
    assert kind_of_file(str(path)) is kind
    assert main(["show", str(path)]) == 0
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert kind_of_file(str(path)) is kind


@pytest.mark.parametrize("kind", LISTED.values(), ids=lambda kind: kind.name)
def test_what_is_listed_is_what_is_shipped(kind: FileKind, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", kind.listed]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert {path.stem for path in kind.files()} <= listed


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_the_command_prints_its_schema(kind: FileKind, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", kind.name]) == 0
    assert json.loads(capsys.readouterr().out) == kind.json_schema()
