"""How a tensor runs along time, and how an operator moves along it.

A window's tensor is a stretch of an endless one. Step j of that endless tensor is made from the
frames from `stride * j` on; a window that begins at frame f sees the steps from f / stride on.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A tensor that runs along time.

    `axis`: which of its axes is time; `stride`: frames from one step to the next; `delay`: by how
    many of its own steps it lags behind the newest frame; `length`: steps in a window.
    """

    axis: int
    stride: int = 1
    delay: int = 0
    length: int = 0


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Step j of the output is made from the steps stride * j + first to stride * j + last."""

    stride: int = 1
    first: int = 0
    last: int = 0

    def delay(self, given: int) -> int:
        """Smallest delay of the output, in its own steps, where the input's is `given`.

        After each chunk the input ends with step -given - 1 (counted from the chunk's end), and the
        output's newest step -delay - 1 needs up to -stride * (delay + 1) + last of it.
        """
        return max(0, -(-(given + self.last + 1 - self.stride) // self.stride))


@dataclass(frozen=True, kw_only=True)
class Moved:
    """An operator that streams: where time lies in its outputs, and what each output step reads.

    The reach is the same for all its flowing inputs.
    """

    axis: int
    reach: Reach = Reach()


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """An operator that does not stream: why not, and what to change in the network."""

    why: str
    change: str = ""
