"""Metrics of what the picture keeps: posture, expression, fast movement, and how the swapped face looks."""

from deid_audit.catalog.rows import Rows

_COCO = "COCO keypoint evaluation (pycocotools); Zhu et al. 2020 section 2.6"
_KEYPOINTS = "distance to the same frame's keypoint of the original (the detector stands in the method)"
_BESIDE = "reported beside the share of frames at OKS 0.95, which has one"
_MESH = "MediaPipe FaceMesh geometry, original and released with the same crops"
_LAB = "CIELAB, CIE 1976 differences, under the original's landmarks"


def add_rows(rows: Rows) -> None:
    """Adds these metrics to the catalogue."""
    add = rows.add
    for name, title in (
        ("ap", "average precision, OKS 0.50:0.95"),
        ("ap50", "average precision at OKS 0.50"),
        ("ap75", "average precision at OKS 0.75"),
        ("ap95", "average precision at OKS 0.95"),
        ("ar", "average recall, OKS 0.50:0.95"),
        ("ar50", "average recall at OKS 0.50"),
        ("ar75", "average recall at OKS 0.75"),
        ("ar95", "average recall at OKS 0.95"),
        ("oks_ge_95", "share of all frames with OKS of at least 0.95, a lost person counting 0"),
    ):
        add(f"keypoints.{name}", title, "", 0, 1, True, _COCO, "no person found in the original")
    for kind, of_what, unit, nothing in (
        ("px", "", "px", "no keypoint is visible in the original and found in the other"),
        ("torso", ", beside the original's torso", "% of torso", "shoulders and hips are never all visible"),
        ("interocular", ", beside the original's eyes", "% of inter-ocular", "the eyes are never both visible"),
    ):
        for statistic, words in (("median", "median"), ("p95", "95th percentile")):
            title = f"error of the body's keypoints{of_what}: {words}"
            add(f"keypoints.error_{kind}.{statistic}", title, unit, 0, None, False, _KEYPOINTS, nothing, _BESIDE)
    add(
        "keypoints.detection_change",
        "share of frames in which the person is found, less the original's",
        "",
        -1,
        1,
        None,
        _KEYPOINTS,
        "no person found in the original",
        _BESIDE,
    )

    for part, unit in (
        ("mouth", "% of inter-ocular"),
        ("eye", "% of inter-ocular"),
        ("brow", "% of inter-ocular"),
        ("yaw", "degrees"),
    ):
        still = "the original does not move more than 3x its null-edit noise"
        none = "fewer than 10 frames in which both faces have landmarks"
        add(f"expression.{part}_r", f"{part}: correlation with the original over time", "", -1, 1, True, _MESH, still)
        add(
            f"expression.{part}_mae",
            f"{part}: mean absolute error after removing the median offset",
            unit,
            0,
            None,
            False,
            _MESH,
            none,
        )
        add(
            f"expression.{part}_offset",
            f"{part}: median offset (anatomy; not gated)",
            unit,
            -1000,
            None,
            None,
            _MESH,
            none,
        )
        add(
            f"expression.{part}_range_ratio",
            f"{part}: released range over original range (5th to 95th percentile)",
            "",
            0,
            None,
            None,
            _MESH,
            still,
        )
    no_peak = "the original's head has no peak in 3-12 Hz above its noise"
    add(
        "motion.head_tremor_ratio",
        "head tremor: released amplitude over original amplitude",
        "",
        0,
        None,
        None,
        _MESH,
        no_peak,
    )
    add(
        "motion.head_tremor_hz_error",
        "head tremor: difference of the peak frequency",
        "Hz",
        0,
        None,
        False,
        _MESH,
        no_peak,
    )

    few = "fewer than 10 swapped frames in which the face can be compared"
    for name, title, unit, better, reference, not_when in (
        (
            "flicker",
            "flicker: landmark jitter in still stretches, released over original",
            "",
            False,
            _MESH,
            "the original has fewer than 25 still frames, or landmarks are lost in half of them",
        ),
        (
            "seam",
            "seam: step of lightness around the face that the original has not, 90th percentile",
            "L*",
            False,
            _LAB,
            f"{few}, or a cover is near in the rest",
        ),
        ("colour", "colour: skin's difference from the original's, median", "delta E", False, _LAB, few),
        ("colour_drift", "colour over time: departure of that difference from its mean", "delta E", False, _LAB, few),
        (
            "sharpness",
            "sharpness: fine contrast of the face over the original's, median",
            "",
            True,
            "Laplacian of Gaussian at a hundredth of the face's size",
            f"{few}, or it has no fine contrast",
        ),
    ):
        add(f"quality.{name}", title, unit, 0, None, better, reference, not_when)

    for name, which in (("ssim_outside", "mean over all frames"), ("ssim_outside_worst", "the worst frame")):
        add(
            f"quality.{name}",
            f"picture outside the faces: structural similarity with the original, {which}",
            "",
            -1,
            1,
            True,
            "Wang et al. 2004, SSIM with an 11 px Gaussian window; no policy has a limit",
            "faces and their surroundings fill every frame",
            "every frame is compared, nothing is sampled",
        )
