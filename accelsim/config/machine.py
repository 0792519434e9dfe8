"""Schema of a machine: array, vector unit, SRAM, DMA, DRAM and energy table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from accelsim.config.area_table import AreaTable
from accelsim.config.dram import DramDevice, broken_rules
from accelsim.config.energy_table import EnergyTable
from accelsim.config.schema import Bits, Count, Name, Positive, PositiveNumber, Section, has_key
from accelsim.config.strict_yaml import KeyPath
from accelsim.dataflows import DATAFLOWS, DataflowChoice
from accelsim.dataflows.timing import TimingName
from accelsim.units import ClockRatio, ceil_div

MOST_APART = 1_000_000
"""Times that the clock of the array may be that of DRAM commands, or the other way round."""
MOST_CACHED = 1 << 28
"""Bytes of a cache."""
MOST_LINES = 1 << 22
"""Lines of a cache, each of which is remembered."""
MOST_IN_FLIGHT = 1 << 22
"""Bursts in flight of all DMA engines, each of which is remembered."""
Lanes = Annotated[int, Field(gt=0, le=1 << 16)]


MOST_REQUESTS = 1 << 12
Few = Annotated[int, Field(gt=0, le=MOST_REQUESTS)]
CacheClocks = Annotated[int, Field(ge=0, le=1 << 20)]


def _power_of_two(number: int) -> int:
    if number & (number - 1):
        raise ValueError("a power of two")
    return number


PowerOfTwo = Annotated[int, Field(gt=0, le=1 << 20), AfterValidator(_power_of_two)]


class FoldPasses(Section):
    """The passes that the array streams a fold in: each takes pixels of one row of a feature map."""

    longest: Annotated[int, Field(gt=0, le=1 << 16)] = Field(description="most pixels of a pass")
    shortest_clocks: Annotated[int, Field(gt=0, le=1 << 16)] = Field(1, description="cycles of a pass at least")
    change_clocks: Count = Field(
        0, description="cycles at least of the last pass before the stationary operand changes"
    )
    in_flight: Annotated[int, Field(gt=0, le=1 << 16)] = Field(1 << 16, description="passes in the array at once")
    leave_clocks: Count = Field(0, description="cycles from a pass's last output until another may take its place")


class Array(Section):
    """The PE array and its data types."""

    rows: Annotated[int, Field(gt=0, le=1 << 16)] = Field(description="PE rows")
    cols: Annotated[int, Field(gt=0, le=1 << 16)] = Field(description="PE columns")
    dataflow: DataflowChoice = Field(
        description="weight-, input- or output-stationary, or for each layer what suits the objective best"
    )
    clock_mhz: PositiveNumber = Field(description="clock of array, vector unit, SRAM and DMA")
    overlap: bool = Field(True, description="the next fold loads, or the last drains, behind the current one")
    timing: TimingName = Field(
        "systolic", description="how cycles of a fold are counted: as registers take them, or as SCALE-Sim 3.0.0 does"
    )
    passes: FoldPasses | None = Field(None, description="passes of a fold; null: its stream is not cut")
    mac_latency: Annotated[int, Field(ge=1, le=64)] = Field(1, description="cycles of a MAC: multiplier stages + 1")
    post_latency: Count = Field(4, description="cycles of requantisation, from the array's last output to SRAM")
    weight_bits: Bits = Field(8, description="bits of a weight")
    activation_bits: Bits = Field(8, description="bits of a feature map element")
    psum_bits: Annotated[int, Field(ge=8, le=64)] = Field(32, description="bits of a partial sum")
    operands: Literal["signed", "either"] = Field(
        "signed", description="either: multipliers take unsigned operands as well, and are a bit wider for each"
    )
    depthwise_on: Literal["array", "vector", "engine", "auto"] = Field(
        "array", description="unit that does depthwise convolutions, or for each layer the one that suits the objective"
    )
    depthwise_packing: Literal["diagonal", "patches"] = Field(
        "diagonal",
        description="what a step makes of each channel of a depthwise layer: an output, or a patch of outputs",
    )


class Vector(Section):
    """The vector unit."""

    lanes: Lanes = Field(description="elements a cycle")


class Depthwise(Section):
    """A depthwise engine: channels side by side, a window over the pixels of each."""

    channels: Lanes = Field(description="channels side by side, a pixel of each in a cycle")
    taps_per_clock: Annotated[int, Field(gt=0, le=1024)] = Field(9, description="multipliers of a channel")
    max_taps: Annotated[int, Field(gt=0, le=1024)] = Field(25, description="pixels of the largest window")
    line_buffer_bytes: Positive = Field(16384, description="rows that are kept until a window is whole")


class Buffer(Section):
    """An SRAM buffer with one read and one write port of the same width."""

    capacity_bytes: Positive = Field(description="capacity, of which half is a tile's")
    port_bytes_per_cycle: Positive = Field(description="width of the read port, and of the write port")


class Accumulator(Section):
    """The partial-sum buffer; its ports are as wide as the array has columns unless given."""

    capacity_bytes: Positive = Field(description="capacity, of which half is a tile's")
    port_bytes_per_cycle: Positive | None = Field(None, description="port width; null: a partial sum for each column")
    fill: Literal["dma"] | None = Field(
        default=None,
        description="dma: a DMA engine writes the zeros that sums begin with, a row of columns a cycle; null: free",
    )


class Host(Section):
    """The core that issues the commands of the machine, a tile iteration at a time."""

    tile_clocks: Positive = Field(description="cycles to issue the commands of a tile iteration")


class Sram(Section):
    """The on-chip buffers."""

    activation: Buffer = Field(description="feature maps on their way in and out")
    weight: Buffer = Field(description="weights")
    accumulator: Accumulator = Field(description="partial sums")
    unified: bool = Field(
        default=False,
        description="activation and weight buffer are one memory with both ports, which the compiler splits",
    )
    line_buffer: bool = Field(False, description="a pixel under several kernel positions is read from SRAM once")

    @property
    def capacity_bytes(self) -> int:
        """Bytes of all buffers together."""
        return self.operand_bytes + self.accumulator.capacity_bytes

    @property
    def operand_bytes(self) -> int:
        """Bytes of the activation and the weight buffer."""
        return self.activation.capacity_bytes + self.weight.capacity_bytes

    def memory_bytes(self, buffer: Buffer) -> int:
        """Bytes of the memory that a buffer is, or is in."""
        return self.operand_bytes if self.unified else buffer.capacity_bytes

    def split(self, activation_bytes: int) -> Sram:
        """The unified memory with this part of it as the activation buffer."""
        sizes = activation_bytes, self.operand_bytes - activation_bytes
        both = zip((self.activation, self.weight), sizes, strict=True)
        activation, weight = (each.model_copy(update={"capacity_bytes": size}) for each, size in both)
        return self.model_copy(update={"activation": activation, "weight": weight})


class InputPath(Section):
    """The way of feature maps from the activation buffer to the array: elements a cycle of what it does; 0: nothing."""

    scale: Count = Field(default=0, description="elements a cycle that a batch norm or ReLU is done to; 0: it can't")


class OutputPath(Section):
    """The way of results from the array to the activation buffer: elements a cycle of what it does; 0: nothing."""

    scale: Count = Field(default=0, description="elements a cycle that a batch norm or ReLU is done to; 0: it can't")
    function: Count = Field(default=0, description="elements a cycle that another function is done to; 0: it can't")
    add: Count = Field(default=0, description="elements a cycle that another map is added to; 0: it can't")
    max_pool: Count = Field(default=0, description="elements a cycle that enter a maximum; 0: it can't")
    avg_pool: Count = Field(default=0, description="elements a cycle that enter a mean; 0: it can't")
    pool_in: Literal["buffer", "accumulator"] = Field(
        default="buffer", description="where the maxima or sums of pools lie until their windows are whole"
    )
    pool_buffer_bytes: Count = Field(default=0, description="capacity of that buffer")
    pool_overlaps: bool = Field(default=False, description="whether windows of pools may overlap, from tile to tile")


class Cache(Section):
    """A cache between the DMA engines, or a higher cache, and what is below. Its cycles are those of the array."""

    name: Name = Field(description="what tables and pictures call it")
    capacity_bytes: Positive = Field(description="bytes of all lines")
    ways: Annotated[int, Field(gt=0, le=64)] = Field(description="lines of a set")
    line_bytes: PowerOfTwo = Field(description="bytes of a line")
    port_bytes_per_cycle: PowerOfTwo = Field(description="bytes that pass to and from above in a cycle")
    hit_clocks: CacheClocks = Field(description="cycles from a request to its first data, or to what is asked below")
    request_clocks: CacheClocks = Field(1, description="cycles from one request to the next at least")
    fill_clocks: CacheClocks = Field(
        0, description="cycles of the port that a line takes on its way from or to what is below"
    )
    miss_clocks: CacheClocks | None = Field(
        None,
        description="cycles from a read that misses to the next request, whatever its bytes; null: as one that hits",
    )
    misses_in_flight: Annotated[int, Field(gt=0, le=256)] = Field(description="misses under way")
    replacement: Literal["random", "any_way", "lru"] = Field("lru", description="line of a set that leaves")
    writes: Literal["back", "through"] = Field(
        "back", description="written lines are fetched, kept and written back when they leave, or writes are passed on"
    )
    write_port: Literal["shared", "separate"] = Field("shared", description="whether writes have a port of their own")
    same_set: Literal["waits", "stalls"] = Field(
        "waits", description="whether a request to the set of a miss under way waits alone or with those behind it"
    )


class Decoder(Section):
    """Decoder of each engine that loads: expands weights that lie losslessly compressed in DRAM."""

    format: Name = Field(description="name of the compressed form")
    bytes_per_clock: Positive = Field(description="bytes that it gives in a cycle")


class MapCodec(Section):
    """Encoder and decoder of each engine: feature maps lie in DRAM as values with the zeros before them counted."""

    format: Literal["zero_run_length"] = Field(
        description="a run of zeros and a value, pair by pair, whole pairs in a word"
    )
    run_bits: Annotated[int, Field(ge=1, le=16)] = Field(5, description="bits of a run's length")
    word_bits: Annotated[int, Field(ge=8, le=1024, multiple_of=8)] = Field(
        64, description="bits of a word, of which one says whether it is the last"
    )
    bytes_per_clock: Positive = Field(description="plain bytes that pass it in a cycle")


class Dma(Section):
    """The DMA engines. Each transfer goes to the one of its direction that is free first."""

    engines_in: Annotated[int, Field(gt=0, le=64)] = Field(default=1, description="engines that load")
    engines_out: Annotated[int, Field(gt=0, le=64)] = Field(default=1, description="engines that store")
    decoder: Decoder | None = Field(
        default=None, description="expands compressed weights; null: they are stored as they are"
    )
    map_codec: MapCodec | None = Field(
        default=None, description="encodes feature maps on their way to DRAM; null: they are stored as they are"
    )
    bursts_per_clock: Annotated[int, Field(gt=0, le=1 << 20)] = Field(
        default=1, description="bursts that one engine issues in a cycle"
    )
    setup_cycles: Count = Field(default=16, description="cycles to set up a descriptor; assumed where left out")
    max_outstanding_bursts: Annotated[int, Field(gt=0, le=1 << 20)] = Field(
        default=64, description="bursts in flight of one engine; assumed where left out"
    )
    request_bytes: PowerOfTwo | None = Field(
        default=None, description="most bytes of a request to a cache; requests are aligned powers of two"
    )
    requests_in_flight: Few | None = Field(
        default=None, description="requests to a cache in flight of one engine; null: max_outstanding_bursts"
    )
    descriptors_in_flight: Few | None = Field(default=None, description="descriptors in flight of an engine; null: any")
    landing_cycles: Few | None = Field(default=None, description="cycles from a load's last byte to its end; null: 0")
    landing_row_bytes: Positive | None = Field(default=None, description="bytes of loads that land a cycle; null: any")
    descriptor_rows: Few | None = Field(default=None, description="most rows of a descriptor; null: any")
    descriptor_within: Literal["row"] | None = Field(
        default=None, description="row: a descriptor ends with a row of a map, or a position of a kernel; null: not"
    )
    load_row_bytes: Positive | None = Field(
        default=None, description="most bytes of a row of a load's descriptor; null: any"
    )
    store_row_bytes: Positive | None = Field(
        default=None, description="most bytes of a row of a store's descriptor; null: any"
    )
    store_block_bytes: Positive | None = Field(
        default=None, description="bytes of a store's row that come in a cycle before it is sent; null: the whole row"
    )
    scatter: bool = Field(default=True, description="stores may scatter channels; false: shuffles are explicit copies")


def _source_key(key: str) -> str:
    if not has_key(Machine, key) and not key.startswith("scheduling."):
        raise ValueError("a key of the machine")
    return key


class Machine(Section):
    """A whole accelerator, resolved: DRAM device and energy table inlined."""

    name: Name = Field(description="name in tables and pictures; by default that of the file")
    description: str = Field("", description="a sentence for readers")
    array: Array = Field(description="the PE array")
    vector: Vector = Field(description="the vector unit")
    depthwise: Depthwise | None = Field(None, description="a depthwise engine; null: there is none")
    sram: Sram = Field(description="on-chip buffers")
    input_path: InputPath = Field(InputPath(), description="what is done to maps on their way to the array")
    output_path: OutputPath = Field(OutputPath(), description="what is done to results on their way from the array")
    dma: Dma = Field(Dma(), description="DMA engines")
    host: Host | None = Field(None, description="core that issues tiles; null: commands are there when wanted")
    caches: Annotated[list[Cache], Field(min_length=1, max_length=8)] | None = Field(
        None, description="caches between DMA and DRAM, the highest first; null: none"
    )
    dram: DramDevice = Field(description="a device by name, `{device: NAME}` with keys that differ, or all its keys")
    energy: EnergyTable = Field(description="a table by name, `{table: NAME}` with keys that differ, or all its keys")
    area: AreaTable | None = Field(None, description="sizes of its parts; null: areas are not known")
    sources: dict[Annotated[str, AfterValidator(_source_key)], str] = Field(
        default_factory=dict, description="source of each number, by key or key prefix"
    )

    @property
    def streamed_bytes_per_cycle(self) -> float:
        """Bytes an array clock of loads that stream: the DRAM's; those of the slowest cache where it holds none of them
        and a line passes its port once from below and request by request to what is above; or those that land."""
        rate = self.dram.streamed_bytes_per_clock * self.dram.clock_mhz / self.array.clock_mhz
        request = self.dma.request_bytes or self.dram.burst_bytes
        for cache in self.caches or ():
            clocks = max(cache.request_clocks, request / cache.port_bytes_per_cycle)
            missed = clocks if cache.miss_clocks is None else cache.miss_clocks
            hits = max(1.0, cache.line_bytes / request) - 1
            rate = min(rate, cache.line_bytes / (cache.fill_clocks + missed + hits * clocks))
            request = cache.line_bytes
        return rate if self.dma.landing_row_bytes is None else min(rate, self.dma.landing_row_bytes)


def _broken_clocks(machine: Machine) -> Iterator[tuple[KeyPath, str, str]]:
    """Clocks of array and DRAM commands between which times can be counted in 64 bits."""
    array_mhz, dram_mhz = machine.array.clock_mhz, machine.dram.clock_mhz
    if machine.dram.kind != "command":
        return
    ratio = ClockRatio.of(array_mhz, dram_mhz)
    if not 1 / MOST_APART <= array_mhz / dram_mhz <= MOST_APART:
        expected = f"within {MOST_APART:,} times the DRAM's, which is {dram_mhz}"
        yield ("array", "clock_mhz"), expected, str(array_mhz)
    elif max(ratio.array_clocks, ratio.other_clocks) >= 1 << 62:
        expected = f"fewer digits, or a simpler ratio to the DRAM's, which is {dram_mhz}"
        yield ("array", "clock_mhz"), expected, str(array_mhz)


DESCRIPTOR_KEYS = ("descriptors_in_flight", "landing_cycles", "descriptor_rows", "load_row_bytes", "store_row_bytes")
ROW_KEYS = ("descriptor_within", "landing_row_bytes", "store_block_bytes")
CACHE_KEYS = ("request_bytes", "requests_in_flight", *DESCRIPTOR_KEYS, *ROW_KEYS)
"""Keys of `dma` that say how requests reach a cache."""


def _broken_caches(machine: Machine) -> Iterator[tuple[KeyPath, str, str]]:
    """Caches that have whole sets and lines that hold those above, and requests that fit a line."""
    if machine.caches is None:
        for key in CACHE_KEYS:
            if (value := getattr(machine.dma, key)) is not None:
                yield ("dma", key), "null, as the machine has no caches", str(value)
        return
    if machine.dma.requests_in_flight is None and machine.dma.max_outstanding_bursts > MOST_REQUESTS:
        expected = f"at most {MOST_REQUESTS} where there are caches, or requests_in_flight"
        yield ("dma", "max_outstanding_bursts"), expected, str(machine.dma.max_outstanding_bursts)
    above = machine.dma.request_bytes or 1
    for number, cache in enumerate(machine.caches):
        where: KeyPath = ("caches", number)
        if cache.capacity_bytes % (cache.ways * cache.line_bytes):
            expected = f"a multiple of {cache.ways * cache.line_bytes}, a line in each way"
            yield (*where, "capacity_bytes"), expected, str(cache.capacity_bytes)
        if cache.capacity_bytes > MOST_CACHED:
            yield (*where, "capacity_bytes"), f"at most {MOST_CACHED}", str(cache.capacity_bytes)
        if cache.capacity_bytes // cache.line_bytes > MOST_LINES:
            expected = f"at most {MOST_LINES} lines of {cache.line_bytes} bytes"
            yield (*where, "capacity_bytes"), expected, str(cache.capacity_bytes)
        if cache.line_bytes < above:
            above_this = "a line of the cache above" if number else "a request of the DMA"
            yield (*where, "line_bytes"), f"at least {above}, {above_this}", str(cache.line_bytes)
        above = cache.line_bytes


def _streams_pixels(array: Array) -> bool:
    """True where the clocks of a fold are those of the pixels that stream through it."""
    streams = array.dataflow != "auto" and DATAFLOWS[array.dataflow].streamed == "m"
    return streams and array.timing == "systolic"


def inconsistencies(machine: Machine) -> Iterator[tuple[KeyPath, str, str]]:
    """(key, expected, got) of values that are fine alone and not together."""
    for key, expected, got in broken_rules(machine.dram):
        yield ("dram", *key), expected, got
    yield from _broken_clocks(machine)
    yield from _broken_caches(machine)
    array, accumulator = machine.array, machine.sram.accumulator
    engines = machine.dma.engines_in + machine.dma.engines_out
    if engines * machine.dma.max_outstanding_bursts > MOST_IN_FLIGHT:
        expected = f"at most {MOST_IN_FLIGHT} in flight of {engines} engines"
        yield ("dma", "max_outstanding_bursts"), expected, str(machine.dma.max_outstanding_bursts)
    if machine.energy.dram_by == "command" and machine.dram.kind != "command":
        yield ("energy", "dram_by"), "byte or auto, as the DRAM device has no commands", "command"
    if machine.energy.scaled_to is not None and machine.energy.supply_v is None:
        yield ("energy", "scaled_to"), "null, as the energy table has no supply_v", "a node"
    if array.timing == "scalesim-v3" and array.overlap:
        yield ("array", "overlap"), "false, as the folds of timing: scalesim-v3 are serial", "true"
    if array.timing == "scalesim-v3" and array.mac_latency != 1:
        yield ("array", "mac_latency"), "1, as it is with timing: scalesim-v3", str(array.mac_latency)
    if array.depthwise_packing == "patches" and (array.passes is not None or not _streams_pixels(array)):
        expected = "diagonal, as patches need weights that stay in a systolic array without passes"
        yield ("array", "depthwise_packing"), expected, "patches"
    if array.depthwise_on == "engine" and machine.depthwise is None:
        yield ("array", "depthwise_on"), "array, vector or auto, as there is no section depthwise", "engine"
    if array.passes is not None and not _streams_pixels(array):
        yield ("array", "passes"), "null, as only a weight-stationary systolic array streams pixels", "passes"
    least = 2 * array.cols * ceil_div(array.psum_bits, 8)
    sums_stay = array.dataflow != "auto" and DATAFLOWS[array.dataflow].sums_stay
    if not sums_stay and accumulator.capacity_bytes < least:
        expected = f"at least {least} (a partial sum for each column, twice)"
        yield ("sram", "accumulator", "capacity_bytes"), expected, str(accumulator.capacity_bytes)
