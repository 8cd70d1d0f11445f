r"""Several processes train one network: who this one is, and how they agree.

Alone is what `earlet train` is unless torchrun started it:

    torchrun --nproc-per-node 4 -m earlet train ...             four GPUs of one machine
    torchrun --nnodes 2 --nproc-per-node 4 \
        --rdzv-backend c10d --rdzv-endpoint HOST:29500 \
        -m earlet train ...                                     on each of two machines

Every process holds the whole corpus and deals the same order; each batch is split among them, and
the gradients of its parts are added up with the weight that each part has in it. So together they
take the steps that one process would take, up to rounding and up to what is drawn or measured
within a batch: batch norm sees each process's part alone (its running statistics are averaged after
every epoch), clips are mixed within a part, and dropout differs. Only the first process writes and
prints.

The engine is Lightning Fabric (its DDP strategy, over gloo or NCCL); it is imported only here, and
only where there are several processes.
"""

import gc
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed import destroy_process_group
from torch.nn.parallel import DistributedDataParallel

from earlet.errors import UsageError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")


class Alone:
    """One process: every method gives back what it gets."""

    rank, size = 0, 1

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def wrap(self, step: nn.Module) -> nn.Module:
        """A module for training -> the same, so that its gradients are shared."""
        return step

    def shares(self, mass: Tensor, rows: int) -> tuple[float | Tensor, float | Tensor]:
        """What to multiply this part's mean loss and its mean per row by, so that all add up."""
        return 1.0, 1.0

    def backward(self, loss: Tensor) -> None:
        """Gradients of the loss, added up over all processes."""
        loss.backward()  # type: ignore[no-untyped-call]

    def total(self, loss: Tensor) -> float:
        """The loss of the whole batch."""
        return float(loss.detach())

    def sum(self, values: Tensor) -> Tensor:
        """[...] -> [...], added up over all processes."""
        return values

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Give tensors, in place, their mean over all processes."""

    def first(self, make: Callable[[], T]) -> T:
        """What `make` gives the first process, for all of them."""
        return make()

    def leave(self) -> None:
        """End the sharing, when all is done."""


class Together(Alone):
    """One of several processes."""

    def __init__(self, fabric: "Fabric") -> None:
        super().__init__(fabric.device)
        self.fabric = fabric
        self.rank, self.size = fabric.global_rank, fabric.world_size

    def wrap(self, step: nn.Module) -> nn.Module:
        """Wrapped by DDP."""
        return self.fabric.setup_module(step)

    def shares(self, mass: Tensor, rows: int) -> tuple[float | Tensor, float | Tensor]:
        """How much of all parts this one weighs, times their number: DDP takes the mean."""
        # A stand-in for an empty part (see `Batch`) weighs nothing.
        own = torch.stack([mass.detach() * (rows > 0), mass.new_tensor(float(rows))])
        mass_share, row_share = own * self.size / self.sum(own)
        return mass_share, row_share

    def backward(self, loss: Tensor) -> None:
        """By Fabric, which lets DDP average the gradients meanwhile."""
        self.fabric.backward(loss)

    def total(self, loss: Tensor) -> float:
        """The parts' losses carry their shares already."""
        return float(self.sum(loss.detach())) / self.size

    def sum(self, values: Tensor) -> Tensor:
        """[...] -> [...], a new tensor on this process's device."""
        summed = self.fabric.all_reduce(values.to(self.device).clone(), reduce_op="sum")
        assert isinstance(summed, Tensor)
        return summed

    @torch.no_grad()
    def average(self, tensors: Iterable[Tensor]) -> None:
        """Fractions only; counters are the same everywhere."""
        for tensor in tensors:
            if tensor.is_floating_point():
                tensor.copy_(self.sum(tensor) / self.size)

    def first(self, make: Callable[[], T]) -> T:
        """Sent to the others, whatever it is; what it raises ends them too, through torchrun."""
        made: T = self.fabric.broadcast(make() if self.rank == 0 else None)  # type: ignore[assignment]
        return made

    def leave(self) -> None:
        """Wait for the others, then end the threads that gloo keeps.

        Whatever was wrapped must be gone by then: DDP holds the process group too, and a process
        that ends while one of its threads runs is aborted ("terminate called without an active
        exception"), which torchrun calls a failure.
        """
        gc.collect()
        self.fabric.barrier()
        destroy_process_group()


@contextmanager
def joined(device: str) -> Iterator[Alone]:
    """`join`, and `leave` at the end; not after an exception, where the others may be waiting."""
    processes = join(device)
    yield processes
    processes.leave()


def join(device: str) -> Alone:
    """The processes that torchrun started this one among, or this one alone. Raises UsageError.

    `device`: `auto`, `cpu`, `cuda`, and alone `cuda:N` too.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Alone(pick_device(device))
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(
            f"--device {device} names one device, and torchrun started {size} processes. Give cpu, "
            "cuda or auto: each process takes the GPU of its own number."
        )
    kind = pick_device(device).type
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    if kind == "cuda" and torch.cuda.device_count() < here:
        raise UsageError(
            f"torchrun started {here} processes here, and this machine has "
            f"{torch.cuda.device_count()} GPUs. Give --nproc-per-node that many at most."
        )
    return Together(launch(kind, processes_here=here, machines=size // here))


def launch(kind: str, *, processes_here: int, machines: int) -> "Fabric":
    """Fabric, connected to the other processes."""
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    # Buffers are batch norm's statistics, which each process keeps within an epoch; newer
    # torch has a new word for that and warns at the old one.
    keys = signature(DistributedDataParallel).parameters
    own_buffers = "forward_sync_buffers" if "forward_sync_buffers" in keys else "broadcast_buffers"
    # Some networks keep weights that they do not use (Spec-ResNet's, see there).
    settings: dict[str, Any] = {"find_unused_parameters": True, own_buffers: False}
    fabric = Fabric(
        accelerator=kind,
        devices=processes_here,
        num_nodes=machines,
        strategy=DDPStrategy(**settings),
    )
    fabric.launch()
    return fabric


def pick_device(name: str) -> torch.device:
    """`auto`, `cpu`, `cuda`, `cuda:1` -> the device, if this machine has it. Raises UsageError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name != "cpu" and not (name.startswith("cuda") and torch.cuda.is_available()):
        raise UsageError(
            f"this machine has no device {name!r} that torch {torch.__version__} can use. Give "
            "--device cpu, or install a build of torch for it."
        )
    return torch.device(name)
