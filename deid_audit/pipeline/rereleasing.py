"""A review carried out after the run, where the model is gone: covers only, and everything measured and judged anew.

Takes the place of another tool's output in an audit: videos that nothing is asked of are taken byte for byte, the
others written again with the covers on them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from deid_audit.certificate.keys import Signer
from deid_audit.certificate.media_keys import MediaSigner
from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError, ReviewFileError, SettingsError
from deid_audit.findings import CaseRecord, MediaMark
from deid_audit.frames import Float, Frame
from deid_audit.ledger import LedgerFrame, Region
from deid_audit.ledger_file import read_ledger_file
from deid_audit.pipeline.auditing import audit
from deid_audit.pipeline.concluding import JobResult
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.finished_out import LEDGER_FILE, WHOLE, FinishedOut, open_out
from deid_audit.pipeline.job import now
from deid_audit.pipeline.marking import Marker, marker_for
from deid_audit.pipeline.own_faces import refuse_own_faces
from deid_audit.pipeline.reckoning import Watched
from deid_audit.pipeline.reviewing import ONE_READER, Reviewed, with_clears
from deid_audit.progress import Progress
from deid_audit.render.conceal import mask, release_box
from deid_audit.review.agreement import Agreement, agreement
from deid_audit.review.applying import Orders, orders_of
from deid_audit.review.queue import queue
from deid_audit.review.records import ReviewFile, Role, load_review, review_bytes
from deid_audit.review.sight import Sight
from deid_audit.review.summary import record_of
from deid_audit.settings import AuditSettings
from deid_audit.video.encoding import LOSSLESS, USUAL, Encoding
from deid_audit.video.marking import COVERED
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.writer import method_text, write_video

_MADE = (
    "The videos are those of case {case_id}, whose statement has the sha256 {digest}: how their faces were changed, "
    "and what was destroyed, stands there. People looked at them afterwards: {changed} of {videos} were written again "
    "with what the reviewers wanted covered filled black (boxes enlarged by a third), the others are the same bytes. "
    "Another swap was not possible any more. {written}"
)

_INDEPENDENT: tuple[Role, ...] = ("first", "second")


@dataclass(slots=True, kw_only=True, eq=False)
class Rework:
    """What a review asks of a finished OUT, for the audit that judges the result."""

    out: FinishedOut
    review: ReviewFile
    ledgers: Sequence[Sequence[LedgerFrame]]
    orders: Orders
    marker: Marker | None = None

    @property
    def media_mark(self) -> MediaMark | None:
        """The mark that every video carries; None where those that are written again lose theirs."""
        if self.marker is not None:
            return self.marker.record
        return None if self.orders.videos else self.out.case.media_mark

    @property
    def made_with(self) -> str:
        """How the videos were made, for their certificate."""
        return _MADE.format(
            case_id=self.out.case.case_id,
            digest=sha256_bytes(self.out.statement),
            changed=len(self.orders.videos),
            videos=len(self.out.videos),
            written=method_text(_encoding(self.out.case)),
        )

    def covers(self, number: int) -> Mapping[int, Sequence[Region]]:
        """What is covered in video `number`, by frame."""
        return self.orders.of_video(number)

    def take(self, number: int, target: Path) -> bool:
        """Writes video `number` to `target` with its covers; False where it has none, and its bytes are taken."""
        covers = self.covers(number)
        if not covers:
            return False
        source = open_video(self.out.videos[number - 1], label=f"released video {number}")
        write_video(target, _covered(source, covers), like=source, encoding=_encoding(self.out.case))
        if self.marker is not None:
            self.marker.mark(target, label=f"released video {number}", title=target.name)
        return True

    def settled(
        self, watched: Sequence[Watched], averages: Sequence[Float], engines: Engines
    ) -> tuple[list[Watched], Reviewed]:
        """The audit's videos with what may be cleared as reviewed, and what the statement says of the review."""
        orders = refuse_own_faces(self.orders, [video.released for video in watched], averages, engines)
        videos = [with_clears(video, at, orders) for at, video in enumerate(watched, start=1)]
        sight = Sight()
        for one in self.review.readings:
            sight.add(one, self.ledgers)
        sight.forget(orders.covers)
        data = review_bytes(self.review)
        record = record_of(
            self.review.readings,
            file_sha256=sha256_bytes(data),
            frames=sum(len(video.ledger) for video in videos),
            frames_shown=sight.least,
            agreed=_agreement(self.review, self.ledgers),
            unresolved=orders.unresolved,
            refused=len(orders.refused),
        )
        refused = tuple(one for one in orders.refused if one not in self.orders.refused)  # those were told before
        return videos, Reviewed(watched=videos, data=data, record=record, refused=refused)


def release_again(
    settings: AuditSettings,
    *,
    review: Path,
    of: Path,
    signer: Signer | None,
    progress: Progress,
    clock: Callable[[], datetime] = now,
    references_passphrase: bytes | None = None,
    media_signer: MediaSigner | None = None,
) -> JobResult:
    """Carries the review file out on a finished OUT (`of`) and audits the result against the originals.

    `settings.originals` are the originals of OUT in its order (`matched_originals`); `settings.released` its videos.
    `media_signer` marks those that are written again, where that was asked for.

    Raises:
        ReviewFileError: the review is of another OUT, or not finished.
        EvidenceError: OUT is not as its statement says.
        SettingsError: the marks would not be those of the other videos.
        DeidAuditError: as `audit` does; nothing is left at `settings.out`.
    """
    out = open_out(of)
    rework = rework_of(load_review(review), out, marker=_marker_like(out.case.media_mark, media_signer))
    for one in rework.orders.refused:
        progress.say(f"not carried out: {one}")
    return audit(
        settings,
        signer=signer,
        progress=progress,
        clock=clock,
        references_passphrase=references_passphrase,
        media_mark=rework.media_mark,
        rework=rework,
    )


def _marker_like(mark: MediaMark | None, signer: MediaSigner | None) -> Marker | None:
    """Marks as the videos that stay as they are were marked: one statement speaks of one mark.

    Raises:
        SettingsError: they carry no mark, or one by another key.
    """
    if signer is None:
        return None
    if mark is None or mark.signer.fingerprint_sha256 != signer.info.fingerprint_sha256:
        why = "carry no mark" if mark is None else "were marked with another key"
        raise SettingsError(
            f"--c2pa: the reviewed videos {why}, and those that are not written again stay as they are",
            next_step="leave --c2pa out" if mark is None else "give the key that marked them, or leave --c2pa out",
        )
    return marker_for("conceal" if mark.digital_source_type == COVERED else "swap", signer)


def rework_of(review: ReviewFile, out: FinishedOut, *, marker: Marker | None = None) -> Rework:
    """What the review asks of OUT; `marker` marks what is written again.

    Raises:
        ReviewFileError: it is of another OUT, has no reading, or one that is not finished.
        EvidenceError: OUT has no ledger, or not the one that its statement names.
        SettingsError: the videos have sound.
    """
    case = out.case
    bound = (case.case_id, sha256_bytes(out.statement), case.ledger.sha256)
    if (review.case_id, review.statement_sha256, review.ledger_sha256) != bound:
        raise ReviewFileError(
            "the review is about another job than this OUT",
            next_step="give the OUT that was reviewed; what a run with --review decided is carried out already",
        )
    if not review.readings or any(one.finished_at is None for one in review.readings):
        raise ReviewFileError(
            "the review is not finished", next_step="finish it with deid-audit review and the same file"
        )
    if any(facts.inventory.audio_streams for facts in case.rendered):
        raise SettingsError(
            "the videos have sound, which cannot be told from an unmasked voice any more",
            next_step="run again with --review and the same --audio",
        )
    ledger = out.named(LEDGER_FILE, case.ledger.sha256)
    if ledger is None:
        raise EvidenceError(f"the folder has no {LEDGER_FILE}", next_step=WHOLE)
    ledgers = read_ledger_file(ledger.decode())
    orders = orders_of(review.readings, ledgers, model_is_there=False)
    return Rework(out=out, review=review, ledgers=ledgers, orders=orders, marker=marker)


def _agreement(review: ReviewFile, ledgers: Sequence[Sequence[LedgerFrame]]) -> Agreement:
    if not review.of("second"):
        return Agreement(items=0, differing=(), kappa=None, because=ONE_READER)
    first, second = ([one for made in review.of(role) for one in made.decisions] for role in _INDEPENDENT)
    return agreement(queue(ledgers), first, second)


def _covered(source: SourceVideo, covers: Mapping[int, Sequence[Region]]) -> Iterator[Frame]:
    for frame in read_frames(source):
        image = frame.image_rgb
        for region in covers.get(frame.index, ()):
            image = mask(image, release_box(np.array(region.box_xyxy, np.float32)))
        yield Frame(index=frame.index, pts=frame.pts, image_rgb=image)


def _encoding(case: CaseRecord) -> Encoding:
    """How the videos were written, so that those that are written again are like the others."""
    lossless = any(stage.settings.get("lossless") is True for stage in case.stages)
    return LOSSLESS if lossless else USUAL
