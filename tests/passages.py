"""Computed passages of pages that are written by hand, such as README.md: `python -m tests.pages` renews them.

A passage stands between `<!-- computed: NAME -->` and `<!-- end -->`. `tests/docs/test_passages.py` holds each to what
is computed.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from accelsim.report.quantities import bytes_text
from accelsim.run.simulate import load_network, simulate
from tests import lecture
from tests.tables import lines

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "networks.md")
PASSAGE = re.compile(r"(?<=<!-- computed: )(\w+)( -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)
FORMS = {"a": "study_block_resnext_add", "b": "study_block_resnext_concat", "c": "study_block_resnext"}
"""The network of each form of ResNeXt's block."""


def equal_forms() -> str:
    """Cost of the three forms of ResNeXt's block on `edge`."""
    header = ("Fig. 3", "network", "cycles", "DRAM", "energy")
    return "\n".join(lines(header, ((form, f"`{name}`", *_costs(name)) for form, name in FORMS.items())))


def _costs(name: str) -> Iterator[str]:
    totals = simulate(name, "edge").totals
    yield f"{totals['total_cycles'] / 1e6:.2f} M"
    yield f"{(totals['dram_read_burst_bytes'] + totals['dram_write_burst_bytes']) / 2**20:.1f} MiB"
    yield f"{totals['energy_total_pj'] / 1e9:.2f} mJ"


def needs() -> str:
    """Needs of each network of the thesis on chip, its cost there by both energy tables, and its accuracy."""
    module = lecture.thesis()
    found = {(each.table, each.network): each for each in module.findings(lecture.thesis_lines())}
    header = ["network", "top-1, %"]
    for table in module.TABLES:
        header += [f"needs, by `{table}`", "uJ there", "least uJ", "with"]
    rows = []
    for name in module.NETWORKS:
        accuracy = load_network(name)[0].accuracy
        row = [f"`{name}`", "-" if accuracy is None else f"{accuracy.top1_pct:.1f}"]
        for table in module.TABLES:
            each = found[table, name]
            there = "-" if each.energy_uj is None else f"{each.energy_uj:.0f}"
            row += [module.need_text(each), there, f"{each.least_uj:.0f}", bytes_text(each.least_at)]
        rows.append(row)
    return "\n".join(lines(tuple(header), rows))


def by_capacity() -> str:
    """Energy and place of each network of the thesis under the capacities that are compared, by both energy tables."""
    module, found = lecture.thesis(), lecture.thesis_lines()
    header = ("network", *(f"{bytes_text(size)}: `{table}`" for size in module.COMPARED for table in module.TABLES))
    orders = [module.ranked(found, table, size) for size in module.COMPARED for table in module.TABLES]
    rows = [
        (f"`{name}`", *(f"{order[name]:.0f} ({module.place_of(name, order)})" for order in orders))
        for name in module.NETWORKS
    ]
    return "\n".join(lines(header, rows))


def conclusions() -> str:
    """Networks that take least under each capacity, whether the order survives another energy table, and a summary."""
    module, found = lecture.thesis(), lecture.thesis_lines()
    rows = [[re.sub(r"^(\w+_[\w.]+)", r"`\1`", cell) for cell in row] for row in module.conclusions(found)]
    header = [re.sub(r"by (\w+)", r"by `\1`", cell) for cell in module.CONCLUSIONS]
    sentences = textwrap.fill(" ".join((*_best(), *_same())), 118, break_on_hyphens=False)
    return "\n".join((*lines(tuple(header), rows), "", sentences, *_differing()))


def _best() -> Iterator[str]:
    """The network that takes least under each capacity, by each table."""
    module, found = lecture.thesis(), lecture.thesis_lines()
    for table in module.TABLES:
        sizes: dict[str, list[str]] = {}
        for size in module.COMPARED:
            sizes.setdefault(next(iter(module.ranked(found, table, size))), []).append(bytes_text(size))
        best = "; ".join(f"`{name}` under {_listed(under)}" for name, under in sizes.items())
        yield f"By `{table}`, the least energy is that of {best}."


def _turned() -> dict[str, list[tuple[str, str]]]:
    """The pairs that the tables order differently, by capacity."""
    module, found = lecture.thesis(), lecture.thesis_lines()
    return {
        bytes_text(size): module.turned(*(module.ranked(found, table, size) for table in module.TABLES))
        for size in module.COMPARED
    }


def _same() -> Iterator[str]:
    """The capacities at which both tables have one order."""
    if same := [size for size, pairs in _turned().items() if not pairs]:
        yield f"Under {_listed(same)} the whole order survives the other table."


def _differing() -> Iterator[str]:
    """The pairs of the other capacities."""
    own, premise = lecture.thesis().TABLES
    for size, pairs in _turned().items():
        if pairs:
            yield f"\nUnder {size} these take less by `{own}`, and more by `{premise}`:\n"
            yield from (f"- `{first}` than `{second}`" for first, second in pairs)


def _listed(words: Sequence[str]) -> str:
    """Such as 1, 2 and 3."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


PASSAGES: dict[str, Callable[[], str]] = {
    "equal_forms": equal_forms,
    "needs": needs,
    "by_capacity": by_capacity,
    "conclusions": conclusions,
}
"""The text of each passage."""


def shown(page: Path) -> dict[str, str]:
    """The passages of a page as it has them."""
    return {found[1]: found[3].strip("\n") for found in PASSAGE.finditer(page.read_text(encoding="utf-8"))}


def renewed(page: Path) -> str:
    """The page with its passages as they are computed."""
    return PASSAGE.sub(
        lambda found: f"{found[1]}{found[2]}\n{PASSAGES[found[1]]()}\n\n", page.read_text(encoding="utf-8")
    )
