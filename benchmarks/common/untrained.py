"""A pair as it is before its first step: both mean faces posed by landmarks, and nothing learnt beside them.

It costs and holds in a swap what a trained pair does.
"""

from pathlib import Path

from common.pairs import SILENT, role_of
from deid_audit.pipeline.cast import face_height, gather_donor, gather_subject
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.training import prepare_faces
from deid_audit.swap.augment import CROP_MARGIN
from deid_audit.swap.networks import PRESETS, SwapModel


def untrained(subject: Path, donor: Path, engines: Engines, *, frames: int) -> SwapModel:
    """The model of the two clips' people, from their first frames."""
    preset = PRESETS["micro64"]
    own_role, given_role = role_of(subject, "subject", engines, frames), role_of(donor, "donor", engines, frames)
    how = {"size": round(preset.size * CROP_MARGIN), "margin": CROP_MARGIN, "engines": engines, "progress": SILENT}
    own = gather_subject(own_role, who="subject", **how)
    given = gather_donor(given_role, who="donor", near=own.features, **how)
    priors, _ = prepare_faces(own, given, preset, "cpu", face_px=face_height(own_role))
    model = SwapModel(preset)
    model.set_priors(priors)
    return model.eval().requires_grad_(False)
