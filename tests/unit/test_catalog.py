"""The catalogue: the agreed names, all of them, with a range that makes sense."""

import math

from deid_audit.catalog import METRICS

# As agreed in the specification; once shipped, a name is stable.
NAMES = {
    *(f"viewers.{group}_{what}" for group in ("unfamiliar", "familiar") for what in ("count", "rank1", "mean_rank")),
    "viewers.control_rank1",
    *(
        f"identity.to_original.{stat}"
        for stat in ("mean", "sd", "p01", "min", "longest_run_below_frames", "seconds_below")
    ),
    *("identity.to_gallery.p01", "identity.roc_auc"),
    *(
        f"identity.{column}.{stat}"
        for column in ("to_average_original", "to_donor", "intra_subset")
        for stat in ("mean", "sd")
    ),
    *(f"keypoints.{name}" for name in ("ap", "ap50", "ap75", "ap95", "ar", "ar50", "ar75", "ar95", "oks_ge_95")),
    *(f"keypoints.error_{unit}.{stat}" for unit in ("px", "torso", "interocular") for stat in ("median", "p95")),
    "keypoints.detection_change",
    *(
        f"expression.{part}_{stat}"
        for part in ("mouth", "eye", "brow", "yaw")
        for stat in ("r", "mae", "offset", "range_ratio")
    ),
    *("motion.head_tremor_ratio", "motion.head_tremor_hz_error"),
    *(
        f"exam.{name}"
        for name in ("blinks_kept", "blink_depth", "blinks_added", "blinks", "blink_rate", "blink_duration")
    ),
    *(f"exam.gaze_{axis}_{stat}" for axis in ("horizontal", "vertical") for stat in ("r", "range")),
    *("exam.mouth_opening_range", "exam.brow_asymmetry", "exam.mouth_corner_asymmetry"),
    *(f"exam.{part}_range.{side}" for part in ("brow", "mouth_corner", "lid") for side in ("left", "right")),
    *(f"exam.{part}_tremor_{stat}" for part in ("head", "jaw") for stat in ("hz", "amplitude")),
    *("exam.wrist_tremor_hz.left", "exam.wrist_tremor_hz.right", "exam.gait_cadence", "exam.chair_rise_s"),
    *("exam.rerating_kappa_linear", "exam.rerating_kappa_quadratic"),
    *(f"quality.{name}" for name in ("flicker", "seam", "colour", "colour_drift", "sharpness")),
    *("quality.ssim_outside", "quality.ssim_outside_worst", "text.regions_left"),
    *(f"coverage.{name}" for name in ("frames", "swapped", "concealed", "clear", "reviewed", "undecided")),
    *("coverage.concealed_share", "coverage.other_covers_share", "coverage.longest_concealed_s"),
    *(f"residue.{name}" for name in ("subject_faces", "unaccounted_faces", "audio_streams", "metadata_keys")),
    *(f"identity.outside.{name}" for name in ("to_original.mean", "to_original.p01", "auc")),
    *("audit.looks", "audit.families"),
    *(f"voice.{name}" for name in ("sound", "same_wave", "distance", "pitch_moved", "formants_moved")),
    *(f"voice.{name}" for name in ("envelope_r", "lag_ms", "rate_ratio")),
    *("residue.gallery_matches", "audit.canary_recall", "audit.smallest_face_px"),
    *("control.same_person", "identity.to_strangers.mean", "attack.insider.match_rate"),
    *(f"attack.{name}.auc" for name in ("descriptor", "templates", "texture", "model", "inversion", "strongest")),
    *(f"attack.parrot.{name}" for name in ("auc", "rank1", "excess", "imitated")),
    *(f"attack.descriptor.{name}" for name in ("rank1", "rank5", "excess", "fnir")),
    *("review.readers", "review.frames_shown_share", "review.agreement_kappa"),
    *("erasure.complete", "erasure.key_on_disk", "erasure.references_kept"),
}


def test_the_catalogue_holds_exactly_the_agreed_names() -> None:
    assert set(METRICS) == NAMES


def test_every_row_is_whole() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.title and metric.reference and metric.not_computable_when, name
        assert math.isfinite(metric.low), name
        assert metric.high is None or metric.high > metric.low, name


def test_directions_are_those_a_policy_relies_on() -> None:
    assert METRICS["identity.to_original.p01"].higher_is_better is True
    assert METRICS["identity.to_donor.mean"].higher_is_better is False
    assert METRICS["identity.to_original.longest_run_below_frames"].higher_is_better is False
    assert METRICS["keypoints.ap95"].higher_is_better is True
    assert METRICS["residue.subject_faces"].higher_is_better is False
    assert METRICS["expression.mouth_offset"].higher_is_better is None
