"""What may stand between frontend and model and must stay in float: one file, one line each."""

from earlet_train.adapters.adapter import Adapter
from earlet_train.adapters.average_pool import AverageMaxPool, AveragePool, ConvAveragePool
from earlet_train.adapters.change_hop import ChangeHop
from earlet_train.adapters.diffres import DiffRes
from earlet_train.adapters.relevance import Relevance

ADAPTERS: dict[str, type[Adapter]] = {
    "average-max-pool": AverageMaxPool,
    "average-pool": AveragePool,
    "change-hop": ChangeHop,
    "conv-average-pool": ConvAveragePool,
    "diffres": DiffRes,
    "relevance": Relevance,
}
