"""Kinds of files that users write, one row each: their names, folders, schemas and loaders."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file.

    name: in `accelsim schema`; title: of a file, in messages. schema: the function that gives its JSON Schema, loader:
    the one that reads a file by path or shipped name, checks it whole and raises UserError, both as `module:function`
    below `accelsim.config`, imported when they are needed. marks: keys by which a file is known to be of this kind.
    listed: what `accelsim list` calls the kind, if files are shipped; folder, pattern: where they lie. metavar: of
    arguments that take one; named_by: the key by which the section of a machine names a file.
    """

    name: str
    title: str
    schema: str
    loader: str
    marks: frozenset[str]
    listed: str = ""
    folder: str = ""
    pattern: str = "*.yaml"
    metavar: str = ""
    named_by: str = ""

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema, for editors that complete and check YAML."""
        schema: dict[str, Any] = _function(self.schema)()
        return schema

    def load(self, name_or_path: str) -> Any:
        """A file as its schema has it. Raises UserError with all that is wrong."""
        return _function(self.loader)(name_or_path)

    def files(self) -> list[Path]:
        """The shipped files, sorted."""
        return sorted((data_root() / self.folder).glob(self.pattern)) if self.folder else []


KINDS: dict[str, FileKind] = {
    kind.name: kind
    for kind in (
        FileKind(
            "network",
            title="network",
            schema="json_schema:network_schema",
            loader="load:load_network_file",
            marks=frozenset({"layers", "family"}),
            listed="networks",
            folder="workloads",
            metavar="NETWORK",
        ),
        FileKind(
            "machine",
            title="machine",
            schema="json_schema:machine_schema",
            loader="load:load_target",
            marks=frozenset({"array", "dma", "extends"}),
            listed="machines",
            folder="hwconfigs",
            metavar="HW",
        ),
        FileKind(
            "dram",
            title="DRAM device",
            schema="json_schema:dram_schema",
            loader="load:load_dram",
            marks=frozenset({"kind"}),
            listed="dram",
            folder="hwconfigs/dram",
            metavar="DEVICE",
            named_by="device",
        ),
        FileKind(
            "energy",
            title="energy table",
            schema="json_schema:energy_schema",
            loader="load:load_energy_table",
            marks=frozenset({"multiply_8x8"}),
            listed="energy",
            folder="hwconfigs/energy",
            metavar="TABLE",
            named_by="table",
        ),
        FileKind(
            "area",
            title="area table",
            schema="json_schema:area_schema",
            loader="load:load_area_table",
            marks=frozenset({"multiplier_8x8"}),
            listed="area",
            folder="hwconfigs/area",
            named_by="table",
        ),
        FileKind(
            "mapping",
            title="mapping file",
            schema="json_schema:mapping_schema",
            loader="load:load_mapping",
            marks=frozenset({"scheduling"}),
        ),
        FileKind(
            "sweep",
            title="sweep",
            schema="json_schema:sweep_schema",
            loader="sweep:load_sweep",
            marks=frozenset({"networks", "machines"}),
        ),
        FileKind(
            "accuracy",
            title="table of accuracies",
            schema="json_schema:accuracy_schema",
            loader="accuracy:load_accuracy",
            marks=frozenset({"top1_pct"}),
            folder="workloads",
            pattern="accuracy.csv",
        ),
    )
}
LISTED: dict[str, FileKind] = {kind.listed: kind for kind in KINDS.values() if kind.listed}
"""Kinds of which files are shipped by name."""


def data_root() -> Path:
    """The folder that holds `hwconfigs` and `workloads`: the packaged copy if there is one, else the checkout."""
    packaged = _PACKAGE / "data"
    return packaged if packaged.is_dir() else _PACKAGE.parent


def _function(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"accelsim.config.{module}"), name)
