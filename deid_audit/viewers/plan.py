"""The plan of a viewer test: which pictures stand beside which clip, where, and where the person of the clip stands.

Made once by `prepare`, before anybody answers. It holds the solution and is for the steward alone.
"""

import random
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from deid_audit.errors import SettingsError
from deid_audit.records import Strict

SMALLEST, LARGEST = 4, 9
"""How many pictures a line-up may have: each has a digit of the keyboard."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Kind = Literal["present", "absent", "control"]


class LineUp(Strict):
    """Pictures beside one clip. `video` counts the released videos from 1; None is the control's unprotected clip.

    `target` is the place, from 1, of the person in the clip; None where they are not among the pictures.
    """

    number: int = Field(ge=1)
    kind: Kind
    video: int | None = Field(ge=1)
    pictures: tuple[Digest, ...]
    target: int | None = Field(ge=1)


class Control(Strict):
    """A clip in which nothing is hidden, of a person who is not the subject: keyed digests of clip and picture."""

    clip: Digest
    picture: Digest


class Plan(Strict):
    """A whole test; `released_sha256` are the certified videos in order, everything else is a keyed digest."""

    version: Literal["viewer-test/v1"] = "viewer-test/v1"
    case_id: str
    statement_sha256: Digest
    released_sha256: tuple[Digest, ...] = Field(min_length=1)
    portrait: Digest
    control: Control | None
    size: int = Field(ge=SMALLEST, le=LARGEST)
    seed: int = Field(ge=0, lt=2**53)
    line_ups: tuple[LineUp, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _adds_up(self) -> "Plan":
        if [one.number for one in self.line_ups] != list(range(1, len(self.line_ups) + 1)):
            raise ValueError("the line-ups are not numbered one after the other")
        for one in self.line_ups:
            if len(set(one.pictures)) != self.size:
                raise ValueError(f"line-up {one.number} does not show {self.size} pictures")
            if one.target != self._place(one):
                raise ValueError(f"line-up {one.number} says that the person stands where they do not")
        shown = sorted((one.kind, one.video or 0) for one in self.line_ups)
        pairs = [(kind, number + 1) for kind in ("absent", "present") for number in range(len(self.released_sha256))]
        if shown != sorted(pairs + [("control", 0)] * (self.control is not None)):
            raise ValueError("not every video has one line-up with the subject and one without")
        return self

    def _place(self, line_up: LineUp) -> int | None:
        person = self.portrait
        if line_up.kind == "control" and self.control is not None:
            person = self.control.picture
        return line_up.pictures.index(person) + 1 if person in line_up.pictures else None

    @property
    def pictures(self) -> frozenset[str]:
        """The keyed digests of all pictures that are shown."""
        return frozenset(digest for one in self.line_ups for digest in one.pictures)

    def order_for(self, viewer: str) -> tuple[int, ...]:
        """The numbers of the line-ups in the order in which the viewer of this code sees them."""
        return tuple(
            random.Random(f"{self.seed} {viewer}").sample(range(1, len(self.line_ups) + 1), len(self.line_ups))
        )


def foils_needed(size: int, *, control: bool) -> int:
    """How many other people's pictures a test needs.

    A pair of line-ups shows the subject and 2 size - 1 others once each, so that nobody stands out by being shown more
    or less often; the control has others of its own.

    >>> foils_needed(6, control=False), foils_needed(6, control=True)
    (11, 16)
    """
    return 2 * size - 1 + (size - 1) * control


def draw_line_ups(
    videos: int, *, portrait: str, foils: Sequence[str], control: Control | None, size: int, seed: int
) -> tuple[LineUp, ...]:
    """Two line-ups for each of the released `videos`, one for the control, in a random order; seeded.

    Raises:
        SettingsError: too few foils, or one picture given twice.
    """
    needed = foils_needed(size, control=control is not None)
    people = [portrait, *foils, *([control.picture] if control else [])]
    if len(set(people)) < len(people):
        raise SettingsError(
            "the same picture was given twice", next_step="give one picture of each person, each a file of its own"
        )
    if len(foils) < needed:
        raise SettingsError(
            f"{len(foils)} pictures of other people were given; line-ups of {size} need {needed}",
            next_step="give more --foil pictures, of people who fit the subject's description, or a smaller --size",
        )
    chance = random.Random(seed)
    chosen = chance.sample(list(foils), needed)
    others, beside_control = chosen[: 2 * size - 1], chosen[2 * size - 1 :]
    drawn: list[tuple[Kind, int | None, str, list[str]]] = []
    for video in range(1, videos + 1):
        order = chance.sample(others, len(others))
        drawn.append(("present", video, portrait, [portrait, *order[: size - 1]]))
        drawn.append(("absent", video, portrait, order[size - 1 :]))
    if control is not None:
        drawn.append(("control", None, control.picture, [control.picture, *beside_control]))
    chance.shuffle(drawn)
    line_ups = []
    for number, (kind, shown, person, pictures) in enumerate(drawn, start=1):
        placed = chance.sample(pictures, size)
        target = placed.index(person) + 1 if person in placed else None
        line_ups.append(LineUp(number=number, kind=kind, video=shown, pictures=tuple(placed), target=target))
    return tuple(line_ups)
