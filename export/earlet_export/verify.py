"""`earlet verify BUNDLE --against ORIGINAL`: a checkpoint, or a model that was adopted."""

from pathlib import Path

from earlet.against import Ladder, Plan
from earlet.bundle import Bundle
from earlet_export.against import climb_bundle
from earlet_export.foreign.against import climb_adopted
from earlet_export.speed import one_thread


def climb_original(bundle: Bundle, original: Path, plan: Plan) -> Ladder:
    """A training run, a checkpoint, an ONNX file or `package.module:factory` -> what was found."""
    adopted = original.suffix == ".onnx" or (":" in original.name and not original.exists())
    if not adopted:
        return climb_bundle(bundle, original, plan)
    with one_thread():
        return climb_adopted(bundle, str(original), plan)
