"""Weight-stationary: weights stay in the PEs, the pixels of the map stream by, sums over K move down."""

from accelsim.dataflows.moving_sums import MovingSums

WEIGHT_STATIONARY = MovingSums("ws", rows="k", cols="n", streamed="m")
