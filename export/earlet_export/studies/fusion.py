"""Are Spec-, MFCC- and CQCC-ResNet better together than alone, and on which attacks?"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from earlet.errors import RecipeError
from earlet.protocol import KEYS
from earlet_export.studies.fusion_findings import find
from earlet_export.studies.options import Size
from earlet_export.studies.speech import in_words, speech_part
from earlet_export.studies.study import Study
from earlet_export.studies.variant import Variant, changed
from earlet_train.recipe import Recipe, load_recipe

SYSTEMS = {"spec-resnet": "Spec-ResNet", "mfcc-resnet": "MFCC-ResNet", "cqcc-resnet": "CQCC-ResNet"}
CLIPS, DEV, EVALUATION, EPOCHS, SEEDS = 2_400, 300, 1_000, 14, 1
CLAIM = (
    "Alzantot, Wang, Srivastava (Interspeech 2019, arXiv 1907.00501) train three residual networks "
    "on spectrograms, MFCC and CQCC, and fuse them by the plain mean of their raw scores. On "
    "ASVspoof 2019 LA the fusion had 0 % EER on dev and 6.02 % on eval, 25 % below the LFCC-GMM "
    "baseline's 8.09 %; alone, as recalled and not found in a source: Spec 9.68 %, MFCC 9.33 %, "
    "CQCC 7.69 %."
)


def fusion_study(
    corpus: Path, *, out: Path, size: Size, recipes: Sequence[str] | None = None
) -> Study:
    """The study on one corpus. Raises CorpusError, RecipeError.

    `recipes`: the systems to fuse, by name or file, instead of the three published.
    """
    bases = [load_recipe(name) for name in recipes or SYSTEMS]
    _refuse_other(bases)
    taken, left_out = speech_part(
        corpus, out, size=size, train=CLIPS, dev=DEV, evaluation=EVALUATION
    )
    name = corpus.resolve().name
    variants, cuts = [], list(left_out)
    for base in bases:
        epochs = size.epochs or (base.training.epochs if size.full or recipes else EPOCHS)
        if epochs != base.training.epochs:
            cuts.append(f"{base.name}: {epochs} epochs; its recipe has {base.training.epochs}.")
        variants.append(
            Variant(
                name=base.name,
                title=SYSTEMS.get(base.name, base.name),
                set=name,
                recipe=changed(base, {"name": f"fusion-{base.name}", "training.epochs": epochs}),
                corpus=taken,
                seeds=tuple(range(1, (size.seeds or SEEDS) + 1)),
            )
        )
    if not recipes:
        cuts.append(
            "the recipes' learning rate and schedule (0.001, a cosine to 0) and equal weights of "
            "the labels are not the published ones (0.00005, constant, 100 epochs, 9 to 1), "
            "which their comments explain."
        )
    return Study(
        name="fusion",
        title=f"Are {', '.join(v.title for v in variants)} better together than alone?",
        claim=CLAIM,
        data={name: in_words(taken, of=corpus)},
        cuts=tuple(cuts),
        variants=tuple(variants),
        find=partial(find, variants),
    )


def _refuse_other(bases: Sequence[Recipe]) -> None:
    for base in bases:
        if set(base.labels) != set(KEYS):
            raise RecipeError(
                f"{base.source}: found the labels {', '.join(base.labels)}; this study fuses "
                "detectors that tell bonafide from spoof. Leave this recipe out."
            )
    names = [base.name for base in bases]
    if len(set(names)) < max(2, len(names)):
        raise RecipeError(
            f"found the recipes {', '.join(names)}; a fusion needs two or more different ones, "
            "each with a name of its own."
        )
