"""What may stand between frontend and model and must stay in float: one file, one line each."""

from earlet_train.adapters.adapter import Adapter

ADAPTERS: dict[str, type[Adapter]] = {}
