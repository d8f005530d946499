"""One pair of rates for several pairs, layers or networks, and whether they may share it."""

from syzygy.fitting.joint.shared_rates import JointFit, fit_jointly
from syzygy.fitting.joint.sharing import Sharing

__all__ = ["JointFit", "Sharing", "fit_jointly"]
