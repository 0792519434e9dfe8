"""Every DRAM timing in clocks, from the first clock of one command to the first clock of the next.

Data sheets count from the last clock of a command to the last of the next; that is shifted here once.
"""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.config.dram import CommandDevice

READ, WRITE = 0, 1

ByDirection = tuple[int, int]
"""For RD and for WR."""
Between = tuple[ByDirection, ByDirection]
"""[first][second]: from RD or WR to the next RD or WR."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Clocks between commands, and the clocks that commands and data take.

    second_act_within: an ACT is two commands at most so far apart, 0: one; data_clock_runs_on: so long after data its
    clock stops, and RD or WR take a command more to start it, 0: it never stops.
    """

    burst: int
    latency: ByDirection
    act_to_access: ByDirection
    act_to_pre: int
    act_to_act: int
    act_to_act_rank: int
    act_to_act_group: int
    four_acts: int
    access_to_pre: ByDirection
    same_rank: Between
    same_group: Between
    other_rank: Between
    pre_to_act: int
    pre_all_to_act: int
    pre_to_pre: int
    pre_to_refresh: int
    pre_all_to_refresh: int
    act_to_refresh: int
    refresh_to_act: int
    refresh_interval: int
    act_slots: int
    access_slots: int
    separate_row_bus: bool
    second_act_within: int
    data_clock_runs_on: int

    @classmethod
    def of(cls, device: CommandDevice) -> Timing:
        """The timing of a device."""
        t = device.clocks
        bus, burst = device.command_bus, device.burst_clocks
        act, access = bus.act_clocks - 1, bus.access_clocks - 1
        cl, cwl = t("t_cl"), t("t_cwl")
        read_to_write = cl + burst + t("t_turn") - cwl
        write_to_read = cwl + burst + t("t_wtr_s")
        same_bus, gap = device.organisation.pseudo_channels == 1, burst + t("t_rtrs")
        return cls(
            burst=burst,
            latency=(cl, cwl),
            act_to_access=(t("t_rcd") + act - access, t("t_rcd_wr") + act - access),
            act_to_pre=t("t_ras") + act,
            act_to_act=t("t_rc"),
            act_to_act_rank=t("t_rrd_s"),
            act_to_act_group=t("t_rrd_l"),
            four_acts=t("t_faw"),
            access_to_pre=(t("t_rtp") + access, cwl + burst + t("t_wr") + access),
            same_rank=(
                (max(burst, t("t_ccd_s")), read_to_write),
                (write_to_read, max(burst, t("t_ccd_s"))),
            ),
            same_group=(
                (t("t_ccd_l"), read_to_write),
                (cwl + burst + t("t_wtr_l"), t("t_ccd_l_wr")),
            ),
            other_rank=((gap, cl - cwl + gap), (cwl - cl + gap, burst)) if same_bus else ((0, 0), (0, 0)),
            pre_to_act=t("t_rp") - act,
            pre_all_to_act=t("t_rp_all") - act,
            pre_to_pre=t("t_ppd"),
            pre_to_refresh=t("t_rp_refresh"),
            pre_all_to_refresh=t("t_rp"),
            act_to_refresh=t("t_rc") + act,
            refresh_to_act=t("t_rfc") - act,
            refresh_interval=t("t_refi"),
            act_slots=bus.act_clocks,
            access_slots=bus.access_clocks,
            separate_row_bus=bus.separate_row_bus,
            second_act_within=t("t_aad"),
            data_clock_runs_on=t("t_wckpst"),
        )
