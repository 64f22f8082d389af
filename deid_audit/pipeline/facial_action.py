"""Facial action in two videos by somebody else's models: tables of action units, or a blendshape model's scores."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Frame
from deid_audit.measure.exam import ExamValue
from deid_audit.measure.exam.action_units import ActionUnitTable, compare_action_units, read_action_units
from deid_audit.pipeline.tracing import Person
from deid_audit.progress import Progress
from deid_audit.render.conceal import grown
from deid_audit.video.reader import SourceVideo
from deid_audit.vision.blendshapes import Blendshapes

_AROUND = 1.6  # of the face's box: FaceLandmarker looks for the face itself


def table_agreement(tables: tuple[Path, Path]) -> tuple[ExamValue, ...]:
    """How two tables of OpenFace or py-feat agree, unit by unit; raises TableFileError."""
    original, released = (read_action_units(path) for path in tables)
    return tuple(compare_action_units(original, released))


def blendshape_table(
    source: SourceVideo,
    frames: Iterable[Frame],
    person: Person,
    rows: NDArray[np.intp],
    model: Blendshapes,
    name: str,
    progress: Progress,
) -> ActionUnitTable:
    """The scores of the frames that are named by `rows`, numbered by their place in it; NaN where no face is found."""
    places = {int(row): place for place, row in enumerate(rows)}
    found: dict[str, NDArray[np.float64]] = {}
    with progress.step(f"blendshapes, {name}", source.facts.frame_count) as step:
        for frame in frames:
            box = person.boxes[frame.index]
            if frame.index in places and np.isfinite(box).all():
                height, width = frame.image_rgb.shape[:2]
                around = grown(box, _AROUND)
                low = np.floor(around[:2]).clip(0).astype(int)
                high = np.minimum(np.ceil(around[2:]).astype(int), (width, height))
                crop = frame.image_rgb[low[1] : high[1], low[0] : high[0]]
                for shape, score in ((model.scores(crop) if crop.size else None) or {}).items():
                    found.setdefault(shape, np.full(len(rows), np.nan))[places[frame.index]] = score
            step.advance()
    return ActionUnitTable(frames=np.arange(len(rows), dtype=np.int64), units=found, scale="0 to 1")
