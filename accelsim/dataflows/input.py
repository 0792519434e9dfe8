"""Input-stationary: a part of the map stays in the PEs, the weights stream by, sums over K move down."""

from accelsim.dataflows.moving_sums import MovingSums

INPUT_STATIONARY = MovingSums("is", rows="k", cols="m", streamed="n")
