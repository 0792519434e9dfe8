"""Feature maps that lie in DRAM as runs of zeros and values, as Eyeriss keeps them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from accelsim.check.execute import check_network
from accelsim.config.machine import Machine, MapCodec
from accelsim.config.scheduling import Scheduling
from accelsim.errors import UserError
from accelsim.lowering.compile import alternatives, lower
from accelsim.machine.machine import play
from accelsim.network.graph import Network
from accelsim.network.map_code import row_code, zero_shares
from accelsim.program.link import link
from accelsim.records import LayerRecord
from accelsim.run.define import load_network
from accelsim.run.simulate import run_network, simulate
from tests.strategies import machine_of, network_of

WORKLOAD = load_network("shufflenet_g3")[0]
EYERISS = MapCodec(format="zero_run_length", bytes_per_clock=2)
"""Five bits of run: three pairs of 5 + 16 bits and a flag in a word of 64."""
FIRST = {"name": "first", "op": "conv", "kernel": 1, "channels": 64, "activation": "relu"}
SECOND = {"name": "second", "op": "conv", "kernel": 1, "channels": 8}


def with_codec(bytes_per_clock: int = 1 << 16, **changes: Any) -> Machine:
    codec = {"format": "zero_run_length", "bytes_per_clock": bytes_per_clock}
    return machine_of(dma__map_codec=codec, array__activation_bits=16, **changes)


def of(*rows: dict[str, Any], size: tuple[int, int, int] = (8, 8, 32), **keys: Any) -> Network:
    return network_of(list(rows), size, **keys)


def ran(network: Network, machine: Machine) -> LayerRecord:
    """The whole network, every map through DRAM."""
    return run_network(WORKLOAD, network, machine, APART).total


APART = Scheduling(keep_activations="never", fusion="never")


def encoded_pairs(values: list[int], run_bits: int) -> int:
    """Pairs of a run and a level that a sequence becomes, value by value."""
    pairs = zeros = 0
    for value in values:
        if value == 0 and zeros < (1 << run_bits) - 1:
            zeros += 1
        else:
            pairs, zeros = pairs + 1, 0
    return pairs + (zeros > 0)


@pytest.mark.parametrize("zeros", [0.0, 0.3, 0.75, 0.97])
@pytest.mark.parametrize("run_bits", [2, 5])
def test_the_share_is_what_an_encoder_makes_of_random_values(zeros: float, run_bits: int) -> None:
    """Of 40,000 values of 16 bits, within 2 %, and never shorter by more than chance."""
    draw = random.Random(7)
    values = [0 if draw.random() < zeros else 1 for _ in range(40_000)]
    pairs_of_a_word = 63 // (run_bits + 16)
    bits = 64 * encoded_pairs(values, run_bits) / pairs_of_a_word
    code = row_code(zeros, 16, EYERISS.model_copy(update={"run_bits": run_bits}))
    plain = 16 * len(values)
    assert (plain if code is None else code.bits(plain)) == pytest.approx(min(plain, bits), rel=0.02)


def test_what_eyeriss_saves() -> None:
    """Maps of CONV5 are saved "nearly 75 %", and have "around 75 %" zeros (Chen et al., JSSC 2017, IV-B): at 75 %
    the law saves two thirds, and three quarters at 81 %, as its outputs may have."""
    for zeros, saved in ((0.75, 2 / 3), (0.8125, 0.75)):
        code = row_code(zeros, 16, EYERISS)
        assert code is not None
        assert 1 - code.part / code.whole == pytest.approx(saved, abs=0.001)


@pytest.mark.parametrize(("bits", "word", "zeros"), [(16, 64, 0.2), (8, 64, 0.5), (64, 64, 0.9)])
def test_maps_that_would_be_longer_stay_plain(bits: int, word: int, zeros: float) -> None:
    """A pair takes 64 / 3 bits for 16, 16 for 8; a word that holds no pair codes nothing."""
    assert row_code(zeros, bits, EYERISS.model_copy(update={"word_bits": word})) is None


def test_bytes_by_hand() -> None:
    """A map of 8 x 8 x 64 values of 16 bits, three quarters of them zeros: 65,536 bits become a third of that in words,
    of which a tile has at most one more; stored once and read once. SRAM has them plain. So is the input in DRAM."""
    counts = ran(of(FIRST, SECOND, map_zeros={"share": 0.75}), with_codec()).counts
    coded = 65536 * 64 * (1 - 0.75) / (3 * 16 * (1 - 0.75**32)) / 8
    assert coded <= counts.dram_write_ofmap_bytes - 8 * 8 * 8 * 2 <= coded + 4 * 8
    assert coded <= counts.dram_read_ifmap_bytes - 8 * 8 * 32 * 2 <= coded + 4 * 8
    assert counts.sram_read_ofmap_bytes == 8 * 8 * (64 + 8) * 2
    assert counts.coded_bytes == 2 * 8 * 8 * 64 * 2
    assert counts.sram_write_ifmap_bytes == 8 * 8 * (32 + 64) * 2


def test_fewer_bytes_take_less_energy_and_time() -> None:
    """DRAM gives 12.8 bytes a clock, the codec as many as wanted."""
    plain, coded = (ran(of(FIRST, SECOND, map_zeros={"share": share}), with_codec()) for share in (0.0, 0.75))
    assert coded.energy.dram_pj < plain.energy.dram_pj
    assert coded.total_cycles < plain.total_cycles


def test_a_slow_codec_holds_up_loads_and_stores() -> None:
    """A byte a clock: a map of 8,192 bytes is encoded in as many clocks, and decoded in as many behind that."""
    network = of(FIRST, SECOND, map_zeros={"share": 0.75})
    cycles = {rate: ran(network, with_codec(rate)).total_cycles for rate in (1, 4, 1 << 16)}
    assert cycles[1] >= 8192
    assert cycles[1] > cycles[4] > cycles[1 << 16]


def test_a_machine_without_a_codec_keeps_maps_as_they_are() -> None:
    machine = machine_of(array__activation_bits=16)
    plain, sparse = (ran(of(FIRST, SECOND, map_zeros={"share": share}), machine) for share in (0.0, 0.75))
    assert plain == sparse


def test_which_maps_have_zeros() -> None:
    """Those that end in a ReLU or in the maximum of one, and those named; a concat has those of its inputs, by their
    channels."""
    rows = [
        {"name": "a", "op": "conv", "kernel": 1, "channels": 6, "activation": "relu"},
        {"name": "b", "op": "conv", "kernel": 1, "channels": 2, "inputs": ["input"]},
        {"name": "both", "op": "concat", "inputs": ["a", "b"]},
        {"name": "c", "op": "relu"},
        {"name": "d", "op": "maxpool", "kernel": 2, "stride": 2},
        {"name": "e", "op": "conv", "kernel": 1, "channels": 2},
        {"name": "f", "op": "maxpool", "kernel": 2, "stride": 2},
    ]
    shares = zero_shares(of(*rows, map_zeros={"share": 0.5, "layers": {"b": 0.9}}))
    assert shares == pytest.approx({"input": 0, "a": 0.5, "b": 0.9, "both": 0.6, "c": 0.5, "d": 0.5, "e": 0, "f": 0})


@pytest.mark.parametrize("scheduling", [APART, Scheduling()])
def test_the_numbers_are_those_of_plain_maps(scheduling: Scheduling) -> None:
    """Executed, in tiles with halos that are read otherwise than they were written."""
    rows = [{**FIRST, "kernel": 3, "pad": 1, "channels": 16}, {**SECOND, "kernel": 3, "pad": 1}]
    network = of(*rows, size=(12, 12, 8), map_zeros={"share": 0.9})
    machine = with_codec(4, sram__activation__capacity_bytes=3000)
    assert check_network(network, machine, scheduling) == []


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("bytes_per_clock", [4, 32])
def test_the_tiler_knows_what_codes_move(kernel: int, bytes_per_clock: int) -> None:
    """Estimates over what is played, of a layer that stores a coded map and one that loads it, with halos: bytes of
    whole bursts within 1 %, clocks of both within 8 %, a slow codec included."""
    rows = [{**FIRST, "kernel": kernel, "pad": kernel // 2}, {**SECOND, "kernel": kernel, "pad": kernel // 2}]
    machine = with_codec(bytes_per_clock, sram__activation__capacity_bytes=20_000)
    lowered = lower(of(*rows, size=(24, 24, 16), map_zeros={"share": 0.7}), machine, APART)
    outcome = play(lowered.program, link(lowered.program), machine)
    cycles = 0.0
    for layer, account in zip(lowered.layers, outcome.layers, strict=True):
        assert layer is not None
        estimate = alternatives(layer.task, layer.context).noteworthy[0]
        assert estimate.burst_bytes == pytest.approx(account.moved.dram_burst_bytes, rel=0.01)
        cycles += estimate.cycles
    assert cycles == pytest.approx(outcome.total_cycles, rel=0.08)


def test_a_tile_that_is_stored_keeps_its_place_until_it_is_encoded_and_no_longer() -> None:
    """A code that saves no word of short rows, by a codec that takes no time: the clocks of plain maps, though tiles
    have hardly any room."""
    machine = with_codec(1 << 20, sram__activation__capacity_bytes=3000)
    plain, coded = (
        ran(of(FIRST, SECOND, size=(24, 24, 16), map_zeros={"share": share}), machine) for share in (0.0, 0.27)
    )
    assert coded.counts.dram_burst_bytes == plain.counts.dram_burst_bytes
    assert coded.total_cycles == plain.total_cycles


def test_a_layer_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match=r"map_zeros\.layers\.nowhere"):
        simulate("shufflenet_g3", "edge", {"network.map_zeros.layers.nowhere": 0.5})
