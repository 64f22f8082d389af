"""References of a case that are kept for a recheck, where a job was asked for it (`--keep-references`).

Refused before any work where the policy allows none. Sealed while the descriptors still live, in memory. The file
takes its place just before the output folder does, which says that it was kept; a job that leaves no OUT leaves none.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from deid_audit import __version__
from deid_audit.digests import sha256_file
from deid_audit.errors import EvidenceError
from deid_audit.evidence import STATEMENT_FILE
from deid_audit.findings import ErasureRecord, Measurement, measured
from deid_audit.frames import Float
from deid_audit.ledger import LedgerFrame, Region, State
from deid_audit.measure.gallery import GalleryCut
from deid_audit.measure.identity import MATCH_CUT
from deid_audit.pipeline.job import Job, refuse_by_policy
from deid_audit.pipeline.reckoning import Watched
from deid_audit.settings import AuditSettings, RunSettings
from deid_audit.vault.references import ReferencesFile, ReferencesHead, VideoReferences, with_references
from deid_audit.vision.models import CENTERFACE, FACE_MESH, FACE_SHORT_RANGE, LANDMARKS_5, MMOD, RECOGNIZER

_USED = (RECOGNIZER, LANDMARKS_5, FACE_MESH, FACE_SHORT_RANGE, CENTERFACE, MMOD)
MODELS = {model.name: model.sha256 for model in _USED}
"""What finds and describes a released face, by the SHA-256 of its file."""
_STATES = tuple(State)
_GALLERY = {
    "cut": "cut",
    "false_match_rate": "false_match_rate",
    "true_match_rate": "true_match_rate",
    "strangers": "stranger_faces",
    "own": "own_originals",
}  # of a GalleryCut, and what the measurement calls it


class Keeping:
    """The references of one job: sealed before the vault's end, bound to the statement when there is one.

    Without a `file`, none were asked for, and nothing is done.
    """

    def __init__(self, file: ReferencesFile | None, job: Job) -> None:
        self._file, self._job = file, job
        self._statement_sha256 = ""

    def seal(self, watched: Sequence[Watched], donor: Float, measurements: Sequence[Measurement]) -> None:
        """Takes what a recheck needs; `donor` float32 (m, 128), `measurements` for the cut of the gallery."""
        if self._file is None:
            return
        videos = [_references_of(video) for video in watched]
        head = ReferencesHead(
            case_id=self._job.case_id,
            tool_version=__version__,
            models=MODELS,
            thorough=self._job.thorough,
            thresholds={"match cut": MATCH_CUT} | _gallery_thresholds(measurements),
            donor_rows=len(donor),
            videos=tuple(video.shape for video in videos),
        )
        self._file.seal(head, donor, videos)

    def recorded(self, erasure: ErasureRecord) -> ErasureRecord:
        """The vault's record, which says so where references are kept."""
        return erasure if self._file is None else with_references(erasure)

    def bind(self, statement: Path) -> None:
        """Writes the file, bound to the statement's bytes, and puts it in its place, as the last thing before OUT's."""
        if self._file is not None:
            self._statement_sha256 = sha256_file(statement)
            self._file.write(self._statement_sha256)
            self._file.publish()

    def belongs_to(self, out: Path) -> bool:
        """Whether `out` stands with the statement that the file is bound to."""
        try:
            return sha256_file(out / STATEMENT_FILE) == self._statement_sha256
        except OSError:
            return False


@contextmanager
def keeping(settings: RunSettings | AuditSettings, job: Job, passphrase: bytes | None) -> Iterator[Keeping]:
    """What the job keeps; to be entered before the output folder is staged: it must be known here whether OUT stands.

    Raises:
        SettingsError: the policy allows none, or the place or the passphrase cannot be used.
    """
    if settings.keep_references is None:
        yield Keeping(None, job)
        return
    refuse_by_policy(
        job.policy,
        "erasure.references_kept",
        "no kept descriptors, so a job with --keep-references",
        "--keep-references",
    )
    with ReferencesFile(settings.keep_references, settings.out, passphrase or b"") as file:
        kept = Keeping(file, job)
        try:
            yield kept
        except BaseException:
            if not kept.belongs_to(settings.out):  # a signal may come when OUT has just got its name
                file.retract()
            raise


def references_row(erasure: ErasureRecord) -> Measurement:
    """Whether references were kept, as a measurement."""
    value = float(erasure.references_kept)
    return measured("erasure.references_kept", "run", "run", value, sample_size=1, method="the vault's own checks")


def gallery_cut(thresholds: dict[str, float]) -> GalleryCut:
    """The cut of the gallery that was kept."""
    if "gallery cut" not in thresholds:
        return GalleryCut(unusable="there was no cut for the gallery when the certificate was issued", nobody_else=True)
    known = {name: thresholds[f"gallery {name}"] for name in _GALLERY}
    return GalleryCut(
        cut=known["cut"],
        false_match_rate=known["false_match_rate"],
        true_match_rate=known["true_match_rate"],
        strangers=int(known["strangers"]),
        own=int(known["own"]),
    )


def _gallery_thresholds(measurements: Sequence[Measurement]) -> dict[str, float]:
    for row in measurements:
        if row.metric == "residue.gallery_matches" and row.value is not None:
            return {f"gallery {name}": row.detail[key] for name, key in _GALLERY.items()}
    return {}


def _references_of(video: Watched) -> VideoReferences:
    seen = video.observed
    before = [(frame.index, region) for frame in seen.ledger for region in frame.regions]
    # A frame that got a region only afterwards is undecided: no face of a person that is shown or covered.
    after = [
        region
        for frame, last in zip(seen.ledger, video.ledger, strict=True)
        if frame.regions
        for region in last.regions
    ]
    rows = [
        (region.is_subject, _STATES.index(region.state), _STATES.index(last.state))
        for (_, region), last in zip(before, after, strict=True)
    ]
    return VideoReferences(
        original=seen.descriptors.original,
        turns=seen.turns,
        boxes=np.array([region.box_xyxy for _, region in before], np.float64).reshape(-1, 4),
        frame_of=np.array([index for index, _ in before], np.int32),
        states=np.array(rows, np.uint8).reshape(-1, 3),
    )


def ledgers_of(
    kept: VideoReferences, times_s: Sequence[float]
) -> tuple[tuple[LedgerFrame, ...], tuple[LedgerFrame, ...]]:
    """The ledger that the video was watched by, and the final one, as they were kept; EvidenceError if not ours."""
    if (kept.states[:, 1:] >= len(_STATES)).any():
        raise EvidenceError("the references name a state of a face that is not known")
    rows: list[list[tuple[Region, Region]]] = [[] for _ in times_s]
    for at, box, (mine, *states) in zip(kept.frame_of.tolist(), kept.boxes.tolist(), kept.states.tolist(), strict=True):
        place = (box[0], box[1], box[2], box[3])
        watched, final = (
            Region(
                track_id=None, is_subject=bool(mine), state=_STATES[state], reason="kept", decided_by="kept",
                box_xyxy=place,
            )
            for state in states
        )  # fmt: skip
        rows[at].append((watched, final))
    both = [
        tuple(
            LedgerFrame(index=index, time_s=time_s, regions=tuple(pair[which] for pair in row))
            for index, (time_s, row) in enumerate(zip(times_s, rows, strict=True))
        )
        for which in (0, 1)
    ]
    return both[0], both[1]
