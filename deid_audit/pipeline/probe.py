"""The probe: held-out frames of the subject, swapped and pasted, seen by the recogniser and the landmark network.

It decides when training stops, never what training does: no gradient comes from here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.errors import NotEnoughFaces
from deid_audit.faces.align import align
from deid_audit.frames import Float
from deid_audit.measure.appearance import Look, look_at
from deid_audit.measure.expression import FaceSignals, correlation, face_signals, movement_error
from deid_audit.pipeline.cast import ProbeFrame
from deid_audit.render.blend import SteadyColour, paste
from deid_audit.swap.convert import swap_face
from deid_audit.swap.networks import SwapModel
from deid_audit.swap.train import ProbeReading
from deid_audit.vision.mesh import LANDMARK_COUNT, FaceMesh, box_of
from deid_audit.vision.recognizer import Recognizer

# Floors of the release policy with room to spare, since the probe sees few frames.
_FLOORS = {"to_original_p05": 0.63, "to_donor_mean": 0.46}
_LARGEST_ERROR = {"mouth": 3.5, "eye": 2.2, "brow": 2.8}  # % of the inter-ocular distance
_LEAST_CORRELATION = {"mouth": 0.88, "eye": 0.75, "brow": 0.75, "yaw": 0.95}
_LEAST_SHARPNESS = 0.55
_LEAST_FINE = 0.1  # grey levels: below, the original shows nothing that could be sharp
_MOVES = {"mouth": 1.5, "eye": 1.0, "brow": 1.5, "yaw": 2.0}  # SD above which the correlation says something


@dataclass(slots=True, eq=False)
class Probe:
    """Made once from the held-out frames; called with a model during training."""

    frames: Sequence[ProbeFrame]
    recognizer: Recognizer
    donor_average: Float
    original: NDArray[np.float32]
    landmarks: Sequence[Float]
    looks: Sequence[Look | None]
    signals: FaceSignals
    mesh: FaceMesh

    def __call__(self, model: SwapModel, step: int) -> ProbeReading:
        chips, landmarks, ratios = [], [], []
        colour = SteadyColour(frame_rate=1e-3)  # held-out frames are not neighbours: no smoothing over them
        looked = zip(self.frames, self.landmarks, self.looks, strict=True)
        for number, (frame, own, before) in enumerate(looked):
            face = align(number, frame.window_rgb, frame.landmarks_xy, model.preset.size)
            pasted = paste(frame.window_rgb, frame.landmarks_xy, face, swap_face(model, face), colour)
            points = self.mesh.landmarks(pasted, box_of(frame.landmarks_xy))
            landmarks.append(_missing() if points is None else points)
            seen = look_at(pasted, own)
            ratios.append(np.nan if seen is None or before is None else seen.fine / max(before.fine, _LEAST_FINE))
            chips.append(
                self.recognizer.chip(pasted, box_of(frame.landmarks_xy), None if points is None else points[:, :2])
            )
        rows = self.recognizer.describe(chips)
        sharpness = float(np.nanmedian(ratios)) if np.isfinite(ratios).any() else float("nan")
        to_original = np.linalg.norm(rows - self.original, axis=1)
        to_donor = np.linalg.norm(rows - self.donor_average, axis=1)
        values = {
            "to_original_p01": float(np.quantile(to_original, 0.01)),
            "to_original_p05": float(np.quantile(to_original, 0.05)),
            "to_donor_mean": float(to_donor.mean()),
            "sharpness": sharpness,
        }
        swapped = face_signals(np.stack(landmarks))
        moving = []
        for part in ("mouth", "eye", "brow", "yaw"):
            original, after = getattr(self.signals, part), getattr(swapped, part)
            values[f"{part}_mae"] = float(movement_error(original, after))
            values[f"{part}_r"] = float(correlation(original, after))
            if float(np.nanstd(original)) > _MOVES[part]:
                moving.append(part)
        text = (
            f"original {values['to_original_p05']:.2f}, donor {values['to_donor_mean']:.2f}, "
            f"sharp {sharpness:.2f}, r mouth {values['mouth_r']:.2f} eye {values['eye_r']:.2f} "
            f"brow {values['brow_r']:.2f}"
        )
        return ProbeReading(step=step, values=values, lacking=lacking(values, moving), text=text)


def lacking(values: Mapping[str, float], moving: Sequence[str]) -> tuple[str, ...]:
    """Each floor that the values miss or that could not be looked at (NaN), in words; `moving` are the parts that move.

    A correlation counts only where the part moves: of a still face it is noise against noise.
    """
    original, donor = values["to_original_p05"], values["to_donor_mean"]
    found = [
        (
            original > _FLOORS["to_original_p05"],
            f"distance to the original {original:.2f}, above {_FLOORS['to_original_p05']}",
        ),
        (donor < _FLOORS["to_donor_mean"], f"distance to the donor {donor:.2f}, below {_FLOORS['to_donor_mean']}"),
        (
            values["sharpness"] >= _LEAST_SHARPNESS,
            f"sharpness {values['sharpness']:.2f} of the original's, {_LEAST_SHARPNESS} at least",
        ),
        *(
            (values[f"{part}_mae"] <= limit, f"{part} off by {values[f'{part}_mae']:.1f} %, {limit} at most")
            for part, limit in _LARGEST_ERROR.items()
        ),
        *(
            (values[f"{part}_r"] >= least, f"{part} follows by r {values[f'{part}_r']:.2f}, {least} at least")
            for part, least in _LEAST_CORRELATION.items()
            if part in moving
        ),
    ]
    return tuple(f"{words} is wanted" for holds, words in found if not holds)


def make_probe(frames: Sequence[ProbeFrame], recognizer: Recognizer, donor_average: Float) -> Probe:
    """Describes the held-out originals once, with the same chips and landmark mode as the swapped ones get."""
    mesh = FaceMesh(video=False)
    found = [(frame, mesh.landmarks(frame.window_rgb, box_of(frame.landmarks_xy))) for frame in frames]
    seen = [(frame, points) for frame, points in found if points is not None]
    if not seen:
        raise NotEnoughFaces(
            "no held-out frame shows a face with landmarks", next_step="give more videos of the subject"
        )
    chips = [recognizer.chip(frame.window_rgb, box_of(frame.landmarks_xy), frame.landmarks_xy) for frame, _ in seen]
    return Probe(
        frames=[frame for frame, _ in seen],
        recognizer=recognizer,
        donor_average=donor_average,
        original=recognizer.describe(chips),
        landmarks=[points for _, points in seen],
        looks=[look_at(frame.window_rgb, points) for frame, points in seen],
        signals=face_signals(np.stack([points for _, points in seen])),
        mesh=mesh,
    )


def _missing() -> NDArray[np.float32]:
    return np.full((LANDMARK_COUNT, 3), np.nan, np.float32)
