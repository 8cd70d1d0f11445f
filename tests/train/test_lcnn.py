import onnx
import pytest
import torch
from torch import Tensor, nn

from earlet_export.quantize import observe, quantize
from earlet_export.trace import trace
from earlet_train.models.lcnn import Lcnn, LcnnSettings, MaxFeatureMap

PUBLISHED = (1, 60, 404)


@pytest.mark.parametrize(("classes", "parameters"), [(1, 269_729), (2, 269_826)])
def test_it_has_the_published_number_of_parameters(classes: int, parameters: int) -> None:
    """Published with one output; each further one reads 96 numbers and has a bias."""
    model = Lcnn(LcnnSettings(), shape=PUBLISHED, classes=classes)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_the_maps_shrink_as_in_the_table() -> None:
    model = Lcnn(LcnnSettings(), shape=PUBLISHED, classes=2).eval()
    shapes: list[tuple[int, ...]] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        shapes.append(tuple(output.shape[1:]))

    for module in model.body:
        if isinstance(module, nn.MaxPool2d):
            module.register_forward_hook(note)
    assert model.embedding(torch.zeros(1, *PUBLISHED)).shape == (1, 96)
    assert shapes == [(32, 30, 202), (48, 15, 101), (64, 7, 50), (32, 3, 25)]


def test_a_max_feature_map_keeps_the_larger_of_two_halves() -> None:
    x = torch.tensor([1.0, -2.0, 0.5, 3.0]).reshape(1, 4, 1, 1)
    assert MaxFeatureMap()(x).flatten().tolist() == [1.0, 3.0]


def test_it_reads_any_length_with_and_without_lstms() -> None:
    for lstms in (0, 2):
        model = Lcnn(LcnnSettings(lstms=lstms), shape=PUBLISHED, classes=2).eval()
        assert model(torch.zeros(2, 1, 60, 123)).shape == (2, 2)


def test_a_picture_too_small_for_four_pools_is_refused() -> None:
    for shape in ((1, 15, 100), (1, 60, 15)):
        with pytest.raises(ValueError, match="expected at least 16 x 16"):
            Lcnn(LcnnSettings(), shape=shape, classes=2)


VALID = LcnnSettings(lstms=0, time_edges="valid", last_pool="frequency")


def test_with_valid_edges_a_moment_is_the_same_in_every_window_that_holds_it() -> None:
    torch.manual_seed(0)
    model = Lcnn(VALID, shape=(1, 20, 130), classes=2).eval()
    x = torch.randn(1, 1, 20, 162)
    with torch.no_grad():
        early, late = model.body(x[..., :130]), model.body(x[..., 32:])
    # Four columns of 8 frames later.
    torch.testing.assert_close(early[..., 4:], late[..., :-4], atol=1e-5, rtol=0)
    assert early.shape[3] == 10
    zeros = Lcnn(LcnnSettings(lstms=0), shape=(1, 20, 130), classes=2).eval()
    zeros.load_state_dict(model.state_dict())
    with torch.no_grad():
        early, late = zeros.body(x[..., :130]), zeros.body(x[..., 32:])
    assert (early[..., 2:] - late[..., :-2]).abs().max() > 1e-3, "padding should have shown"


def test_valid_edges_leave_the_frames_of_the_module_s_table_and_the_same_weights() -> None:
    model = Lcnn(VALID, shape=(1, 60, 402), classes=2).eval()
    left = []
    for module in model.body:
        module.register_forward_hook(lambda _m, _i, out: left.append(out.shape[3]))
    model(torch.zeros(1, 1, 60, 402))
    assert list(dict.fromkeys(left)) == [398, 199, 197, 98, 96, 48, 46, 44]
    published = Lcnn(LcnnSettings(lstms=0), shape=(1, 60, 402), classes=2)
    assert published.state_dict().keys() == model.state_dict().keys()


def test_valid_edges_that_leave_no_frame_are_refused() -> None:
    # Backwards from one: + 2, + 2, x 2, + 2, x 2, + 2, x 2, + 4.
    assert Lcnn(VALID, shape=(1, 60, 56), classes=2).eval()(torch.zeros(1, 1, 60, 56)).shape[1] == 2
    with pytest.raises(ValueError, match="found 55 frames, of which convolutions without padding"):
        Lcnn(VALID, shape=(1, 60, 55), classes=2)


class Behind(nn.Module):
    """The model behind a frontend that only gives the samples the picture's shape."""

    def __init__(self, model: Lcnn) -> None:
        super().__init__()
        self.model = model

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(-1, 1, 60, 32)


def test_int8_takes_the_convolutions_and_leaves_the_lstms() -> None:
    model = Lcnn(LcnnSettings(lstms=1), shape=(1, 60, 32), classes=2)
    graph = trace(Behind(model).eval(), window_samples=60 * 32).model
    int8 = quantize(graph, observe(graph, [torch.randn(1, 1, 60, 32).numpy()]))
    kinds = [node.op_type for node in int8.graph.node]
    assert (kinds.count("Conv"), kinds.count("LSTM")) == (9, 1)
    weights = {w.name: w.data_type for w in int8.graph.initializer}
    kernels = [w.data_type for w in int8.graph.initializer if len(w.dims) == 4]
    assert kernels == [onnx.TensorProto.INT8] * 9
    recurrent = [kind for name, kind in weights.items() if "lstms." in name]
    # Of each direction the weights of what comes in and of what it said before.
    assert recurrent == [onnx.TensorProto.FLOAT] * 4
