"""Who is seen in a video, from a few frames spread over it: enough to notice a mix-up before days of work.

Not the search of a run, which looks at every frame. Descriptors stay in memory and are wiped by whoever asked for them.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from deid_audit.faces.photo import photo_descriptor
from deid_audit.frames import Float
from deid_audit.pipeline.engines import Engines, load_engines
from deid_audit.records import VideoFacts
from deid_audit.swap.convert import pick_device, prepare_runtime
from deid_audit.vault import protect_process
from deid_audit.video.reader import frames_at, open_video
from deid_audit.vision.recognizer import MATCH_DISTANCE

FRAMES = 24
_LEAST_SEEN = 3  # of these frames; fewer sightings are a passer-by, or a thing that looks like a face
_RIVAL_SHARE = 0.5  # as `faces.subject` has it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sighted:
    """One video: what it is, the descriptors float32 (n, 128) of the faces in its sampled frames, and what that took.

    `seconds_a_frame` is of finding and describing faces; decoding is not in it.
    """

    facts: VideoFacts
    descriptors: Float
    frames: int
    seconds_a_frame: float


class Look(Protocol):
    """A look at one video; with `facts` known from a statement it is not decoded to its end to count its frames."""

    def __call__(self, path: Path, label: str, facts: VideoFacts | None = None) -> Sighted: ...


@dataclass(slots=True, eq=False)
class Someone:
    """One person by their sightings in each video; `average` (128,) is over all of them, kept up in place."""

    seen: list[int]
    average: Float = field(default_factory=lambda: np.zeros(128, np.float32))
    _total: Float = field(default_factory=lambda: np.zeros(128, np.float32))

    def add(self, video: int, row: Float) -> None:
        """One more sighting (128,), in that video."""
        self.seen[video] += 1
        self._total += row
        np.divide(self._total, sum(self.seen), out=self.average)

    def wipe(self) -> None:
        """Overwrites what is known of the face."""
        self.average.fill(0)
        self._total.fill(0)


def distance(one: Float, other: Float) -> float:
    """Euclidean, between two descriptors (128,); their difference is wiped."""
    apart = one - other
    length = float(np.linalg.norm(apart))
    apart.fill(0)
    return length


def sight(path: Path, *, label: str, engines: Engines, facts: VideoFacts | None = None) -> Sighted:
    """Decodes all of a video once, unless `facts` are known, then describes every face in at most `FRAMES` frames.

    Raises:
        VideoError: it cannot be read; `label` names it in the message.
    """
    facts = facts or open_video(path, label=label).facts
    wanted = {round(at) for at in np.linspace(0, facts.frame_count - 1, min(FRAMES, facts.frame_count))}
    described: list[Float] = []
    spent = 0.0
    try:
        for _, image in frames_at(path, wanted, label=label):
            started = time.monotonic()
            chips = [engines.recognizer.chip(image, box, None) for box in engines.leading.detect(image).boxes_xyxy]
            described.append(engines.recognizer.describe(chips))
            spent += time.monotonic() - started
        rows = [row for part in described for row in part if np.isfinite(row).all()]
        found = np.stack(rows) if rows else np.zeros((0, 128), np.float32)
    finally:
        for part in described:
            part.fill(0)
    return Sighted(facts=facts, descriptors=found, frames=len(wanted), seconds_a_frame=spent / max(1, len(wanted)))


def people_of(videos: Sequence[Float]) -> list[Someone]:
    """Everybody in these videos, most seen first; `videos` are the descriptors (n, 128) of each.

    Each sighting joins whom it is nearest to, within dlib's cut for one person, in the order of the videos.
    """
    everyone: list[Someone] = []
    for at, rows in enumerate(videos):
        for row in rows:
            distances = [distance(one.average, row) for one in everyone]
            nearest = int(np.argmin(distances)) if distances else -1
            if nearest < 0 or distances[nearest] >= MATCH_DISTANCE:
                everyone.append(Someone(seen=[0] * len(videos)))
                nearest = len(everyone) - 1
            everyone[nearest].add(at, row)
    return sorted(everyone, key=lambda one: -sum(one.seen))


def the_one_of(videos: Sequence[Float], photo: Float | None = None) -> tuple[Someone | None, str]:
    """The one person in all of these videos, or None; and what is doubtful, in words, else empty.

    `photo` (128,) says which of them it is, where several are in all. Everybody else is wiped; whom it gives is for
    the caller to wipe.
    """
    everyone = people_of(videos)
    chosen, doubt = _chosen(everyone, videos, photo)
    for one in everyone:
        if one is not chosen:
            one.wipe()
    return chosen, doubt


def _chosen(everyone: Sequence[Someone], videos: Sequence[Float], photo: Float | None) -> tuple[Someone | None, str]:
    without = [str(at + 1) for at, rows in enumerate(videos) if not len(rows)]
    if without:
        return None, f"no face was found in {FRAMES} frames of video {', '.join(without)}"
    candidates = [one for one in everyone if all(one.seen) and sum(one.seen) >= min(_LEAST_SEEN, len(videos) * 2)]
    if photo is not None:
        candidates = [one for one in candidates if distance(one.average, photo) < MATCH_DISTANCE]
    if not candidates:
        missing = "the photo's person" if photo is not None else "nobody"
        return None, f"{missing} is in all of the {len(videos)} videos: {len(everyone)} people were seen"
    first, *rest = candidates
    if photo is None and rest and sum(rest[0].seen) > _RIVAL_SHARE * sum(first.seen):
        return first, "two people are seen nearly as often: a run may refuse; give `photo` or `tracks`"
    return first, ""


class Observer:
    """Looks with engines that are loaded when first needed; a context manager that wipes what it has described.

    `look` stands in for the look at one video in tests.
    """

    def __init__(self, device: str, look: Look | None = None) -> None:
        self._device = device
        self._look: Look = look or self._sight
        self._engines: Engines | None = None
        self._held: list[Float] = []
        self._people: list[Someone] = []

    def __enter__(self) -> Self:
        protect_process()
        return self

    def __exit__(self, *_: object) -> None:
        for rows in self._held:
            rows.fill(0)
        for one in self._people:
            one.wipe()

    def sight(self, path: Path, label: str, facts: VideoFacts | None = None) -> Sighted:
        """As `sight`; the descriptors are wiped at the end."""
        seen = self._look(path, label, facts)
        self.keep(seen.descriptors)
        return seen

    def photo(self, path: Path) -> Float:
        """The descriptor (128,) of the one face in a photo."""
        engines = self._loaded()
        return self.keep(photo_descriptor(path, detector=engines.leading, recognizer=engines.recognizer))

    def the_one_of(self, seen: Sequence[Sighted], photo: Float | None = None) -> tuple[Someone | None, str]:
        """As `the_one_of`; whom it gives is wiped at the end."""
        one, doubt = the_one_of([video.descriptors for video in seen], photo)
        if one is not None:
            self._people.append(one)
        return one, doubt

    def keep(self, rows: Float) -> Float:
        """Rows that are to be wiped at the end."""
        self._held.append(rows)
        return rows

    def _loaded(self) -> Engines:
        if self._engines is None:
            device = pick_device(self._device)
            prepare_runtime(device)
            self._engines = load_engines(device)
        return self._engines

    def _sight(self, path: Path, label: str, facts: VideoFacts | None = None) -> Sighted:
        return sight(path, label=label, engines=self._loaded(), facts=facts)
