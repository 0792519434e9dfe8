"""Are the computed pages of docs/ what is computed, and do the JSON Schemas say what the readers accept?"""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from accelsim.cli import main
from accelsim.config.json_schema import SCHEMAS
from tests.pages import FOLDER, PAGES

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = {
    "network": "workloads",
    "machine": "hwconfigs",
    "dram": "hwconfigs/dram",
    "energy": "hwconfigs/energy",
    "area": "hwconfigs/area",
}
SLOW = ("validation.md",)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in PAGES])
def test_a_page_is_what_is_computed(name: str) -> None:
    """If not: `python -m tests.pages` writes it anew; of what moved, the changelog tells."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]()


@pytest.mark.parametrize("kind", SHIPPED)
def test_the_schema_accepts_what_is_shipped_and_no_unknown_key(kind: str) -> None:
    schema = SCHEMAS[kind]()
    files = sorted((ROOT / SHIPPED[kind]).glob("*.yaml"))
    assert files
    for path in files:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        jsonschema.validate(content, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**content, "nonsense": 1}, schema)


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "machine"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMAS["machine"]()
