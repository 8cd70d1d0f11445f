from earlet_export.join import join
from earlet_export.trace import OPSET, Traced


def test_a_joined_graph_lists_its_operator_set_once(traced: Traced) -> None:
    whole = join(traced.frontend, traced.model)
    assert [(used.domain, used.version) for used in whole.opset_import] == [("", OPSET)]
