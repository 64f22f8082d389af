"""Every metric by name: unit, range, direction, source, and when it cannot be computed.

One table that measuring, policy loading, the certificate and the docs all read. A name, once shipped, is stable.
"""

from dataclasses import dataclass

_DLIB = "dlib 128-D face descriptor, Euclidean; Zhu et al. 2020 (doi 10.1145/3375627.3375849) section 2.5"
_COCO = "COCO keypoint evaluation (pycocotools); Zhu et al. 2020 section 2.6"
_MESH = "MediaPipe FaceMesh geometry, original and released with the same crops"
_LAB = "CIELAB, CIE 1976 differences, under the original's landmarks"
_LEDGER = "the ledger of frame states"
_NO_FACE = "no frame pair in which both faces could be described"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row of the catalogue; `unit` is what the certificate prints, `higher_is_better` is None for plain counts."""

    name: str
    title: str
    unit: str
    low: float
    high: float | None
    higher_is_better: bool | None
    reference: str
    not_computable_when: str


def _build() -> dict[str, Metric]:
    rows: list[Metric] = []

    def add(
        name: str,
        title: str,
        unit: str,
        low: float,
        high: float | None,
        better: bool | None,
        reference: str,
        not_when: str,
    ) -> None:
        rows.append(
            Metric(
                name=name,
                title=title,
                unit=unit,
                low=low,
                high=high,
                higher_is_better=better,
                reference=reference,
                not_computable_when=not_when,
            )
        )

    # fmt: off  (a table: one row a line)
    for stat, title, unit in (
        ("mean", "mean distance to the same frame's original", "distance"),
        ("sd", "standard deviation of the distance to the same frame's original", "distance"),
        ("p01", "1st percentile of the distance to the same frame's original", "distance"),
        ("min", "smallest distance to the same frame's original", "distance"),
        ("longest_run_below_frames", "longest run of frames nearer than 0.6 to their original", "frames"),
    ):
        better = None if stat == "sd" else stat != "longest_run_below_frames"
        add(f"identity.to_original.{stat}", title, unit, 0, None, better, _DLIB, _NO_FACE)
    add(
        "identity.to_gallery.p01",
        "1st percentile of the distance to the nearest of all the subject's original frames",
        "distance",
        0,
        None,
        True,
        _DLIB,
        _NO_FACE,
    )
    around = "dlib 128-D descriptor of chips whose face is filled in grey; compare arXiv 1902.06967 on masks"
    for stat, title, unit, high in (
        (
            "to_original.mean",
            "around the face: mean distance to the nearest original of another moment",
            "distance",
            None,
        ),
        ("to_original.p01", "around the face: 1st percentile of the same", "distance", None),
        ("auc", "around the face: chance that the subject is nearer than other people", "", 1),
    ):
        nothing = "fewer than 5 swapped frames or, for the chance, fewer than 5 frames of other people"
        add(f"identity.outside.{stat}", title, unit, 0, high, stat != "auc", around, nothing)
    for column, words, better in (
        ("to_average_original", "distance to the subject's average original", True),
        ("to_donor", "distance to the donor's average", False),
        ("intra_subset", "distance to the subset's own average", None),
    ):
        add(f"identity.{column}.mean", f"mean {words}", "distance", 0, None, better, _DLIB, _NO_FACE)
        add(f"identity.{column}.sd", f"standard deviation of the {words}", "distance", 0, None, None, _DLIB, _NO_FACE)
    add(
        "identity.roc_auc",
        "area under the ROC: nearer the average donor than the average original",
        "",
        0,
        1,
        True,
        _DLIB,
        _NO_FACE,
    )

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

    for state in ("swapped", "concealed", "clear", "reviewed", "undecided"):
        better = False if state in ("concealed", "undecided") else None
        add(f"coverage.{state}", f"frames whose state is {state}", "frames", 0, None, better, _LEDGER, "never")
    add("coverage.frames", "frames decoded", "frames", 0, None, None, _LEDGER, "never")
    add(
        "coverage.concealed_share",
        "share of frames in which the subject's face is concealed",
        "",
        0,
        1,
        False,
        _LEDGER,
        "no frames",
    )
    add(
        "coverage.longest_concealed_s",
        "longest stretch in which the subject's face is concealed",
        "s",
        0,
        None,
        False,
        _LEDGER,
        "no frames",
    )

    residue = "the written file, searched by a detector that neither swapped nor cleared"
    add(
        "residue.subject_faces",
        "faces in the released file that match the subject's original of the same frame",
        "faces",
        0,
        None,
        False,
        residue,
        "the audit detector could not run",
    )
    add(
        "residue.unaccounted_faces",
        "faces in the released file that belong to no swapped or concealed region",
        "faces",
        0,
        None,
        False,
        residue,
        "the audit detector could not run",
    )
    add(
        "residue.gallery_matches",
        "faces in the released file that match any original of the subject, at a cut calibrated on strangers",
        "faces",
        0,
        None,
        False,
        residue,
        "too few faces of other people to calibrate with, or strangers nearer than the subject's own originals",
    )
    add(
        "audit.looks",
        "looks that the audit takes at the written file: detectors, scales, mirrored",
        "looks",
        0,
        None,
        True,
        residue,
        "never",
    )
    add(
        "audit.families",
        "families of detectors in the audit that neither swapped nor cleared",
        "families",
        0,
        None,
        True,
        residue,
        "never",
    )
    canaries = "known faces pasted into copies of the written file's frames, searched by the audit"
    add(
        "audit.canary_recall",
        "share of the pasted known faces of 32 px or more that the audit finds, of all kinds",
        "",
        0,
        1,
        True,
        canaries,
        "too few faces fit into the frames",
    )
    add(
        "audit.smallest_face_px",
        "height of the smallest upright face from which the audit finds at least 90 %",
        "px",
        0,
        None,
        False,
        canaries,
        "too few faces fit into the frames, or too few are found at every height",
    )
    add(
        "residue.audio_streams",
        "audio, subtitle and data streams left in the released file",
        "streams",
        0,
        None,
        False,
        "the written file's inventory",
        "never",
    )
    add(
        "residue.metadata_keys",
        "metadata keys in the released file beyond the container's own",
        "keys",
        0,
        None,
        False,
        "the written file's inventory",
        "never",
    )
    add(
        "erasure.complete",
        "erasure: 1 when every artefact is destroyed and every check after it holds",
        "",
        0,
        1,
        True,
        "the vault's record",
        "never",
    )
    add(
        "erasure.key_on_disk",
        "erasure: 1 when a key that opens the model stood in a file while the run lasted (--resume-key)",
        "",
        0,
        1,
        False,
        "the vault's record",
        "another tool made the videos",
    )
    # fmt: on
    return {row.name: row for row in rows}


METRICS: dict[str, Metric] = _build()
