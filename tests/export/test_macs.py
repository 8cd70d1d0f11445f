import torch
from torch import Tensor, nn

from earlet_export.macs import layer_macs
from earlet_export.trace import trace


class Known(nn.Module):
    """Layers whose multiplications can be counted by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),  # 8 x 10 x 20 outputs, 9 taps of 1 channel
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8),  # 8 x 5 x 10, 9 taps of its own
            nn.Flatten(),
            nn.Linear(400, 7),
        )

    def features(self, waveform: Tensor) -> Tensor:
        return torch.tanh(waveform).reshape(waveform.shape[0], 1, 10, 20)


def test_multiplications_are_those_counted_by_hand() -> None:
    traced = trace(Known().eval(), window_samples=200)
    assert layer_macs(traced.model) == {
        "model/0/Conv": 8 * 10 * 20 * 9,
        "model/2/Conv": 8 * 5 * 10 * 9,
        "model/4/Gemm": 400 * 7,
    }


class Recurrent(nn.Module):
    """Two LSTMs, one of them both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Rows()

    def features(self, waveform: Tensor) -> Tensor:
        return torch.tanh(waveform).reshape(waveform.shape[0], 20, 10)


class Rows(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.both = nn.LSTM(10, 6, bidirectional=True, batch_first=True)
        self.one = nn.LSTM(12, 5, batch_first=True)

    def forward(self, rows: Tensor) -> Tensor:
        steps: Tensor = self.one(self.both(rows)[0])[0]
        return steps.mean(dim=1)


def test_an_lstm_multiplies_input_and_state_at_every_step() -> None:
    traced = trace(Recurrent().eval(), window_samples=200)
    assert sorted(layer_macs(traced.model).values()) == [
        20 * 4 * 5 * (12 + 5),
        20 * 2 * 4 * 6 * (10 + 6),
    ]
