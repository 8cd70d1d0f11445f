"""Keeps the exporters' own chatter off the user's terminal while they work."""

import contextlib
import logging
import warnings
from collections.abc import Iterator

# torch.onnx names every torchvision operator that it skips; the quantizer logs to the root logger
# that it would like a preprocessing pass that the traced graphs do not need.
_TALKERS = ("torch.onnx", "torch.export", "torch.fx", "onnxscript", "onnx_ir")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Inside, warnings and log lines below ERROR of torch, onnx and the quantizer are dropped."""
    root = logging.getLogger()
    loggers = [logging.getLogger(name) for name in _known_talkers()]
    levels = [logger.level for logger in loggers]
    root.addFilter(_errors_only)
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        root.removeFilter(_errors_only)


def _known_talkers() -> list[str]:
    """The talkers and those of their children that exist already with levels of their own."""
    existing = list(logging.Logger.manager.loggerDict)
    children = [n for n in existing if n.startswith(tuple(f"{t}." for t in _TALKERS))]
    return sorted({*_TALKERS, *children})


def _errors_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
