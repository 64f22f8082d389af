"""The other people in the subject's videos, swapped too on request: each to a donor of their own.

Who has too little to learn from, or finds no donor left, stays covered like everybody else without a swap.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deid_audit.errors import NotEnoughFaces
from deid_audit.faces.subject import MINIMUM_FACES
from deid_audit.pipeline.cast import CastVideo, Role, refuse_same_person, usable_frames
from deid_audit.pipeline.donors import Donor, FilmedDonor
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.training import TrainedPair, train_pair
from deid_audit.pipeline.training_process import TrainingProcess
from deid_audit.progress import Progress
from deid_audit.settings import RunSettings
from deid_audit.vault import Vault
from deid_audit.vision.recognizer import MATCH_DISTANCE

METHOD_TEXT = (
    f"Other people in the subject's videos with at least {MINIMUM_FACES} usable faces, most seen first, were swapped "
    "to a donor of their own each, by a model of their own, with the same checks; everybody else was covered. Each of "
    "their shown faces was compared in the written file with its own original of the same frame, and all of them with "
    "the subject's pictures; not with other pictures of themselves. Their expression and movement were not measured."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Companion:
    """One other person: `role` has their tracks in every video of the subject, `pair` their trained model."""

    name: str
    role: Role
    pair: TrainedPair


def refuse_unfit(subject: Role, donor: Donor, other_donors: Sequence[Role]) -> None:
    """Before anything is trained: NotEnoughFaces when an other donor shows too little to learn from.

    SettingsError when one of them looks like the subject, the donor or another one.
    """
    for number, other in enumerate(other_donors, start=1):
        name = f"other donor {number}"
        if (usable := usable_count(other)) < MINIMUM_FACES:
            raise NotEnoughFaces(
                f"{name}: {usable} usable faces found, at least {MINIMUM_FACES} are needed",
                next_step=f"give a longer or better video of the {name}",
            )
        refuse_same_person(subject.average, other.average, other=name)
        refuse_same_person(donor.average, other.average, who="donor", other=name)
        for before, earlier in enumerate(other_donors[: number - 1], start=1):
            refuse_same_person(earlier.average, other.average, who=f"other donor {before}", other=name)


def other_roles(subject: Role) -> list[Role]:
    """Everybody else with enough usable faces, most seen first, as a role in the subject's videos."""
    found = []
    for person in subject.others:
        videos = tuple(
            CastVideo(source=video.source, faces=video.faces, tracks=frozenset(tracks))
            for video, tracks in zip(subject.videos, person.tracks, strict=True)
        )
        role = Role(videos=videos, average=person.average)
        if usable_count(role) >= MINIMUM_FACES:
            found.append(role)
    return found


def usable_count(role: Role) -> int:
    """Faces of the person that training could use."""
    return sum(len(usable_frames(video)) for video in role.videos)


def train_companions(
    subject: Role,
    other_donors: Sequence[Role],
    *,
    settings: RunSettings,
    device: str,
    engines: Engines,
    vault: Vault,
    trainee: TrainingProcess,
    progress: Progress,
) -> list[Companion]:
    """A model for each of the other people who can be swapped, each with the first donor left that is unlike them."""
    left = list(enumerate(other_donors, start=1))
    trained = []
    for number, role in enumerate(other_roles(subject), start=2):
        unlike = [one for one in left if np.linalg.norm(one[1].average - role.average) >= MATCH_DISTANCE]
        if not unlike:
            continue
        left.remove(unlike[0])
        at, donor = unlike[0]
        name = f"person {number}"
        given = FilmedDonor(role=donor)
        pair = train_pair(
            role, given, settings=settings, device=device, engines=engines, vault=vault, trainee=trainee,
            progress=progress, who=(name, f"other donor {at}"),
        )  # fmt: skip
        trained.append(Companion(name=name, role=role, pair=pair))
    if settings.swap_everyone and len(trained) < len(subject.others):
        progress.say(_covered_words(len(trained), len(subject.others)))
    return trained


def _covered_words(swapped: int, people: int) -> str:
    """Said where not all of the other people could be swapped."""
    return (
        f"{swapped} of {people} other people are swapped; the rest stay covered: fewer than {MINIMUM_FACES} usable "
        "faces, or no donor left who looks unlike them"
    )
