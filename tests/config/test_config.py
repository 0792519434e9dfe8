"""Are files read as they are written? Strict YAML, shipped files and their sources, overrides, saved configurations."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from accelsim.cli import main
from accelsim.config.load import data_root, load_machine, load_target, load_workload, parse_overrides
from accelsim.config.machine import Machine
from accelsim.config.named import Kind, shipped
from accelsim.config.scheduling import Scheduling, Target
from accelsim.config.schema import validate
from accelsim.config.show import to_yaml
from accelsim.config.strict_yaml import Document, KeyPath, Origin, odd_character, parse, read
from accelsim.config.workload import Workload
from accelsim.errors import Mistake, UserError, nearest
from accelsim.run.simulate import load_both, load_network, simulate

GOOD = Path(__file__).parents[1] / "invalid" / "good"
MACHINES = shipped("machines")
NETWORKS = shipped("networks")

fuzzed = settings(max_examples=150)


def value_of(text: str) -> Any:
    """What strict YAML makes of a value."""
    return parse(f"key: {text}\n", "test").data["key"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("42", 42),
        ("+42", 42),
        ("-42", -42),
        ("1_000", 1000),
        ("1e9", 10**9),
        ("1E+9", 10**9),
        ("1.5e3", 1500),
        ("1e-3", 0.001),
        ("2.0", 2.0),
        ("2.", 2.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1.5e-3", 0.0015),
        ("0.0e5", 0),
        ("1e300", 1e300),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_numbers_and_words_are_what_they_look_like(text: str, value: object) -> None:
    """Whole numbers are int however they are written, unless they have a fraction part alone."""
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


WORDS = ["no", "on", "off", "yes", "True", "FALSE", "Null", "12:30:45", "1:30", "2024-01-01", "0x10", "0o17", "0b1"]
WORDS += [".inf", "-.inf", ".nan", "inf", "nan", "1_", "1__0", "_1", "e5", "1e", "1e+", ".", "+", "1.2.3", "1.5.e3"]
WORDS += ["00.5", "1,000", "10%", "1e5x", "\u0663"]


@pytest.mark.parametrize("text", WORDS)
def test_what_other_readers_of_yaml_take_for_something_else_is_text(text: str) -> None:
    assert value_of(text) == text


@pytest.mark.parametrize("text", ["010", "-010", "00", "0_1", "1e400", "-1e400", "1e99999", "1e-400", "1" * 301])
def test_numbers_that_readers_disagree_about_are_refused(text: str) -> None:
    document = parse(f"a:\n  key: {text}\n", "test")
    assert [(mistake.line, mistake.key) for mistake in document.mistakes] == [(2, "a.key")]


def test_quoted_values_are_text() -> None:
    text = "a: '010'\nb: \"1e9\"\nc: 'true'\nd: ''\ne: |\n  010\n"
    assert parse(text, "test").data == {"a": "010", "b": "1e9", "c": "true", "d": "", "e": "010\n"}


def test_keys_are_text() -> None:
    """Whatever they look like; and so `1` and `'1'` are the same key."""
    assert parse("1: a\ntrue: b\nnull: c\n1e9: d\n", "test").data == {"1": "a", "true": "b", "null": "c", "1e9": "d"}
    assert [mistake.key for mistake in parse("1: a\n'1': b\n", "test").mistakes] == ["1"]


def test_a_byte_order_mark_is_no_text() -> None:
    assert parse("key: 1\n".encode("utf-8-sig"), "test").data == {"key": 1}


def test_every_value_keeps_its_line() -> None:
    text = "a:\n\n  b: 1\n  c:\n  - x\n  - {d: 2,\n     e: 3}\n"
    lines = {path: origin.line for path, origin in parse(text, "test").origins.items()}
    assert lines == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 3,
        ("a", "c"): 4,
        ("a", "c", 0): 5,
        ("a", "c", 1): 6,
        ("a", "c", 1, "d"): 6,
        ("a", "c", 1, "e"): 7,
    }


PIECES = [
    "k: v",
    "- x",
    "? y",
    ": z",
    "<<: *a",
    "&a b",
    "!t c",
    "---",
    "...",
    "{k: [",
    "]}",
    "'",
    '"',
    "  ",
    "\t",
    "010",
]
yaml_like = st.one_of(
    st.text(max_size=60),
    st.text("abk019_eE.+-:,?!&*<>|%@#'\"[]{}~ \t\n\r\x00\ufeff\x85\ud800", max_size=60),
    st.lists(st.sampled_from(PIECES)).map("\n".join),
)


@fuzzed
@given(st.one_of(yaml_like, st.binary(max_size=60)))
@example("k: &a [*a]")
@example("? [k]\n: v")
def test_any_text_parses_or_is_the_users_mistake(text: str | bytes) -> None:
    """Whatever it is, there is a document of plain data, or a UserError that says why not; nothing else comes out."""
    with suppress(UserError):
        document = parse(text, "test")
        assert isinstance(document.data, dict)
        assert all(document.origin(path).line >= 1 for path, _ in leaves(document.data))


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@fuzzed
@given(st.data())
@pytest.mark.parametrize("model", [Machine, Workload])
def test_any_value_for_any_key_is_fine_or_the_users_mistake(
    model: type[Machine | Workload], data: st.DataObject
) -> None:
    """Put anything anywhere: the schema refuses it at a key of the document, or takes it."""
    good = load_machine("edge") if model is Machine else load_workload("shufflenet_g3")[0]
    document = Document(good.model_dump(mode="json"), {(): Origin("test", 1)})
    path = data.draw(st.sampled_from([path for path, _ in leaves(document.data)]))
    put(document.data, path[: data.draw(st.integers(1, len(path)))], data.draw(values))
    with suppress(UserError):
        validate(model, document)


pieces = st.sampled_from([*PIECES, "", "\n", "x", "0", "-", ": ", "#", "null", "1e400", "ideal_hbm2", "edge", "layers"])


@fuzzed
@given(st.data())
@pytest.mark.parametrize(("name", "load"), [("machine.yaml", load_machine), ("net.yaml", load_network)])
def test_any_damage_to_a_file_is_the_users_mistake(
    name: str, load: Callable[[str], object], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Something written over any part of a good file: it still loads, or all mistakes are somewhere in that file."""
    text = (GOOD / name).read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 20, len(text))))
    damaged = tmp_path_factory.getbasetemp() / name
    damaged.write_text(text[:start] + data.draw(pieces) + text[end:], encoding="utf-8", newline="")
    lines = range(1, len(damaged.read_text(encoding="utf-8").splitlines()) + 1)
    for mistake in mistakes_of(load, str(damaged)):
        assert mistake.file == str(damaged)
        assert mistake.line in lines


def mistakes_of(load: Callable[[str], object], name: str) -> tuple[Mistake, ...]:
    try:
        load(name)
    except UserError as error:
        return error.mistakes
    return ()


def leaves(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """The values of nested data that have no parts, each with its path."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from leaves(value, (*path, key))
    elif isinstance(data, list) and data:
        for index, value in enumerate(data):
            yield from leaves(value, (*path, index))
    else:
        yield path, data


def put(data: Any, path: KeyPath, value: Any) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


SHIPPED = [(kind, name) for kind in ("machines", "dram", "energy", "area", "networks") for name in shipped(kind)]


def test_something_is_shipped_of_each_kind() -> None:
    assert {kind for kind, _ in SHIPPED} == {"machines", "dram", "energy", "area", "networks"}


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_every_shipped_file_loads(kind: Kind, name: str) -> None:
    """And knows its own name, where that is a machine's."""
    if kind == "networks":
        workload, network = load_network(name)
        assert workload.expect is not None
        assert network.macs == workload.expect.macs
    elif kind == "machines":
        assert load_machine(name).name == name
    else:
        key = {"dram": "device", "energy": "table", "area": "table"}[kind]
        machine = load_machine("edge", parse_overrides([(1, f"{kind}.{key}={name}")]))
        assert getattr(getattr(machine, kind), key) == name


@pytest.mark.parametrize("name", MACHINES)
def test_every_number_of_a_machine_has_a_source(name: str) -> None:
    """Each is covered by a key of `sources`, or by the part of the file around it."""
    document = read(data_root() / "hwconfigs" / f"{name}.yaml", name)
    sources = document.data["sources"]
    unsourced = [path for path in numbers(document.data) if not covers(sources, path)]
    assert unsourced == []
    assert all(sources.values())


@pytest.mark.parametrize("name", shipped("dram"))
def test_every_number_of_a_dram_device_has_a_source(name: str) -> None:
    data = read(data_root() / "hwconfigs" / "dram" / f"{name}.yaml", name).data
    assert [path for path in numbers(data) if not data["sources"].get(path[0])] == []


@pytest.mark.parametrize("name", shipped("energy"))
def test_every_number_of_an_energy_table_has_a_source(name: str) -> None:
    """In its row, and its range with one of its own; but for node and voltage, which every source names."""
    data = read(data_root() / "hwconfigs" / "energy" / f"{name}.yaml", name).data
    rows = {key: row for key, row in data.items() if isinstance(row, dict)}
    assert rows
    assert all(row["source"] and row.get("range", row)["source"] for row in rows.values())
    assert {path[0] for path in numbers(data)} == {*rows, "technology_nm", "supply_v"}


@pytest.mark.parametrize("name", shipped("area"))
def test_every_number_of_an_area_table_has_a_source(name: str) -> None:
    data = read(data_root() / "hwconfigs" / "area" / f"{name}.yaml", name).data
    rows = {key: row for key, row in data.items() if isinstance(row, dict)}
    assert all(row["source"] for row in rows.values())
    assert {path[0] for path in numbers(data)} == {*rows, "technology_nm"}


def numbers(data: dict[str, Any]) -> list[tuple[str, ...]]:
    """Where a file has numbers."""
    return [tuple(map(str, path)) for path, value in leaves(data) if type(value) in (int, float)]


def covers(sources: dict[str, str], path: tuple[str, ...]) -> bool:
    return any(".".join(path[:depth]) in sources for depth in range(1, len(path) + 1))


def saved(name: str, folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> Path:
    """The file that `accelsim show NAME > FILE` leaves."""
    capsys.readouterr()
    assert main(["show", name, *options]) == 0
    path = folder / "saved.yaml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", MACHINES)
def test_a_shown_machine_can_be_saved_and_loaded(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load_machine(str(saved(name, tmp_path, capsys))) == load_machine(name)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_shown_network_can_be_saved_and_loaded(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load_network(str(saved(name, tmp_path, capsys))) == load_network(name)


def test_saved_files_run_to_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With nothing but their paths to tell them from the shipped ones."""
    (tmp_path / "network").mkdir()
    machine = saved("edge", tmp_path, capsys)
    network = saved("shufflenet_g3", tmp_path / "network", capsys)
    assert simulate(network, machine).to_json() == simulate("shufflenet_g3", "edge").to_json()


def test_what_is_shown_has_the_settings_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A network whose layers were changed no longer expects what its source says."""
    options = ["--set", "array.rows=8", "--set", "dram.device=ideal_hbm2", "--set", "dram.clock_mhz=1e3"]
    machine = load_machine(str(saved("edge", tmp_path, capsys, *options)))
    assert (machine.array.rows, machine.dram.device, machine.dram.clock_mhz) == (8, "ideal_hbm2", 1000)
    network = load_network(str(saved("shufflenet_g3", tmp_path, capsys, "--set", "network.input.height=192")))[0]
    assert (network.input.height, network.expect) == (192, None)


@fuzzed
@given(*[st.text().filter(lambda text: odd_character(text) is None)] * 2)
@example("no", "1e9")
@example("010", "a: b # c")
@example("\x85\u2028", "'\"")
def test_any_text_survives_being_saved(description: str, source: str) -> None:
    """Descriptions and sources may say anything that a file may."""
    workload, _ = load_workload(str(GOOD / "net.yaml"))
    changed = workload.model_copy(update={"description": description, "source": source})
    assert validate(Workload, parse(to_yaml(changed), "test")) == changed


def test_settings_may_be_mappings() -> None:
    overrides = parse_overrides([(1, "network.quantize={weight_bits: 4, activation_bits: 4}")], ("network",))
    plain = parse_overrides([(1, "network.quantize.weight_bits=4"), (2, "network.quantize.activation_bits=4")])
    whole = [load_workload(str(GOOD / "net.yaml"), each)[0] for each in (overrides, plain)]
    assert whole[0] == whole[1]


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [("lpddr4", ["lpddr4-3200-x32", "lpddr4-3200", "lpddr5-6400"], "lpddr4-3200"),
     ("cacti_14nm", ["cacti_22nm", "cacti_16nm", "cacti_45nm"], "cacti_16nm"),
     ("edgy", {"edge", "tiny"}, "edge"), ("edge", {"edge", "edges"}, None), ("zz", {"edge"}, None)],
)  # fmt: skip
def test_the_word_that_was_meant(word: str, known: list[str], meant: str | None) -> None:
    assert nearest(word, known) == meant


def machine_with(*texts: str) -> Machine:
    return load_machine("edge", parse_overrides(enumerate(texts, 1)))


def keys_with(*texts: str) -> dict[KeyPath, Any]:
    """All keys of `edge` and its scheduling, with settings."""
    target = load_target("edge", parse_overrides(enumerate(texts, 1)))
    return dict(leaves({**target.machine.model_dump(), "scheduling": target.scheduling.model_dump()}))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("array.rows=16", 16),
        ("array.rows = 1e1", 10),
        ("array.overlap=false", False),
        ("array.dataflow=os", "os"),
        ("sram.accumulator.port_bytes_per_cycle=64", 64),
        ("sram.accumulator.port_bytes_per_cycle=null", None),
        ("scheduling.arbitration=program_order", "program_order"),
        ("dram.organisation.ranks=2", 2),
        ("energy.dram_byte.energy_pj=2.5", 2.5),
        ("energy.dram_byte.source=a=b", "a=b"),
    ],
)
def test_a_setting_changes_its_key_and_no_other(text: str, value: object) -> None:
    """At any depth, also in the DRAM device and the energy table."""
    key = text.partition("=")[0].strip()
    changed, plain = keys_with(text), keys_with()
    assert changed.pop(tuple(key.split("."))) == value
    assert changed.items() <= plain.items()


def test_the_last_setting_of_a_key_wins() -> None:
    assert machine_with("array.rows=16", "array.rows=8").array.rows == 8


def test_another_device_by_name_in_either_form() -> None:
    """It replaces the machine's, also where that is written out in full, and can be changed in turn."""
    hbm2 = machine_with("dram.device=ideal_hbm2").dram
    assert hbm2 == machine_with("dram=ideal_hbm2").dram == load_machine("cloud").dram
    assert machine_with("dram=ideal_hbm2", "dram.burst_bytes=32").dram == hbm2.model_copy(update={"burst_bytes": 32})


def test_another_device_for_a_saved_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved("edge", tmp_path, capsys)
    machine = load_machine(str(path), parse_overrides([(1, "dram.device=ideal_hbm2"), (2, "dram.burst_bytes=32")]))
    assert machine.dram == machine_with("dram=ideal_hbm2", "dram.burst_bytes=32").dram


def test_another_file_takes_the_place_of_all_that_a_machine_says_itself(tmp_path: Path) -> None:
    """But not of what the command line says, at any depth, whether the machine's own keys are some or all."""
    settings_ = parse_overrides([(1, "energy.table=han_2015"), (2, "energy.sram_byte.energy_pj=7")])
    expected = machine_with("energy.table=han_2015", "energy.sram_byte.energy_pj=7").energy
    assert (expected.table, expected.dram_byte.energy_pj, expected.sram_byte.energy_pj) == ("han_2015", 160, 7)
    text = (GOOD / "machine.yaml").read_text().replace("energy: {table: lecture_100x}\n", "")
    some = "{table: lecture_100x, sram_byte: {energy_pj: 3}, dram_byte: {energy_pj: 5, source: mine}}"
    for own in (some, str(load_machine("edge").energy.model_dump(mode="json", exclude_none=True))):
        path = tmp_path / "machine.yaml"
        path.write_text(f"{text}energy: {own}\n")
        assert load_machine(str(path)).energy != load_machine("edge", settings_).energy
        assert load_machine(str(path), settings_).energy == expected


def test_a_mistake_in_another_file_stands_in_that_file(tmp_path: Path) -> None:
    """Also where the machine had the same key on a line of its own."""
    machine = tmp_path / "machine.yaml"
    machine.write_text(to_yaml(load_machine("edge")))
    table = tmp_path / "table.yaml"
    text = (data_root() / "hwconfigs" / "energy" / "han_2015.yaml").read_text()
    table.write_text(text.replace("energy_pj: 160.0", "energy_pj: -1"))
    line = text.splitlines().index("  energy_pj: 160.0") + 1
    (mistake,) = mistakes_of(
        lambda name: load_machine(name, parse_overrides([(1, f"energy.table={table}")])), str(machine)
    )
    assert (mistake.file, mistake.line, mistake.key) == (str(table), line, "energy.dram_byte.energy_pj")


def test_settings_reach_the_network() -> None:
    """And what is known of it is still checked if only the batch was changed."""
    workload, network, *_ = load_both("shufflenet_g3", "edge", [(1, "network.batch=4")])
    assert network.batch == 4
    assert workload.expect is not None
    workload, network, *_ = load_both("shufflenet_g3", "edge", [(1, "network.input.width=64")])
    assert network.nodes[0].output.width == 32
    assert workload.expect is None


def test_python_takes_the_same_settings() -> None:
    settings_ = {"array.rows": 8, "array.overlap": False, "sram.accumulator.port_bytes_per_cycle": None}
    machine = simulate(GOOD / "net.yaml", GOOD / "machine.yaml", settings_).machine
    assert (machine.array.rows, machine.array.overlap, machine.sram.accumulator.port_bytes_per_cycle) == (
        8,
        False,
        None,
    )
    with pytest.raises(UserError, match="expected a known key"):
        simulate(GOOD / "net.yaml", GOOD / "machine.yaml", {"array.rowz": 8})


def test_an_existing_path_wins_over_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(GOOD / "machine.yaml", "edge")
    shutil.copy(GOOD / "net.yaml", "shufflenet_g3")
    assert load_machine("edge").name == "tiny"
    assert load_network("shufflenet_g3")[0].name == "tiny"


def test_a_folder_of_a_shipped_name_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("edge").mkdir()
    assert load_machine("edge").name == "edge"


def test_paths_in_a_machine_file_start_from_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a machine is the same wherever it is run from; paths on the command line start from the working directory."""
    text = (GOOD / "machine.yaml").read_text().replace("ideal_lpddr4", "parts/mine.yaml")
    (tmp_path / "machine.yaml").write_text(text)
    device = (data_root() / "hwconfigs" / "dram" / "ideal_hbm2.yaml").read_text()
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "mine.yaml").write_text(device)
    from_root = load_machine(str(tmp_path / "machine.yaml"))
    assert (from_root.dram.device, from_root.dram.bytes_per_clock) == ("mine", 256)
    monkeypatch.chdir(tmp_path / "parts")
    assert load_machine("../machine.yaml") == from_root
    assert load_machine("edge", parse_overrides([(1, "dram.device=mine.yaml")])).dram == from_root.dram


# Chip and compiler.


def test_each_option_of_the_compiler_is_the_last_that_is_given(tmp_path: Path) -> None:
    """Machine file, mapping file, setting; the machine itself is as without."""
    machine, mapping = tmp_path / "machine.yaml", tmp_path / "mapping.yaml"
    own = "scheduling: {objective: edp, fusion: never, inferences: 2}\n"
    machine.write_text(to_yaml(load_machine("edge")) + own)
    mapping.write_text("scheduling: {fusion: auto, inferences: 3}\n")
    overrides = parse_overrides([(1, "scheduling.inferences=4")])
    target = load_target(str(machine), overrides, str(mapping))
    assert target == Target(load_machine("edge"), Scheduling(objective="edp", inferences=4))


def test_a_mapping_file_says_what_settings_do(tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("scheduling: {objective: dram_bytes, inferences: 2}\n")
    options: dict[str, object] = {"scheduling.objective": "dram_bytes", "scheduling.inferences": 2}
    run = simulate(GOOD / "net.yaml", GOOD / "machine.yaml", mapping=mapping)
    assert run.to_json() == simulate(GOOD / "net.yaml", GOOD / "machine.yaml", options).to_json()
    assert run.config["scheduling"]["objective"] == "dram_bytes"
