import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earlet_train.frontends.resize import resized


class Resizer(nn.Module):
    def forward(self, picture: Tensor) -> Tensor:
        return resized(picture, 224, 224)


@pytest.mark.parametrize(
    ("rows", "columns"), [(7, 5), (201, 321), (224, 224), (3, 1000), (1, 9), (9, 1)]
)
@pytest.mark.parametrize("size", [(224, 224), (4, 300), (1, 2)])
def test_it_is_what_torch_interpolates(rows: int, columns: int, size: tuple[int, int]) -> None:
    torch.manual_seed(rows)
    picture = torch.rand(2, rows, columns, dtype=torch.float64)
    expected = F.interpolate(picture[:, None], size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(resized(picture, *size), expected[:, 0], rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_onnxruntime_finds_the_same_places() -> None:
    picture = torch.from_numpy(np.random.default_rng(3).random((1, 201, 321), dtype=np.float32))
    sizes = ({0: torch.export.Dim("B", min=1, max=8)},)
    with torch.no_grad():
        program = torch.onnx.export(
            Resizer().eval(),
            (torch.cat([picture, picture]),),
            dynamo=True,
            opset_version=18,
            dynamic_shapes=sizes,
        )
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    (found,) = session.run(None, {session.get_inputs()[0].name: picture.numpy()})
    assert isinstance(found, np.ndarray)
    # One rounding of a value in [0, 1]; ONNX Runtime's own Resize strays by 2e-5.
    assert np.abs(found - Resizer()(picture).numpy()).max() <= 1.2e-7
