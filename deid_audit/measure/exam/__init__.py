"""What an exam's video shows of movement, from landmarks alone: each measure with its unit, interval and source.

Pure functions over `MotionTracks`: nothing is read, drawn or judged. Every measure always comes, with a value or with
the reason why it is not measurable here. docs/exam_measures.md defines each of them.
"""

from collections.abc import Sequence

from deid_audit.measure.exam.action_unit_proxies import action_unit_values
from deid_audit.measure.exam.eyes import blink_values, gaze_values
from deid_audit.measure.exam.face_ranges import face_range_values
from deid_audit.measure.exam.rising import chair_rise_values
from deid_audit.measure.exam.tapping import finger_tapping_values, toe_tapping_values
from deid_audit.measure.exam.tremor_agreement import tremor_agreement
from deid_audit.measure.exam.tremors import tremor_values
from deid_audit.measure.exam.values import ExamDifference, ExamValue, compare_exams
from deid_audit.measure.exam.walking import gait_values
from deid_audit.measure.motion_tracks import MotionTracks

__all__ = ["ExamDifference", "ExamValue", "compare_exams", "exam_measures", "tremor_agreement"]


def exam_measures(tracks: MotionTracks, original: Sequence[ExamValue] = ()) -> list[ExamValue]:
    """All measures of one video, the same names and sides for every video, in the order of docs/exam_measures.md.

    `original` are those of the video that this one was made from, for `tremor_values`.
    """
    return [
        *tremor_values(tracks, original),
        *finger_tapping_values(tracks),
        *toe_tapping_values(tracks),
        *gait_values(tracks),
        *chair_rise_values(tracks),
        *blink_values(tracks),
        *gaze_values(tracks),
        *face_range_values(tracks),
        *action_unit_values(tracks),
    ]
