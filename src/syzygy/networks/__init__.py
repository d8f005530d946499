"""Who learns: the networks, and the catalogue of settings that ships with them."""

from syzygy.networks.catalogue import TYPES, Setting, catalogue, setting
from syzygy.networks.layers import ACTIVATIONS, Dropout

__all__ = ["ACTIVATIONS", "TYPES", "Dropout", "Setting", "catalogue", "setting"]
