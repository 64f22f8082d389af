"""A look at a subject's videos before a run: who is in them, what will be hard, what a run would do.

The same search for faces and the same rules as the main job; no swap is made, and nothing is written but the contact
sheet, when one is asked for.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from deid_audit.errors import NotEnoughFaces
from deid_audit.faces.subject import Person, name_person, others_than, people
from deid_audit.faces.track import VideoFaces
from deid_audit.findings import Stretch
from deid_audit.ledger import LedgerFrame
from deid_audit.pipeline.cast import CastVideo, describe_photo, find_faces, videos_of
from deid_audit.pipeline.engines import Engines, load_engines
from deid_audit.pipeline.locating import stretches_of
from deid_audit.pipeline.measuring import pose_window
from deid_audit.pipeline.preview.expecting import expect, expected_ledger, fitting, material, run_seconds
from deid_audit.pipeline.preview.hard import Reason, hard_frames
from deid_audit.pipeline.preview.looking import Looked, look_again
from deid_audit.pipeline.preview.report import HardPart, Inspection, PersonSeen
from deid_audit.pipeline.preview.sheet import TILES, contact_sheet
from deid_audit.pipeline.rendering import subject_boxes
from deid_audit.pipeline.staging import interruptible, staged_file
from deid_audit.progress import Progress
from deid_audit.settings import InspectSettings
from deid_audit.swap.convert import pick_device, prepare_runtime
from deid_audit.video.reader import SourceVideo, open_video

_BODY_FRAMES = 20


def inspect(settings: InspectSettings, *, progress: Progress) -> Inspection:
    """Looks at the videos of one subject.

    1. Find the faces.  2. Tell people apart, and name the subject as a run would.  3. Look again: sharpness, body,
    tiles.  4. Expect what a run would do.  5. On request, write the contact sheet.

    Raises:
        DeidAuditError: with the exit code and the next step; nothing is left at `settings.out`.
    """
    device = pick_device(settings.device)
    with interruptible(), ExitStack() as stack:
        unfinished = None
        if settings.out is not None:
            unfinished = stack.enter_context(staged_file(settings.out, force=settings.force))
        sources = [open_video(path, label=f"video {n}") for n, path in enumerate(settings.videos, start=1)]
        prepare_runtime(device)
        engines = load_engines(device)
        photo = describe_photo(settings.subject_photo, engines)
        found: list[VideoFaces] = []
        finding_s: list[float] = []
        for source in sources:
            started = time.monotonic()
            found.append(find_faces(source, engines=engines, progress=progress))
            finding_s.append(time.monotonic() - started)
        everyone = people(found)
        refusal = next_step = ""
        subject: Person | None = None
        try:
            subject = name_person(found, who="subject", photo=photo, chosen=settings.subject_tracks)
        except NotEnoughFaces as refused:
            refusal, next_step = str(refused), refused.next_step
        if subject is not None:  # the steward's tracks may have joined two into one
            everyone = sorted([subject, *others_than(subject, found)], key=lambda person: -person.weight)
        about = subject or (everyone[0] if everyone else None)
        others = [] if about is None else others_than(about, found)
        nobody = Person([set() for _ in found], [0] * len(found), np.zeros(128, np.float32))
        videos = list(videos_of(about or nobody, others, sources, found))
        averages = [person.average for person in others]
        ledgers = [] if about is None else [expected_ledger(video, about.average, averages) for video in videos]
        looked = _look(videos, ledgers, everyone, engines, progress, tiles=unfinished is not None)
        tiles = [tile for one in looked for tile in one.tiles]
        if unfinished is not None:
            unfinished.path.write_bytes(contact_sheet(tiles))
        return Inspection(
            videos=tuple(source.facts for source in sources),
            people=tuple(_seen(at, person, sources, found) for at, person in enumerate(everyone)),
            **_unnamed(found, everyone),
            subject=_name_of(subject, everyone),
            refusal=refusal,
            next_step=next_step,
            about=_name_of(about, everyone),
            hard=_hard(videos, everyone, looked, engines.second.name),
            expected=tuple(expect(number, ledger) for number, ledger in enumerate(ledgers, start=1)),
            material=None if about is None else material(videos),
            fitting=None if about is None else fitting([seen for one in looked for seen in one.in_view]),
            run_seconds=None if about is None else run_seconds(finding_s, [one.facts for one in sources]),
            tiles=len(tiles),
        )


def _name_of(person: Person | None, everyone: Sequence[Person]) -> str | None:
    """`person 1` for the one seen most."""
    if person is None:
        return None
    return f"person {next(at for at, one in enumerate(everyone, start=1) if one is person)}"


def _look(
    videos: Sequence[CastVideo],
    ledgers: Sequence[Sequence[LedgerFrame]],
    everyone: Sequence[Person],
    engines: Engines,
    progress: Progress,
    *,
    tiles: bool,
) -> list[Looked]:
    """The second decode of every video."""
    seen = [(v, f) for v, ledger in enumerate(ledgers) for f, row in enumerate(ledger) if _shows(row)]
    bodies = {seen[round(place)] for place in np.linspace(0, len(seen) - 1, min(_BODY_FRAMES, len(seen)))}
    each = max(1, TILES // len(videos))
    looked = []
    for v, video in enumerate(videos):
        count = video.source.facts.frame_count
        named = [(f"person {at}", one.tracks[v]) for at, one in enumerate(everyone, start=1)]
        window = pose_window(video, subject_boxes(ledgers[v])) if ledgers else None
        with progress.step(f"looking again, {video.source.label}", count) as step:
            looked.append(
                look_again(
                    video,
                    bodies_in={frame for at, frame in bodies if at == v},
                    window=window,
                    tiles_of={round(place) for place in np.linspace(0, count - 1, each)} if tiles else (),
                    names=named,
                    audit=engines.audit,
                    step=step,
                )
            )
    return looked


def _shows(frame: LedgerFrame) -> bool:
    return any(region.is_subject for region in frame.regions)


def _seen(at: int, person: Person, sources: Sequence[SourceVideo], found: Sequence[VideoFaces]) -> PersonSeen:
    """Where a person is really seen: faces that were filled in do not count."""
    stretches: list[Stretch] = []
    heights: list[float] = []
    frames = with_landmarks = 0
    for v, (source, faces) in enumerate(zip(sources, found, strict=True)):
        shown = np.zeros(source.facts.frame_count)
        for index, row in enumerate(faces.frames):
            mine = [face for face in row if face.track_id in person.tracks[v] and not face.filled]
            shown[index] = bool(mine)
            with_landmarks += any(face.has_landmarks for face in mine)
            heights += [float(np.ptp(face.box_xyxy[[1, 3]])) for face in mine]
        frames += int(shown.sum())
        stretches += [one for _, one in stretches_of(shown, np.array(source.times_s), v + 1)]
    return PersonSeen(
        name=f"person {at + 1}",
        tracks=tuple(tuple(sorted(tracks)) for tracks in person.tracks),
        frames=frames,
        median_height_px=float(np.median(heights)),
        landmark_share=with_landmarks / frames,
        stretches=tuple(stretches),
    )


def _unnamed(found: Sequence[VideoFaces], everyone: Sequence[Person]) -> dict[str, int]:
    """Tracks that belong to nobody known, and in how many frames one of them is really seen."""
    tracks: set[tuple[int, int]] = set()
    frames = 0
    for v, faces in enumerate(found):
        known = set().union(*(person.tracks[v] for person in everyone))
        for row in faces.frames:
            unknown = {(v, face.track_id) for face in row if not face.filled and face.track_id not in known}
            tracks |= unknown
            frames += bool(unknown)
    return {"unnamed_tracks": len(tracks), "unnamed_frames": frames}


def _hard(
    videos: Sequence[CastVideo], everyone: Sequence[Person], looked: Sequence[Looked], second: str
) -> tuple[HardPart, ...]:
    """Every reason that has a frame, in the order of `Reason`."""
    frames = dict.fromkeys(Reason, 0)
    stretches: dict[Reason, list[Stretch]] = {reason: [] for reason in Reason}
    for v, (video, one) in enumerate(zip(videos, looked, strict=True)):
        named = set().union(*(person.tracks[v] for person in everyone))
        hard = hard_frames(video, named=named, sharpness=one.sharpness, second=second)
        for reason, indices in hard.items():
            marked = np.zeros(len(video.faces.frames))
            marked[indices] = 1
            frames[reason] += len(indices)
            stretches[reason] += [s for _, s in stretches_of(marked, np.array(video.source.times_s), v + 1)]
    return tuple(
        HardPart(reason=reason, frames=frames[reason], stretches=tuple(stretches[reason]))
        for reason in Reason
        if frames[reason]
    )
