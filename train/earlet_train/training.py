"""What a recipe's [training] table may say: how the weights are found.

Every key that came later than a recipe has a default under which that recipe trains as before.
"""

from dataclasses import dataclass
from typing import Literal

from earlet_train.ranges import Count, Natural, NotNegative, Positive, Rate


@dataclass(frozen=True, kw_only=True)
class Training:
    """[training]: how the weights are found.

    **Loss.** `loss`: `nll`, the log-softmax likelihood of the label; `bce`, each logit its own yes
    or no; `a-softmax`, SphereFace's angular margin, for a model with an angular head.
    `class_weights`: one per label, in their order; empty = all 1.

    **Optimizer.** `betas`, `eps` and `amsgrad` are Adam's and AdamW's, `momentum` is SGD's.
    `frontend_learning_rate`: of the frontend's own weights, where it has any; it follows the same
    schedule. `reset_optimizer_each_epoch`: forget the moments (the published Spec-ResNet code
    does). `clip_gradient_norm`: 0 = as it comes.

    **Schedule** (see `earlet_train.schedule`), after `warmup_epochs`:

    - `constant`;
    - `cosine`: along a half cosine to `minimum_learning_rate` at the last epoch;
    - `step`: times `step_factor` after every `step_epochs`;
    - `plateau`: times `plateau_factor` after more than `plateau_epochs` without a lower dev loss;
    - `cosine-restarts`: rounds of a half cosine, the first `restart_epochs` long, each
      `restart_growth` times as long as the one before;
    - `noam`: up for `noam_steps` steps, then down with the root of the steps; sets the rate by
      `noam_width` alone and does not look at `learning_rate`.

    **Balance** of the train split, never of dev (see `earlet_train.balance`): `multiply` repeats
    recordings of the smaller classes, `undersample` leaves some of the larger ones out, up to or
    down to `balance_to` of each class (0 = the size of the largest, of the smallest);
    `balance_draw`: which ones is drawn anew each `epoch`, or `once`.

    **Otherwise.** `averaging`: decay per step of a running mean of the weights, which is then what
    is judged and kept; 0 = none. `patience`: stop after so many epochs without a better dev EER
    (of more than two labels: dev accuracy);
    0 = never. `augment`: where augmentations of features and mixtures happen, at the
    `model-input`, or at the `frontend-output` so that the adapter sees them (DiffRes' guide loss
    needs blanked frames to find). `precision`: of the model; frontend, adapter and loss stay in
    float32. `bfloat16` anywhere, `float16` on a GPU. `fake_int8`: round weights and activations of
    the model as the exporter will (see `earlet_train.fake_int8`), with the statistics of its batch
    norms frozen: for training on from a finished run; `--quantization-aware` sets it, with a
    schedule made for that.
    """

    epochs: Count
    batch_size: Count = 32
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: Positive = 1e-3
    frontend_learning_rate: Positive | None = None
    weight_decay: NotNegative = 0.0
    betas: tuple[Rate, Rate] = (0.9, 0.999)
    eps: Positive = 1e-8
    amsgrad: bool = False
    momentum: Rate = 0.9
    schedule: Literal["constant", "cosine", "step", "plateau", "cosine-restarts", "noam"] = (
        "constant"
    )
    warmup_epochs: NotNegative = 0.0
    minimum_learning_rate: NotNegative = 0.0
    step_epochs: Count = 10
    step_factor: Rate = 0.1
    plateau_epochs: Natural = 5
    plateau_factor: Rate = 0.5
    restart_epochs: Positive = 1.0
    restart_growth: Count = 2
    noam_steps: Count = 1000
    noam_width: Count = 64
    loss: Literal["nll", "bce", "a-softmax"] = "nll"
    label_smoothing: Rate = 0.0
    class_weights: tuple[Positive, ...] = ()
    balance: Literal["none", "multiply", "undersample"] = "none"
    balance_to: Natural = 0
    balance_draw: Literal["epoch", "once"] = "epoch"
    augment: Literal["model-input", "frontend-output"] = "model-input"
    reset_optimizer_each_epoch: bool = False
    clip_gradient_norm: NotNegative = 0.0
    averaging: Rate = 0.0
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = False
    patience: Natural = 0
    fake_int8: bool = False

    def __post_init__(self) -> None:
        if max(self.betas) >= 1 or self.momentum >= 1:
            raise ValueError("betas and momentum must lie below 1, or nothing is ever forgotten")
        if self.schedule == "noam" and self.warmup_epochs:
            raise ValueError(
                "warmup_epochs is set and the schedule 'noam' has a warm-up of its own: "
                "set noam_steps instead"
            )
        if self.minimum_learning_rate > self.learning_rate:
            raise ValueError(
                f"minimum_learning_rate {self.minimum_learning_rate:g} lies above learning_rate "
                f"{self.learning_rate:g}"
            )
        if self.balance == "none" and (self.balance_to or self.balance_draw != "epoch"):
            raise ValueError(
                "balance_to and balance_draw mean nothing without balance: set it to 'multiply' "
                "or 'undersample'"
            )
