"""A finished run read back from its file, and priced again: nothing is simulated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from accelsim.config.load import load_energy_table, machine_of, resolved_scheduling, workload_of
from accelsim.config.machine import Machine
from accelsim.config.places import is_folder
from accelsim.config.resolved import config_hash
from accelsim.config.run_file import MAX_RUN_BYTES, Layer, RunFile
from accelsim.config.schema import validate
from accelsim.config.strict_json import parse_json
from accelsim.config.strict_yaml import Document, Origin, kind_of, read_bytes
from accelsim.energy.price import repriced
from accelsim.errors import UserError, shorten
from accelsim.network.build import build
from accelsim.network.graph import Network, Node
from accelsim.network.placement import placed
from accelsim.records import MEASURES, ActionCounts, LayerRecord, combined
from accelsim.report.columns import WHAT_IFS
from accelsim.run.record import layer_record
from accelsim.run.result import FORMAT, RUN_FILE, Run


def reprice(run: Run, energy_table: str) -> Run:
    """The run as another energy table, by path or shipped name, prices it. Raises UserError."""
    machine = run.machine.model_copy(update={"energy": load_energy_table(energy_table)})
    records = repriced(run.records, machine)
    return replace(run, machine=machine, records=records, total=_total(records, run.network))


def read_run(run: str | PathLike[str]) -> Run:
    """A run from its folder, or its run.json. Raises UserError where that is not what `accelsim run -o` writes."""
    return run_of(*run_bytes(run))


def run_bytes(run: str | PathLike[str]) -> tuple[bytes, str]:
    """Content of the run.json of a run given as that file, or as its folder; and how messages call the file.

    Raises UserError.
    """
    path = Path(run) / RUN_FILE if is_folder(Path(run)) else Path(run)
    shown_as = fspath(run) if path == Path(run) else str(path)
    return read_bytes(path, shown_as, MAX_RUN_BYTES), shown_as


def run_of(raw: bytes, shown_as: str) -> Run:
    """The run that a run.json tells. Raises UserError."""
    document = parse_json(raw, shown_as)
    _check(document, "format", FORMAT, document.data.get("format"))
    file = validate(RunFile, document)
    if file.config_sha256 != config_hash(document.data["config"]):
        raise UserError([document.mistake(("config_sha256",), "the SHA-256 of config", shorten(file.config_sha256))])
    network_part = _part(document, "config", "network")
    workload = workload_of(network_part)
    machine = machine_of(_part(document, "config", "machine"))
    scheduling = resolved_scheduling(_part(document, "config", "scheduling"))
    network = placed(build(workload, network_part), machine, scheduling.objective)
    if len(file.layers) != len(network.nodes):
        expected = f"the {len(network.nodes)} layers of the network"
        raise UserError([document.mistake(("layers",), expected, str(len(file.layers)))])
    records = tuple(_records(document, network, machine, scheduling.inferences))
    total = _total(records, network)
    _check(document, "inference_ends", scheduling.inferences, len(file.inference_ends))
    if total.total_cycles != file.inference_ends[-1]:
        expected = f"total_cycles that add up to the {file.inference_ends[-1]} of inference_ends"
        raise UserError([document.mistake(("layers",), expected, str(total.total_cycles))])
    for name, cycles in file.doubled_cycles.items():
        if name not in WHAT_IFS:
            raise UserError(
                [document.mistake(("doubled_cycles", name), f"one of {', '.join(WHAT_IFS)}", shorten(name))]
            )
        _check(document, "doubled_cycles", len(network.nodes), len(cycles))
    doubled_cycles = {name: tuple(cycles) for name, cycles in file.doubled_cycles.items()}
    ends, version = tuple(file.inference_ends), file.accelsim_version
    return Run(workload, network, machine, scheduling, records, total, ends, version, doubled_cycles)


def _records(document: Document, network: Network, machine: Machine, inferences: int) -> Iterator[LayerRecord]:
    for index, node in enumerate(network.nodes):
        yield _record(_part(document, "layers", index), node, network.batch, machine, inferences)


def _record(part: Document, node: Node, batch: int, machine: Machine, inferences: int) -> LayerRecord:
    """One layer of the file. Raises UserError."""
    layer = validate(Layer, part).model_dump()
    _check(part, "layer", node.name, layer["layer"])
    measures = {name: layer[name] for name in MEASURES}
    added = measures["stream_cycles"] + sum(layer["stalls"].values())
    _check(part, "total_cycles", added, measures["total_cycles"])
    counts = ActionCounts(**layer["counts"])
    more = layer["stalls"], layer["savings"], layer["caches"]
    return layer_record(node, batch, machine, inferences, layer["group"], counts, measures, *more)


def _total(records: Sequence[LayerRecord], network: Network) -> LayerRecord:
    return combined(records, network.name, sum(record.total_cycles for record in records))


def _part(document: Document, *path: str | int) -> Document:
    """Part of the document at a path, as a document of its own."""
    data: Any = document.data
    for key in path:
        data = data[key]
    origin = document.origin(())
    return Document(data, {(): Origin(origin.file, origin.line, path)})


def _check(document: Document, key: str, expected: object, found: object) -> None:
    """Raises UserError where a key has another value than it must have."""
    if type(found) is not type(expected) or found != expected:
        raise UserError([document.mistake((key,), kind_of(expected), kind_of(found))])
