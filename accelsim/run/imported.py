"""A file of another tool as one of ours."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from accelsim.config.load import configured_workload, resolved_target
from accelsim.config.scheduling import Mapping
from accelsim.config.schema import validate
from accelsim.config.show import data_to_yaml
from accelsim.errors import ARGUMENTS, Mistake, UserError, shorten
from accelsim.importers import ELSEWHERE, IMPORTERS, PLAIN, ModelOptions, dosa, read
from accelsim.importers.lines import lines_of
from accelsim.network.build import build


def imported(name: str, batch: int | None = None, options: ModelOptions = PLAIN) -> str:
    """The network or machine of a file as YAML. Raises UserError where it is not a file that can be run.

    batch: of the network, if not its own; options: of a model.
    """
    path = Path(name)
    if path.suffix.lower() not in {*IMPORTERS, *ELSEWHERE}:
        expected = f"a file that ends in {' or '.join(IMPORTERS)}"
        raise UserError([Mistake(ARGUMENTS, 0, "file", expected, shorten(name))])
    document = read(path, name, options)
    if batch is not None and "layers" in document.data:
        document.data["batch"] = batch
    text = data_to_yaml(deepcopy(document.data))
    if "layers" in document.data:
        build(*configured_workload(document))
    else:
        resolved_target(document, (), path.parent)
    return f"# Imported from {path.name}.\n{text}"


def imported_mapping(name: str, *, allow_unmodelled: bool = False) -> str:
    """The mappings of a table as YAML. Raises UserError where it is none of layers with mappings.

    allow_unmodelled: leave out mappings that no plan can say.
    """
    path = Path(name)
    lines = lines_of(path, name)
    document = dosa.mapping(lines, path.stem, name, allow_unmodelled=allow_unmodelled)
    dosa.network(lines, path.stem, name)
    text = data_to_yaml(deepcopy(document.data))
    validate(Mapping, document)
    return f"# Imported from {path.name}.\n{text}"
