"""Passes 3 and 4, video by video and round by round: rendered and watched, and again where something must be covered.

The first round is the run's own; in the second what the audit left undecided is covered. A review asks for more of
them. What one round covered stays covered in all that follow.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deid_audit.findings import video_scope
from deid_audit.ledger import Region, Rung, State
from deid_audit.measure.canaries import Canary, Flock
from deid_audit.pipeline.burned_in import find_text
from deid_audit.pipeline.cast import Role
from deid_audit.pipeline.companions import Companion
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.finishing import finished_ledger
from deid_audit.pipeline.job import Job
from deid_audit.pipeline.marking import Marker
from deid_audit.pipeline.measuring import observe
from deid_audit.pipeline.original_side import OriginalSide
from deid_audit.pipeline.outsider import outsider_of
from deid_audit.pipeline.own_faces import refuse_own_faces
from deid_audit.pipeline.reckoning import Watched
from deid_audit.pipeline.rendering import Descriptors, RenderedPass, part_of, render_video, undecided_of
from deid_audit.pipeline.reviewing import Reviewed, Reviewing, ReviewRounds, event_of
from deid_audit.pipeline.training import TrainedPair, wipe_arrays_with
from deid_audit.pipeline.voicing import Voice
from deid_audit.progress import Progress
from deid_audit.settings import RunSettings
from deid_audit.swap.convert import rebuild_face
from deid_audit.timing import Timer
from deid_audit.vault import Vault
from deid_audit.video import writer
from deid_audit.video.encoding import LOSSLESS, USUAL
from deid_audit.video.reader import SourceVideo, open_video
from deid_audit.vision.keypoint_detectors import KeypointBackend
from deid_audit.vision.standing_text import TextStretch

Wanted = Mapping[int, Sequence[Region]]
"""Faces that are to be covered, by frame; see `render_video`."""


@dataclass(slots=True, eq=False)
class _Video:
    """What the rounds of one video know of each other."""

    text: Sequence[TextStretch] = ()
    wanted: dict[int, tuple[Region, ...]] = field(default_factory=dict)
    harder: dict[tuple[int, int], Rung] = field(default_factory=dict)
    described: Sequence[Descriptors] = ()
    pasted: Sequence[Canary] = ()
    side: OriginalSide = field(default_factory=OriginalSide)

    def want(self, regions: Wanted) -> None:
        for frame, found in regions.items():
            there = self.wanted.get(frame, ())
            places = {(one.track_id, one.box_xyxy) for one in there}
            self.wanted[frame] = (*there, *(one for one in found if (one.track_id, one.box_xyxy) not in places))


@dataclass(slots=True, kw_only=True, eq=False)
class Rounds:
    """Everything that rendering and watching the subject's videos needs, with the model in memory."""

    folder: Path
    subject: Role
    pair: TrainedPair
    companions: Sequence[Companion]
    settings: RunSettings
    engines: Engines
    canaries: Flock
    keypoints: KeypointBackend
    marker: Marker | None
    voice: Voice
    vault: Vault
    progress: Progress
    timer: Timer
    _videos: dict[int, _Video] = field(default_factory=dict, init=False)

    def first(self) -> list[Watched]:
        """All videos rendered and watched; what the audit leaves undecided is covered in a second round."""
        numbers = range(1, len(self.subject.videos) + 1)
        cover = self.settings.burned_in_text == "cover"
        with self.timer.of("rendering"):
            for number in numbers:
                source = self.subject.videos[number - 1].source
                text = find_text(source, progress=self.progress) if cover else ()
                self._videos[number] = _Video(text=text)
            rendered = [self._render(number) for number in numbers]
        with self.timer.of("measuring"):
            return [self._settled(number, *one) for number, one in zip(numbers, rendered, strict=True)]

    def again(self, number: int, wanted: Wanted, harder: Mapping[tuple[int, int], Rung]) -> Watched:
        """One video rendered and watched once more, with more faces covered or swapped harder (by frame and track)."""
        self._videos[number].want(wanted)
        self._videos[number].harder |= harder
        with self.timer.of("rendering"):
            rendered = self._render(number)
        with self.timer.of("measuring"):
            return self._settled(number, *rendered)

    def _settled(self, number: int, done: RenderedPass, released: SourceVideo) -> Watched:
        known = self._videos[number]
        self.canaries.forget(known.pasted)  # into a file that did not stay
        unused, before = self.canaries.state(), len(self.canaries.seen)
        video = self._watch(number, done, released)
        undecided = {frame.index: undecided_of(frame) for frame in video.ledger if frame.state is State.UNDECIDED}
        if undecided:
            self.canaries.restore(unused)
            known.want(undecided)
            video = self._watch(number, *self._render(number))
        known.pasted = self.canaries.seen[before:]
        return video

    def _render(self, number: int) -> tuple[RenderedPass, SourceVideo]:
        known, clock = self._videos[number], self.timer.watch("rendering")
        source = self.subject.videos[number - 1].source
        path = self.folder / f"{self.settings.case_id}-{number:02d}.mp4"
        path.unlink(missing_ok=True)
        everyone = [self.subject.average, *(person.average for person in self.subject.others)]
        swapped = [(self.subject, self.pair.model), *((one.role, one.pair.model) for one in self.companions)]
        parts = [
            part_of(
                role.videos[number - 1],
                role.average,
                [one for one in everyone if one is not role.average],
                model=model,
                engines=self.engines,
                clock=clock,
            )
            for role, model in swapped
        ]
        done = RenderedPass(encoding=LOSSLESS if self.settings.lossless else USUAL, text=known.text)
        done.wiped_with(self.vault, number, source.facts.frame_count)
        with self.progress.step(f"swapping, {source.label}", source.facts.frame_count) as step:
            render_video(
                parts, path, done, step=step, again=known.wanted, harder=known.harder, sound=self.voice.track(source),
                known=known.described, clock=clock,
            )  # fmt: skip
        known.described = known.described or done.described
        if self.marker is not None:  # before anything looks at the file: what is certified is the marked one
            self.marker.mark(path, label=f"released video {number}", title=path.name)
        released = open_video(path, label=f"released video {number}")
        writer.check_same_timing(source, released)
        return done, released

    def _watch(self, number: int, done: RenderedPass, released: SourceVideo) -> Watched:
        cast, model = self.subject.videos[number - 1], self.pair.model
        clock = self.timer.watch("measuring")
        with clock.running(cast.source.facts.frame_count):
            observed = observe(
                cast, released, done, engines=self.engines, canaries=self.canaries, progress=self.progress,
                keypoints=self.keypoints, rebuild=(functools.partial(rebuild_face, model), model.preset.size),
                outsider=outsider_of(model), original_side=self._videos[number].side, clock=clock,
            )  # fmt: skip
        wipe_arrays_with(self.vault, f"descriptors and landmarks, video {number}", observed.arrays())
        return Watched(
            released=released,
            ledger=finished_ledger(done.ledger, observed),
            observed=observed,
            voice=self.voice.measure(cast.source, released, video_scope(number)),
            sound_asked=self.voice.carried(cast.source),
        )


def watched_and_reviewed(
    rounds: Rounds, reviewing: Reviewing | None, job: Job
) -> tuple[list[Watched], Reviewed | None]:
    """The run's videos, rendered and watched, and as people left them where somebody is to be asked.

    The log is told before anything is destroyed.
    """
    watched = rounds.first()
    if reviewing is None:
        return watched, None
    subject, settings = rounds.subject, rounds.settings
    averages = [subject.average, *(person.average for person in subject.others)]
    job.progress.say("the run waits for people to look at the videos; nothing is destroyed or judged before")
    with rounds.timer.of("reviewing"):
        review = ReviewRounds(
            case_id=settings.case_id,
            originals=[cast.source for cast in subject.videos],
            reviewing=reviewing,
            readers=settings.readers,
            again=rounds.again,
            checked=lambda orders, released: refuse_own_faces(orders, released, averages, rounds.engines),
        ).of(watched)
    job.journal.append(event_of(settings.case_id, review.record))
    return review.watched, review
