"""Builders of plausible paper-side records for tests: measurements, a policy and a whole case, without any video."""

from collections.abc import Mapping, Sequence
from typing import Any

from deid_audit.digests import sha256_bytes
from deid_audit.findings import (
    SUBJECT_SCOPE,
    CaseRecord,
    ErasedArtefact,
    ErasureCheck,
    ErasureRecord,
    FigureDigest,
    Interval,
    LedgerRecord,
    LedgerSummary,
    Measurement,
    MediaMark,
    ModelFile,
    Of,
    OutputFile,
    Policy,
    Rule,
    SignerInfo,
    StageRecord,
    VideoFacts,
    VideoInventory,
    measured,
    not_measured,
    video_scope,
)
from deid_audit.policy import judge
from deid_audit.records import ReadingRecord, ReviewRecord
from deid_audit.review.summary import measure_review

FRAMES = 200
_CONTROLS: tuple[Of, ...] = ("swapped", "masked", "blurred", "pixelated", "reencoded")
_KEYPOINTS: dict[Of, float] = {"swapped": 0.99, "masked": 0.91, "blurred": 0.95, "pixelated": 0.93, "reencoded": 0.995}
_SWAPPED_VALUES: dict[str, float] = {
    "identity.to_original.mean": 0.786,
    "identity.to_original.sd": 0.041,
    "identity.to_original.p01": 0.701,
    "identity.to_original.min": 0.655,
    "identity.to_original.longest_run_below_frames": 0.0,
    "identity.to_gallery.p01": 0.612,
    "identity.outside.to_original.mean": 0.31,
    "identity.outside.to_original.p01": 0.18,
    "identity.outside.auc": 0.97,
    "identity.to_average_original.mean": 0.771,
    "identity.to_average_original.sd": 0.032,
    "identity.to_donor.mean": 0.334,
    "identity.to_donor.sd": 0.038,
    "identity.intra_subset.mean": 0.252,
    "identity.intra_subset.sd": 0.045,
    "identity.roc_auc": 0.9991,
    "expression.mouth_r": 0.93,
    "expression.mouth_mae": 1.9,
    "expression.mouth_offset": 2.4,
    "expression.mouth_range_ratio": 0.88,
    "expression.eye_r": 0.71,
    "expression.eye_mae": 1.2,
    "expression.eye_offset": -0.6,
    "expression.eye_range_ratio": 0.81,
    "expression.brow_mae": 1.5,
    "expression.brow_offset": 3.1,
    "expression.yaw_r": 0.985,
    "expression.yaw_mae": 1.1,
    "expression.yaw_offset": 0.4,
    "expression.yaw_range_ratio": 0.97,
    "identity.to_original.seconds_below": 0.0,
    "attack.descriptor.auc": 0.52,
    "attack.strongest.auc": 0.55,
    "motion.head_tremor_ratio": 0.99,
    "motion.head_tremor_hz_error": 0.02,
    "quality.flicker": 1.12,
    "quality.seam": 0.84,
    "quality.colour": 1.53,
    "quality.colour_drift": 0.42,
    "quality.sharpness": 0.77,
    "quality.ssim_outside": 0.987,
    "quality.ssim_outside_worst": 0.971,
    "text.regions_left": 0.0,
    "coverage.frames": float(FRAMES),
    "coverage.swapped": float(FRAMES - 3),
    "coverage.concealed": 3.0,
    "coverage.clear": 0.0,
    "coverage.reviewed": 0.0,
    "coverage.undecided": 0.0,
    "coverage.concealed_share": 3 / FRAMES,
    "coverage.longest_concealed_s": 0.12,
    "residue.subject_faces": 0.0,
    "residue.unaccounted_faces": 0.0,
    "residue.gallery_matches": 0.0,
    "residue.audio_streams": 0.0,
    "residue.metadata_keys": 0.0,
    "voice.sound": 0.0,
}
_ABSENT = {
    f"expression.brow_{name}": "the original does not move more than 3x its null-edit noise"
    for name in ("r", "range_ratio")
}
_REFERENCE_ROWS: dict[Of, dict[str, float]] = {
    "original": {"to_average_original": 0.214, "to_donor": 0.822, "intra_subset": 0.214},
    "donor": {"to_average_original": 0.829, "to_donor": 0.231, "intra_subset": 0.231},
}


def make_measurement(
    metric: str = "identity.to_original.mean",
    value: float | None = 0.7,
    *,
    of: Of = "swapped",
    scope: str = "video 1",
    sample_size: int = FRAMES,
    noise_floor: float | None = None,
    absent: bool = False,
    because: str = "nothing to measure it on",
) -> Measurement:
    """One measurement; `value=None` makes it not measured (or absent)."""
    if value is None:
        return not_measured(metric, of, scope, because, absent=absent)
    return measured(metric, of, scope, value, sample_size=sample_size, noise_floor=noise_floor)


def make_measurements(
    *,
    videos: int = 1,
    swapped: Mapping[str, float | None] | None = None,
    erased: bool = True,
    key_on_disk: bool = False,
    references_kept: bool = False,
    review: ReviewRecord | None = None,
) -> tuple[Measurement, ...]:
    """Every catalogue metric of a good case for `videos` videos; `swapped` overrides values (None = not measured)."""
    overrides = dict(swapped or {})
    rows: list[Measurement] = []
    scopes = [video_scope(number) for number in range(1, videos + 1)]
    for scope in (*scopes, SUBJECT_SCOPE):
        for metric, value in {**_SWAPPED_VALUES, **overrides}.items():
            rows.append(make_measurement(metric, value, scope=scope))
        for metric, because in _ABSENT.items():
            if metric not in overrides:
                rows.append(make_measurement(metric, None, scope=scope, absent=True, because=because))
        for of, columns in _REFERENCE_ROWS.items():
            for column, mean in columns.items():
                rows.append(make_measurement(f"identity.{column}.mean", mean, of=of, scope=scope))
                rows.append(make_measurement(f"identity.{column}.sd", 0.03, of=of, scope=scope))
        rows.append(make_measurement("control.same_person", 1.0, of="original", scope=scope))
        for of in _CONTROLS:
            rows.extend(_keypoint_rows(of, scope, overrides if of == "swapped" else {}))
    rows.append(make_measurement("audit.looks", 8, of="run", scope="run"))
    rows.append(make_measurement("audit.families", 2, of="run", scope="run"))
    rows.append(make_measurement("audit.canary_recall", 0.92, of="run", scope="run", sample_size=80))
    rows.append(make_measurement("audit.smallest_face_px", 24, of="run", scope="run", sample_size=80))
    facts = {"complete": erased, "key_on_disk": key_on_disk, "references_kept": references_kept}
    for name, value in facts.items():
        rows.append(make_measurement(f"erasure.{name}", float(value), of="run", scope="run", sample_size=1))
    rows += measure_review(review)
    return tuple(_with_interval(row) for row in rows)


def _with_interval(row: Measurement) -> Measurement:
    """A narrow interval for what is drawn from frames."""
    if row.value is None or row.no_interval_because:
        return row
    low, high = sorted((row.value * 0.995, row.value * 1.005))
    return row.model_copy(update={"interval": Interval(low=low, high=high, clusters=12, unit="seconds")})


def _keypoint_rows(of: Of, scope: str, overrides: Mapping[str, float | None]) -> list[Measurement]:
    top = _KEYPOINTS[of]
    values = {"ap": top - 0.005, "ap50": 1.0, "ap75": 1.0, "ap95": top - 0.02, "oks_ge_95": top - 0.01}
    values |= {"ar": top, "ar50": 1.0, "ar75": 1.0, "ar95": top - 0.015}
    named = {f"keypoints.{name}": value for name, value in values.items()}
    return [make_measurement(name, value, of=of, scope=scope) for name, value in named.items() if name not in overrides]


def make_rule(metric: str = "identity.to_original.mean", op: str = "above", limit: float = 0.6, **more: Any) -> Rule:
    """One rule about the swapped video."""
    fields = {"of": "swapped", "why": "a test asks for it", "source": "tests"} | more
    return Rule.model_validate({"metric": metric, "op": op, "limit": limit, **fields})


def make_policy(rules: Sequence[Rule] | None = None) -> Policy:
    """A small policy with one rule of each operator."""
    default = (
        make_rule("identity.to_original.mean", "above", 0.6),
        make_rule("identity.to_original.p01", "above", 0.6),
        make_rule("identity.to_donor.mean", "below", 0.5),
        make_rule("keypoints.ap95", "at_least", 0.95),
        make_rule("expression.brow_r", "at_least", 0.6, if_absent="skip"),
        make_rule("coverage.undecided", "at_most", 0),
        make_rule("erasure.complete", "at_least", 1, of="run"),
    )
    rules = default if rules is None else tuple(rules)
    return Policy(id="test", version="1", title="A policy for tests", sha256=sha256_bytes(b"policy"), rules=rules)


def make_video_facts(label: str = "subject video 1", **changes: Any) -> VideoFacts:
    """A 640x480 clip of eight seconds at 25 fps."""
    inventory = VideoInventory(audio_streams=1, subtitle_streams=0, data_streams=0, metadata_keys=("title",))
    fields: dict[str, Any] = {
        "label": label,
        "keyed_digest": sha256_bytes(label.encode()),
        "width": 640,
        "height": 480,
        "frame_count": FRAMES,
        "duration_s": 8.0,
        "time_base": "1/90000",
        "variable_rate": False,
        "rotation": 0,
        "codec": "h264",
        "inventory": inventory,
    }
    return VideoFacts(**(fields | changes))


def make_erasure(*, complete: bool = True) -> ErasureRecord:
    """A vault record with one artefact on disk and one in memory; `complete=False` makes one check fail."""
    return ErasureRecord(
        cipher="Cobblestone256",
        key_id="0f" * 8,
        key_storage="locked memory, not dumpable",
        created_at="2026-01-02T03:04:05Z",
        destroyed_at="2026-01-02T03:10:00Z",
        artefacts=(
            ErasedArtefact(
                kind="weights",
                storage="encrypted file",
                size_bytes=1_234_567,
                ciphertext_sha256=sha256_bytes(b"weights"),
                header_hex="00ff",
            ),
            ErasedArtefact(kind="face crops", storage="memory", size_bytes=9_876_543),
        ),
        checks=(
            ErasureCheck(check="the key's memory is overwritten", holds=True, observed="32 zero bytes"),
            ErasureCheck(check="no ciphertext can be opened", holds=complete, observed="1 file tried"),
        ),
        environment={"swap": "off"},
        not_shown=("copies that the operating system made", "backups of the disk"),
    )


def make_ledger_record(videos: int = 1) -> LedgerRecord:
    """The counts behind `make_measurements`: three frames concealed, the rest swapped."""
    states = {"swapped": FRAMES - 3, "concealed": 3, "clear": 0, "reviewed": 0, "undecided": 0}
    one = LedgerSummary(
        frames=FRAMES,
        states=states,
        regions=FRAMES,
        rungs={"swap": FRAMES - 3, "cover": 3},
        decided_by={"a detector, version 1": FRAMES},
        cleared_by={},
    )
    return LedgerRecord(sha256=sha256_bytes(b"frames"), videos=(one,) * videos)


def make_outputs(files: Mapping[str, bytes]) -> tuple[OutputFile, ...]:
    """Output records for files given as name and bytes; the role follows from the name."""
    roles = {"README.txt": "readme", "manifest-sha256.txt": "manifest"}
    return tuple(
        OutputFile.model_validate(
            {
                "name": name,
                "sha256": sha256_bytes(data),
                "size_bytes": len(data),
                "role": roles.get(name, "video"),
            }
        )
        for name, data in files.items()
    )


def make_media_mark() -> MediaMark:
    """The mark of swapped videos."""
    return MediaMark(
        digital_source_type="http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic",
        signer=SignerInfo(
            name="Media, The hospital",
            fingerprint_sha256="cd" * 32,
            not_after="2028-01-02T03:04:05Z",
            verified_issuer=True,
        ),
        library="c2pa-python 0.38.1",
    )


def make_review(**changes: Any) -> ReviewRecord:
    """Two people read; they agree but for two stretches, and were shown nine frames of ten."""
    times = {"started_at": "2026-01-02T03:00:00+00:00", "finished_at": "2026-01-02T03:20:00+00:00"}
    readings = tuple(
        ReadingRecord.model_validate({"reviewer": who, "role": role, "decisions": made, "frames_shown": 150, **times})
        for who, role, made in (("A. B.", "first", {"clear": 2, "conceal": 1}), ("C. D.", "second", {"conceal": 2}))
    )
    fields: dict[str, Any] = {
        "file_sha256": sha256_bytes(b"review"),
        "readings": readings,
        "frames": FRAMES,
        "frames_shown": 180,
        "stretches": 12,
        "kappa": 0.61,
        "unresolved": 1,
        "refused": 0,
    }
    return ReviewRecord(**(fields | changes))


def make_case(*, videos: int = 1, failing: bool = False, case_id: str = "case-0001", **changes: Any) -> CaseRecord:
    """A whole case that passed; `failing` makes two identity rules fail and puts the videos in `withheld`.

    Any field of CaseRecord can be given in `changes`.
    """
    bad: dict[str, float | None] = {"identity.to_original.mean": 0.55, "identity.to_original.p01": 0.41}
    policy: Policy = changes.get("policy", make_policy())
    rows = changes.get(
        "measurements",
        make_measurements(videos=videos, swapped=bad if failing else None, review=changes.get("review")),
    )
    folder = changes.get("outputs_folder", "withheld" if failing else "release")
    place = "data/" if folder == "release" else ""
    files = {f"{place}{case_id}-{number:02d}.mp4": b"video %d" % number for number in range(1, videos + 1)}
    files |= {"README.txt": b"the faces are synthetic\n", "manifest-sha256.txt": b"sums\n"}
    written = VideoInventory(audio_streams=0, subtitle_streams=0, data_streams=0, metadata_keys=())
    numbers = range(1, videos + 1)
    fields: dict[str, Any] = {
        "kind": "swap",
        "case_id": case_id,
        "tool_version": "0.1.0",
        "issued_at": "2026-01-02T03:10:05Z",
        "signer": SignerInfo(
            name="made on the spot", fingerprint_sha256="ab" * 32, not_after="2027-01-02", verified_issuer=False
        ),
        "policy": policy,
        "verdict": judge(rows, policy),
        "outputs_folder": folder,
        "outputs": make_outputs(files),
        "originals": tuple(make_video_facts(f"subject video {number}") for number in numbers),
        "donors": (make_video_facts("donor video 1"),),
        "rendered": tuple(
            make_video_facts(f"released video {number}", keyed_digest="", inventory=written) for number in numbers
        ),
        "measurements": rows,
        "ledger": make_ledger_record(videos),
        "stages": (
            StageRecord(stage="faces", method="Faces were found.", seconds=12.5, settings={"low_threshold": 0.2}),
            StageRecord(stage="swap", method="A net was trained.", seconds=240.0, settings={"preset": "micro64"}),
        ),
        "erasure": make_erasure(),
        "environment": {"python": "3.11", "device": "cpu"},
        "models": (ModelFile(name="net.dat", sha256="cd" * 32, licence="CC0-1.0", used_for="identity"),),
        "figures": (FigureDigest(name="roc.svg", sha256="ef" * 32, kind="plot", caption="A curve.", alt="curve"),),
        "not_assessed": ("voice", "gait", "tattoos and scars"),
    }
    return CaseRecord(**(fields | changes))
