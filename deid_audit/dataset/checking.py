"""`dataset check`: everything that can be known to go wrong, looked for before anything runs.

All faults are listed, not the first one. Descriptors of a look are wiped before it ends; nothing is written.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

from deid_audit.context import read_context
from deid_audit.dataset.documents import Checked, Estimate
from deid_audit.dataset.estimating import estimate
from deid_audit.dataset.manifest import Manifest, policy_of, read_manifest, settings_of, subject_words
from deid_audit.dataset.sighting import Look, Observer, Sighted, Someone, distance
from deid_audit.errors import DeidAuditError
from deid_audit.frames import Float
from deid_audit.pipeline.donor_pack import is_pack, read_pack
from deid_audit.pipeline.job import read_answers
from deid_audit.pipeline.keypoint_backends import as_asked, backend_for
from deid_audit.policy import load_policy
from deid_audit.progress import Progress
from deid_audit.settings import RunSettings
from deid_audit.video.places import path_from, place_of
from deid_audit.vision.recognizer import MATCH_DISTANCE


def check(path: Path, *, progress: Progress, out: Path | None = None, look: Look | None = None) -> Checked:
    """Every check on the data set of a dataset.toml; `look` stands in for the look at one video in tests.

    The disk is that of `out`, the folder of the run, or without one that of the file.

    1. Policy, answers, keypoints and settings.  2. Every donor's pack, or video.  3. Every video decoded once.
    4. One person in all videos of a subject, nobody under two names, no donor among the subjects.  5. Time and disk.

    Raises:
        DataSetError: the file itself cannot be taken.
    """
    manifest = read_manifest(path)
    folder = path.absolute().parent
    problems, noticed = _of_paper(manifest, folder), []
    free = shutil.disk_usage(folder if out is None else out).free
    reckoned = None
    if problems:
        noticed.append("no video was looked at: mend the settings first")
    else:
        with Observer(manifest.device, look) as observer:
            looking = _Looking(manifest, folder, progress, observer)
            reckoned = looking.run()
        problems += looking.problems
        noticed += looking.noticed
    needed = 0 if reckoned is None else reckoned.disk_bytes + reckoned.work_bytes
    if needed > free:
        where = "beside the set's file" if out is None else "where --out is"
        problems.append(f"about {needed / 1e9:.1f} GB of disk will be needed, {free / 1e9:.1f} GB are free {where}")
    return Checked(
        ok=not problems,
        subjects=len(manifest.subjects),
        videos=sum(len(one.videos) for one in manifest.subjects),
        problems=tuple(problems),
        noticed=tuple(noticed),
        estimate=reckoned,
        free_bytes=free,
    )


def _of_paper(manifest: Manifest, folder: Path) -> list[str]:
    """What is wrong with the settings, without a look at a video."""
    problems = []

    def tried(what: str, step: Callable[[], object]) -> None:
        try:
            step()
        except DeidAuditError as error:
            problems.append(f"{what}{error}" + (f" ({error.next_step})" if error.next_step else ""))

    def settings(number: int) -> RunSettings:
        return settings_of(manifest, number, folder=folder, out=folder / "out", case_id="case")

    for number in range(1, len(manifest.subjects) + 1):
        tried(f"{subject_words(number)}: ", lambda number=number: settings(number))  # type: ignore[misc]
    if problems:
        return problems
    tried("", lambda: as_asked(backend_for(settings(1).keypoints, "cpu"), load_policy(policy_of(manifest, folder))))
    if manifest.context is not None:
        context = path_from(folder, manifest.context)
        tried("", lambda: read_context(context, on=datetime.now(UTC).date(), read=read_answers))
    if manifest.strangers is not None and not (folder / manifest.strangers).is_dir():
        problems.append("strangers: there is no such folder")
    return problems


class _Looking:
    """One look at everybody."""

    def __init__(self, manifest: Manifest, folder: Path, progress: Progress, observer: Observer) -> None:
        self.manifest, self.folder, self.progress, self.observer = manifest, folder, progress, observer
        self.problems: list[str] = []
        self.noticed: list[str] = []

    def run(self) -> Estimate | None:
        """Looks at donors and subjects; the estimate, None where a subject's video could not be read."""
        packed = {path: is_pack(path) for path in self._donor_files()}
        donors = dict(self._donors(packed))
        looked: list[list[Sighted]] = []
        subjects: dict[int, Someone] = {}
        with self.progress.step("looking at subjects", len(self.manifest.subjects)) as step:
            for number, subject in enumerate(self.manifest.subjects, start=1):
                paths = [path_from(self.folder, one) for one in subject.videos]
                seen = self._seen(paths, f"{subject_words(number)}, video")
                step.advance()
                if len(seen) < len(paths):
                    continue
                looked.append(seen)
                one, doubt = self.observer.the_one_of(seen, self._photo(number))
                chosen = bool(subject.tracks)  # the steward says who it is, which this look cannot follow
                if doubt:
                    (self.problems if one is None and not chosen else self.noticed).append(
                        f"{subject_words(number)}: {doubt}"
                    )
                if one is not None and not chosen:
                    subjects[number] = one
        self._compare(subjects, donors)
        if len(looked) < len(self.manifest.subjects):
            return None
        videos = [path_from(self.folder, one) for subject in self.manifest.subjects for one in subject.videos]
        return estimate(
            self.manifest,
            [[one.facts for one in seen] for seen in looked],
            [[one.seconds_a_frame for one in seen] for seen in looked],
            original_bytes=sum(place_of(one, "a video").stamp()[0] for one in videos),
            packed=[any(packed[path] for path in self._donors_of(n)) for n in range(1, len(looked) + 1)],
        )

    def _donors_of(self, number: int) -> list[Path]:
        return [
            path_from(self.folder, one) for one in self.manifest.subjects[number - 1].donors or self.manifest.donors
        ]

    def _donor_files(self) -> list[Path]:
        every = (path for n in range(1, len(self.manifest.subjects) + 1) for path in self._donors_of(n))
        return list(dict.fromkeys(every))

    def _donors(self, packed: dict[Path, bool]) -> Iterator[tuple[str, Float]]:
        """Average descriptors of every donor, by what it is called."""
        groups = dict.fromkeys(tuple(self._donors_of(n)) for n in range(1, len(self.manifest.subjects) + 1))
        for at, paths in enumerate(groups, start=1):
            name = f"donor {at}"
            if any(packed[path] for path in paths):
                for file, path in enumerate(paths, start=1):
                    average = self._pack(path, f"{name}, pack {file}")
                    if average is not None:
                        yield f"{name}, pack {file}", average
                continue
            seen = self._seen(paths, f"{name}, video")
            if len(seen) == len(paths):
                one, doubt = self.observer.the_one_of(seen)
                if doubt:
                    (self.problems if one is None else self.noticed).append(f"{name}: {doubt}")
                if one is not None:
                    yield name, one.average

    def _pack(self, path: Path, name: str) -> Float | None:
        try:
            return self.observer.keep(read_pack(path).average)
        except DeidAuditError as error:
            self.problems.append(f"{name}: {error}")
            return None

    def _photo(self, number: int) -> Float | None:
        photo = self.manifest.subjects[number - 1].photo
        if photo is None:
            return None
        try:
            return self.observer.photo(path_from(self.folder, photo))
        except DeidAuditError as error:
            self.problems.append(f"{subject_words(number)}: {error}")
            return None

    def _seen(self, paths: Sequence[Path], label: str) -> list[Sighted]:
        found = []
        for at, path in enumerate(paths, start=1):
            try:
                found.append(self.observer.sight(path, f"{label} {at}"))
            except DeidAuditError as error:
                self.problems.append(str(error))
        return found

    def _compare(self, subjects: dict[int, Someone], donors: dict[str, Float]) -> None:
        """Nobody twice, no donor among the subjects; by averages, within dlib's cut for one person."""
        names = {number: self.manifest.subjects[number - 1].name for number in subjects}
        apart = {frozenset(pair) for pair in self.manifest.different_people}
        averages = {number: one.average for number, one in subjects.items()}
        for one, other in combinations(averages, 2):
            apart_by = distance(averages[one], averages[other])
            if apart_by < MATCH_DISTANCE and frozenset((names[one], names[other])) not in apart:
                self.problems.append(
                    f"{subject_words(one)} and {subject_words(other)} look like one person (distance {apart_by:.2f}, "
                    f"below {MATCH_DISTANCE}): list their videos under one, or name both in `different_people`"
                )
        for name, donor in donors.items():
            for number, average in averages.items():
                apart_by = distance(donor, average)
                if apart_by < MATCH_DISTANCE:
                    self.problems.append(
                        f"{name} looks like {subject_words(number)} (distance {apart_by:.2f}, below {MATCH_DISTANCE}): "
                        "a run with them would be refused, and no subject may lend their face"
                    )
