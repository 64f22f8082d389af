"""The last part of every job that ends in a verdict: judge, write the files, the statement, the certificate, the audit.

Comes after the measurements; what made the videos, and how they were watched, is the caller's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deid_audit import __version__
from deid_audit.attestation import METHOD_TEXT as ATTESTATION_METHOD
from deid_audit.certificate.keys import Signer
from deid_audit.certificate.lasting import facts_of
from deid_audit.certificate.signing import METHOD_TEXT as SIGNING_METHOD
from deid_audit.digests import sha256_file
from deid_audit.evidence import METHOD_TEXT as EVIDENCE_METHOD
from deid_audit.evidence import STATEMENT_FILE
from deid_audit.findings import (
    CaseRecord,
    ErasureRecord,
    Explanation,
    Figure,
    Measurement,
    MediaMark,
    StageProfile,
    StageRecord,
    VideoFacts,
)
from deid_audit.log import RunEnded, WeightsDestroyed
from deid_audit.measure import (
    attacks,
    canaries,
    controls,
    coverage,
    expression,
    face_exam,
    fidelity,
    flicker,
    gallery,
    identity,
    intervals,
    keypoint_errors,
    keypoints,
    outside,
    quality,
    rerated,
    residue,
    tremor,
)
from deid_audit.measure.identity import FrameDistances
from deid_audit.pipeline import finishing, issuing, packaging
from deid_audit.pipeline.beside import NOTHING_BESIDE, Beside
from deid_audit.pipeline.burned_in import text_regions
from deid_audit.pipeline.explaining import explain, take_pictures, why_text
from deid_audit.pipeline.finishing import ledger_record, refuse_incomplete
from deid_audit.pipeline.job import Job
from deid_audit.pipeline.locating import SeenVideo
from deid_audit.pipeline.reckoning import Watched, pictures
from deid_audit.pipeline.reporting import write_report
from deid_audit.pipeline.reviewing import Reviewed
from deid_audit.policy import METHOD_TEXT as POLICY_METHOD
from deid_audit.policy import judge
from deid_audit.records import TimedPart
from deid_audit.review.summary import METHOD_TEXT as REVIEW_METHOD
from deid_audit.review.summary import measure_review
from deid_audit.settings import AudioChoice
from deid_audit.timing import Timer
from deid_audit.vault import METHOD_TEXT as VAULT_METHOD
from deid_audit.vault.references import METHOD_TEXT as REFERENCES_METHOD
from deid_audit.vault.resume import METHOD_TEXT as RESUME_METHOD
from deid_audit.video.reader import SourceVideo
from deid_audit.vision import recognizer
from deid_audit.vision.detectors import MmodDetector
from deid_audit.vision.models import model_records
from deid_audit.vision.standing_text import METHOD_TEXT as TEXT_METHOD

StageSettings = Mapping[str, str | int | float | bool | None]
CurvePoint = dict[str, float | bool | None]
StageRow = tuple[str, str, float, StageSettings]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examined:
    """What was measured, on which files: `watched[i]` is the released side of `originals[i]`.

    `distances[i]` is of `watched[i]`, taken before its descriptors were destroyed. `review` is None where nobody was
    asked to look.
    """

    originals: Sequence[SourceVideo]
    donors: Sequence[VideoFacts]
    watched: Sequence[Watched]
    distances: Sequence[FrameDistances]
    measurements: Sequence[Measurement]
    plots: Sequence[Figure]
    erasure: ErasureRecord
    review: Reviewed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """A finished job: the case as certified, where its folder is, how long each pass took, and why it is not PASSED."""

    case: CaseRecord
    out: Path
    certificate_sha256: str
    seconds: dict[str, float]
    explanations: tuple[Explanation, ...]
    learning_curve: tuple[CurvePoint, ...] = ()


def conclude(
    partial: Path,
    job: Job,
    examined: Examined,
    *,
    making: Sequence[StageRow],
    timer: Timer,
    learning_curve: Sequence[CurvePoint] = (),
    from_pack: bool = False,
    audio: AudioChoice = "drop",
    media_mark: MediaMark | None = None,
    profile: bool = False,
    rated: bool = False,
    beside: Beside = NOTHING_BESIDE,
) -> JobResult:
    """Judges, then fills `partial` with everything that the job leaves behind.

    `making` are the stages before the measures, as (name, method, seconds, settings). `from_pack`: the donor was.
    `audio` is what was asked for: where no video carries sound, it counts as left out.
    `media_mark` is the mark in the videos, where this tool wrote one. `profile`: say where the time went.
    `rated`: clinicians' ratings were given.
    `beside` is what a release holds beside the videos.
    """
    refuse_incomplete(examined.watched)
    erasure = examined.erasure
    audio = audio_written(audio, examined.watched)
    if job.kind == "swap":  # an audit has no weights, and knows nothing of another tool's
        job.journal.append(WeightsDestroyed(case_id=job.case_id, complete=erasure.complete, key_id=erasure.key_id))
    issued_at = job.clock()  # before judging: a validity is held against the day that the statement names
    looked = None if examined.review is None else examined.review.record
    measurements = (*examined.measurements, *measure_review(looked))
    verdict = judge(measurements, job.policy, job.context, on=issued_at.date())
    passed = issuing.passed(verdict)
    released = [video.released for video in examined.watched]
    rendered = [video.path for video in released]
    outputs = (
        packaging.write_release(
            partial / "release",
            rendered,
            case_id=job.case_id,
            kind=job.kind,
            issued_at=issued_at.isoformat(),
            audio=audio,
            text_covered=any(video.observed.text_covered for video in examined.watched),
            beside=beside.files(examined.watched, case_id=job.case_id, issued_at=issued_at.isoformat()),
        )
        if passed
        else packaging.write_withheld(partial / "withheld", rendered)
    )
    rendered[0].parent.rmdir()
    figures = [*examined.plots, *(pictures(examined.watched) if passed else [])]
    case = CaseRecord(
        kind=job.kind,
        case_id=job.case_id,
        tool_version=__version__,
        issued_at=issued_at.isoformat(),
        signer=job.signer.info,
        policy=job.policy,
        verdict=verdict,
        outputs_folder="release" if passed else "withheld",
        outputs=outputs,
        originals=_facts(examined.originals),
        donors=tuple(examined.donors),
        rendered=_facts(released),
        measurements=measurements,
        ledger=ledger_record([video.ledger for video in examined.watched]),
        stages=_stages(timer, [*making, *(beside.stages() if passed else [])], examined, job.signer),
        erasure=erasure,
        environment=job.environment,
        models=model_records(() if job.thorough else MmodDetector.models),
        figures=tuple(figure.digest for figure in figures),
        not_assessed=issuing.not_assessed(job.kind, from_pack=from_pack, audio=audio, rated=rated),
        context=job.context,
        burned_in_text=tuple(
            region
            for number, video in enumerate(examined.watched, start=1)
            for region in text_regions(number, video.observed.text_left, video.observed.text_covered)
        ),
        media_mark=media_mark,
        review=looked,
        profile=profile_of(timer) if profile else (),
        log_checkpoint=job.journal.checkpoint(),
    )
    with job.progress.step("issuing the certificate", 1) as step:
        certificate_sha256 = issuing.issue(partial, case, figures, job.signer, issued_at=issued_at)
        step.advance()
    seen = _where_they_are_now(partial / case.outputs_folder, case, examined)
    explanations = explain(case, seen)
    issuing.write_audit(
        partial,
        [video.ledger for video in examined.watched],
        figures,
        why=None if passed else why_text(case, explanations),
        why_pictures=take_pictures(explanations, seen),
        learning_curve=curve_csv(learning_curve) if learning_curve else None,
        measurements=case.measurements,
        log=getattr(job.progress, "lines", []),
        digest_key=job.digest_key,
        review=None if examined.review is None else examined.review.data,
    )
    write_report(partial, job.progress)
    job.ended.append(
        RunEnded(
            case_id=job.case_id,
            kind=job.kind,
            verdict=verdict.outcome,
            statement_sha256=sha256_file(partial / STATEMENT_FILE),
            certificate_sha256=certificate_sha256,
        )
    )
    return JobResult(
        case=case,
        out=job.out,
        certificate_sha256=certificate_sha256,
        seconds=timer.seconds,
        explanations=explanations,
        learning_curve=tuple(learning_curve),
    )


def audio_written(asked: AudioChoice, watched: Sequence[Watched]) -> AudioChoice:
    """What became of sound: what was asked for, but none where no original has any."""
    return asked if any(video.sound_asked for video in watched) else "drop"


def profile_of(timer: Timer) -> tuple[StageProfile, ...]:
    """Every pass that was timed in parts, in milliseconds' steps."""
    return tuple(
        StageProfile(
            stage=name,
            frames=watch.frames,
            seconds=round(watch.seconds, 3),
            parts=tuple(
                TimedPart(part=part, seconds=round(seconds, 3))
                for part, seconds in sorted(watch.parts.items(), key=lambda one: -one[1])
            ),
        )
        for name, watch in timer.watches.items()
    )


def curve_csv(points: Sequence[CurvePoint]) -> str:
    """One row a reading; what is not a number is empty.

    >>> curve_csv([{"step": 5, "mouth_r": 0.5, "eye_r": None, "holds": False}])
    'step,mouth_r,eye_r,holds\\n5,0.5000,,false\\n'
    """
    rows = [",".join(points[0])]
    rows += [",".join(map(_cell, point.values())) for point in points]
    return "\n".join(rows) + "\n"


def _cell(value: float | bool | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value).lower()


def _where_they_are_now(folder: Path, case: CaseRecord, examined: Examined) -> list[SeenVideo]:
    """The watched videos, each at the place its file was moved to."""
    seen = []
    places = [output.name for output in case.outputs if output.role == "video"]
    watched = zip(examined.watched, examined.distances, places, strict=True)
    for number, (video, distances, place) in enumerate(watched, start=1):
        moved = replace(video.released, path=folder / place)
        seen.append(SeenVideo(number=number, watched=replace(video, released=moved), distances=distances))
    return seen


def _facts(videos: Sequence[SourceVideo]) -> tuple[VideoFacts, ...]:
    return tuple(video.facts for video in videos)


def _stages(timer: Timer, making: Sequence[StageRow], examined: Examined, signer: Signer) -> tuple[StageRecord, ...]:
    """Each stage's own sentence about itself, with what it was set to."""
    seconds, watched = timer.seconds, examined.watched
    search = {"independent_search_s": round(sum(video.observed.search_seconds for video in watched), 1)}
    traits = [video.observed.poses["original"].traits for video in watched]
    detectors = " ".join(dict.fromkeys(one.text for one in traits))
    of_detectors = {
        key if len(traits) == 1 else f"video {number}: {key}": value
        for number, one in enumerate(traits, start=1)
        for key, value in one.settings.items()
    }
    known = {"known_faces_s": round(sum(video.observed.canary_seconds for video in watched), 1)}
    rows: tuple[StageRow, ...] = (
        *making,
        (
            "identity",
            f"{recognizer.METHOD_TEXT} {identity.METHOD_TEXT} {outside.METHOD_TEXT}",
            seconds["measuring"],
            {"seconds_cover": "identity to residue, in one pass"},
        ),
        ("controls and attacks", f"{controls.METHOD_TEXT} {attacks.METHOD_TEXT}", 0.0, {}),
        (
            "keypoints",
            f"{detectors} {keypoints.METHOD_TEXT} {keypoint_errors.METHOD_TEXT}",
            0.0,
            of_detectors,
        ),
        ("expression", expression.METHOD_TEXT, 0.0, {}),
        ("tremor", tremor.METHOD_TEXT, 0.0, {}),
        ("exam measures", f"{face_exam.METHOD_TEXT} {rerated.METHOD_TEXT}", 0.0, {}),
        ("quality", f"{flicker.METHOD_TEXT} {quality.METHOD_TEXT} {fidelity.METHOD_TEXT}", 0.0, {}),
        ("intervals", intervals.METHOD_TEXT, 0.0, {}),
        ("coverage", f"{coverage.METHOD_TEXT} {finishing.METHOD_TEXT}", 0.0, {}),
        ("residue", f"{residue.METHOD_TEXT} {gallery.METHOD_TEXT}", 0.0, search),
        ("burned-in text", TEXT_METHOD, 0.0, {}),
        ("audit of the audit", canaries.METHOD_TEXT, 0.0, known),
        *([("review", REVIEW_METHOD, seconds.get("reviewing", 0.0), {})] if examined.review else []),
        ("erasure", _erasure_method(examined.erasure), seconds["destroying"], {}),
        ("policy", POLICY_METHOD, 0.0, {}),
        ("evidence", f"{EVIDENCE_METHOD} {SIGNING_METHOD} {ATTESTATION_METHOD}", 0.0, facts_of(signer)),
    )
    return tuple(StageRecord(stage=n, method=m, seconds=s, settings=dict(values)) for n, m, s, values in rows)


def _erasure_method(erasure: ErasureRecord) -> str:
    """What was done at the end, with the exceptions that were asked for."""
    exceptions = {RESUME_METHOD: erasure.key_on_disk, REFERENCES_METHOD: erasure.references_kept}
    return " ".join((VAULT_METHOD, *(text for text, made in exceptions.items() if made)))
