from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from accelsim.config.dram import CommandDevice
from accelsim.machine.dram.address import AddressMap
from accelsim.machine.dram.model import Report
from accelsim.machine.dram.scheduler import Policy
from accelsim.machine.dram.timing import Timing
from accelsim.program.tensors import Descriptor

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
    def begin(self, direction: int, descriptors: Iterable[Descriptor], window: int, cycle: int) -> None: ...
    def advance(self, until: int) -> list[Report]: ...
    def accesses(self) -> list[int]: ...
    def counts(self, clocks: int) -> list[dict[str, int]]: ...
    def data(self, number: int) -> list[tuple[int, int, int]]: ...
    def log(self, number: int) -> list[tuple[int, str, int, int]]: ...
