"""Two videos' movement compared: timing first, then the person traced in both, and in a null edit of the first.

Writes nothing but a table, where one is asked for. It is no verdict: no policy is asked and no certificate made.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid_audit.errors import SettingsError
from deid_audit.frames import Frame
from deid_audit.measure.exam import ExamValue
from deid_audit.measure.exam.action_units import compare_action_units
from deid_audit.measure.motion import MotionComparison, compare_tracks
from deid_audit.measure.motion_tracks import MotionTracks
from deid_audit.pipeline.exam_rows import ExamRow, TremorRow, exam_rows, tremor_rows
from deid_audit.pipeline.facial_action import blendshape_table, table_agreement
from deid_audit.pipeline.staging import interruptible, staged_file
from deid_audit.pipeline.tracing import Person, find_person, picked, trace, wipe
from deid_audit.progress import Progress
from deid_audit.video.pairing import Timing, common_instants
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.writer import roundtrip
from deid_audit.vision.blendshapes import Blendshapes

FIRST, SECOND = "first video", "second video"


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionReport:
    """All that is said of two videos' movement; `exam` has each measure of an exam, `tremors` how they agree.

    `action_units` and `blendshapes` are how two tables, or a model's scores, agree; empty where none were given.
    """

    timing: Timing
    others: bool
    null_edit: bool
    margin_percent: float | None
    comparison: MotionComparison
    exam: tuple[ExamRow, ...]
    tremors: tuple[TremorRow, ...]
    action_units: tuple[ExamValue, ...] = ()
    blendshapes: tuple[ExamValue, ...] = ()

    @property
    def equivalent(self) -> bool | None:
        """Whether every line that can be measured is equivalent along both axes; None where no margin was stated."""
        if self.margin_percent is None:
            return None
        tests = [
            axis.equivalence
            for row in self.comparison.rows
            if row.released is not None
            for axis in row.released.axes.values()
        ]
        return bool(tests) and all(test is not None and not isinstance(test, str) and test.shown for test in tests)

    @property
    def exit_code(self) -> int:
        """3 where the instants differ or a stated margin is not kept, else 0."""
        return 0 if self.timing.agrees and self.equivalent is not False else 3


def compare_movement(
    first: Path,
    second: Path,
    *,
    null_edit: bool,
    margin_percent: float | None,
    table: Path | None,
    force: bool,
    write_table: Callable[[MotionReport, Path], None],
    action_units: tuple[Path, Path] | None = None,
    blendshapes: Path | None = None,
    progress: Progress,
) -> MotionReport:
    """Traces the person in both videos, and in the re-encoded first one with `null_edit`, and compares.

    `write_table` fills the file `table`, which appears only when it is complete. `action_units` are both videos' tables
    of OpenFace or py-feat, `blendshapes` is a FaceLandmarker model's file.

    Raises:
        SettingsError: the margin is no length, the model none, or the table cannot stand where it is wanted.
        TableFileError: a table of action units is none, or the two cannot be compared.
        VideoError: a video cannot be read, or the two differ in size.
        NotEnoughFaces: several people, and it is not clear whom to follow.
    """
    if margin_percent is not None and not 0 < margin_percent < np.inf:
        raise SettingsError("--margin must be above 0", next_step="give it in % of torso, hand or eyes' distance")
    with interruptible(left="nothing was written"), ExitStack() as stack:
        unfinished = None if table is None else stack.enter_context(staged_file(table, force=force, option="--csv"))
        seen: list[NDArray[Any]] = []  # of the person
        stack.callback(wipe, seen)  # however this ends: done, refused or stopped by a signal
        units = () if action_units is None else table_agreement(action_units)
        model = None if blendshapes is None else Blendshapes(blendshapes)
        if model is not None:
            stack.callback(model.close)
        before, after = open_video(first, label=FIRST), open_video(second, label=SECOND)
        timing = common_instants(before, after)
        ours, theirs = (np.array(rows, np.intp) for rows in zip(*timing.pairs, strict=True))
        times_s = np.array(before.times_s)[ours]
        person = find_person(before, progress)
        seen += person.arrays()
        there = person.at(_nearest(np.array(before.times_s), np.array(after.times_s)))
        seen += there.arrays()
        renditions = [
            (before, read_frames(before), person, ours, FIRST),
            (after, read_frames(after), there, theirs, SECOND),
        ]
        if null_edit:
            renditions.append((before, roundtrip(read_frames(before), like=before), person, ours, "null edit"))
        tracks: list[MotionTracks] = []
        for one in renditions:
            tracks.append(_traced(*one, times_s, progress))
            seen += tracks[-1].arrays()
        shapes: list[ExamValue] = []
        if model is not None:
            tables = [
                blendshape_table(source, read_frames(source), who, rows, model, name, progress)
                for source, who, rows, name in ((before, person, ours, FIRST), (after, there, theirs, SECOND))
            ]
            shapes = compare_action_units(*tables)
        three = tracks[0], tracks[1], tracks[2] if null_edit else None
        report = MotionReport(
            timing=timing,
            others=person.others,
            null_edit=null_edit,
            margin_percent=margin_percent,
            comparison=compare_tracks(*three, margin_percent=margin_percent),
            exam=exam_rows(*three),
            tremors=tremor_rows(*three),
            action_units=units,
            blendshapes=tuple(shapes),
        )
        if unfinished is not None:
            write_table(report, unfinished.path)
    return report


def _traced(
    source: SourceVideo,
    frames: Iterable[Frame],
    person: Person,
    rows: NDArray[np.intp],
    name: str,
    times_s: NDArray[np.float64],
    progress: Progress,
) -> MotionTracks:
    with progress.step(f"movement, {name}", source.facts.frame_count) as step:
        whole = trace(frames, source.times_s, person, step)
        try:
            return picked(whole, rows, times_s)
        finally:
            wipe(whole.arrays())  # what is picked are copies


def _nearest(times_s: NDArray[np.float64], wanted_s: NDArray[np.float64]) -> NDArray[np.intp]:
    """For each of `wanted_s` the number of the nearest of `times_s`; both rise."""
    after = np.searchsorted(times_s, wanted_s).clip(0, len(times_s) - 1)
    earlier = np.maximum(after - 1, 0)
    return np.where(wanted_s - times_s[earlier] < times_s[after] - wanted_s, earlier, after)
