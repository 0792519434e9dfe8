from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from accelsim.config.dram import CommandDevice
from accelsim.machine.memory.dram.address import AddressMap
from accelsim.machine.memory.dram.scheduler import Policy
from accelsim.machine.memory.dram.timing import Timing
from accelsim.machine.memory.port import Block, Progress

class Kernel:
    end: int
    def __init__(
        self,
        device: CommandDevice,
        timing: Timing,
        policy: Policy,
        address_map: AddressMap,
        ratio: tuple[int, int] | None = None,
        logs: bool = False,
    ) -> None: ...
    def play(self, directions: npt.NDArray[np.int64], addresses: npt.NDArray[np.int64]) -> None: ...
    def begin(self, direction: int, blocks: Iterable[Block], window: int, cycle: int) -> None: ...
    def advance(self, until: int) -> list[Progress]: ...
    def accesses(self) -> list[int]: ...
    def counts(self, clocks: int) -> list[dict[str, int]]: ...
    def data(self, number: int) -> list[tuple[int, int, int]]: ...
    def log(self, number: int) -> list[tuple[int, str, int, int]]: ...
