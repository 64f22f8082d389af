"""The ledger's reasons in the steward's words: why a face was covered or stayed undecided, and what mends it.

A reason is known by words of the module that writes it; one that is not in the table is counted as "another reason".
"""

from dataclasses import dataclass

_CUT_OUT = "cut these stretches out of the clip before the run, or film again with the face in view."


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Words of a ledger's reason, what they mean, and the next step for this tool's swap and for other jobs.

    `training` marks what longer training may mend.
    """

    says: str
    words: str
    ours: str
    theirs: str = "Look at these stretches of the released video and mend them in the tool that made it."
    training: bool = False

    def fits(self, reason: str) -> bool:
        """Whether this cause is the reason's."""
        return self.says in reason


CAUSES = (
    Cause(
        says="a reviewer had it covered",
        words="a reviewer had the face covered",
        ours="Read the reviewer's note in audit/review.json; what is covered stays so.",
    ),
    Cause(
        says="a reviewer says that it is somebody else's",
        words="a reviewer says that the face is another person's",
        ours="Look who is seen there: if a track was taken for the subject's, give --subject-photo or --subject-track.",
    ),
    Cause(
        says="a reviewer wanted another swap",
        words="a reviewer wanted the face swapped again, and nothing was left but to cover it",
        ours="Give more footage of both people with the head as it is in these stretches.",
        training=True,
    ),
    Cause(
        says="no landmarks found on the swapped face",
        words="the swapped face came out so badly that no landmarks were found on it",
        ours="Give more footage of both people with the head as it is in these stretches.",
        training=True,
    ),
    Cause(
        says="no landmarks",
        words="no landmarks on the subject's face: turned away, cut off by the edge, or hidden by a hand or object",
        ours=f"The face cannot be swapped where it is hidden or turned away: {_CUT_OUT}",
    ),
    Cause(
        says="face under",
        words="the face is too small",
        ours="Give the video at its full size, or a clip in which the subject is nearer to the camera.",
    ),
    Cause(
        says="not surely the subject",
        words="the face may be somebody else's",
        ours="Look who is seen there. Cut another person out; if it is the subject in other light or turned, give a "
        "subject video that shows more of that.",
    ),
    Cause(
        says="nobody known",
        words="a face or head that is nobody known: the subject turned away, or a passer-by",
        ours=f"Where the face is turned away or seen too shortly, it cannot be told whose it is: {_CUT_OUT}",
    ),
    Cause(
        says="another face is in the way",
        words="another face overlaps the subject's",
        ours=f"Two faces that meet are both covered, since they may be mistaken for each other: {_CUT_OUT}",
    ),
    Cause(
        says="not certain who it is",
        words="it is not certain that this face is the subject's",
        ours="Look who is seen there. Where people met, the subject is known again when the face is turned to the "
        "camera; where two people look alike, --subject-track or more footage of each helps.",
    ),
    Cause(
        says="of another face reaches into it",
        words="the cover or swap of another face reaches into the subject's",
        ours=f"Where people stand close together one hides the other's face: {_CUT_OUT}",
    ),
    Cause(
        says="the net's mask fits",
        words="the model's face does not fit the head",
        ours="Give more footage of both people with the head as it is in these stretches.",
        training=True,
    ),
    Cause(
        says="too near the original",
        words="the swapped face was too near the original",
        ours="If the swapped face stays near the original, take a donor who looks less like the subject.",
        training=True,
    ),
    Cause(
        says="a hand hides",
        words="a hand hides much of the subject's face",
        ours=f"A hand in front of a part of the face stays in the picture; before most of it, the face is covered: "
        f"{_CUT_OUT}",
    ),
    Cause(
        says="lost from sight",
        words="a hand in front of the face moved so fast that it was lost from sight",
        ours="These stretches are short. If they are too many, film at a higher rate or in more light, so that the "
        "hand is sharp.",
    ),
    Cause(
        says="something is in front of the face",
        words="something other than a found hand is in front of the subject's face, or the model does not know the "
        "face as it is there",
        ours="Look what is in front of the face there. If nothing is, give more footage of the subject with the head "
        f"and the light as in these stretches; else {_CUT_OUT}",
        training=True,
    ),
    Cause(
        says="the swap failed",
        words="the numeric libraries failed while the face was swapped",
        ours="Run again; if it stays, report the reason that stands in audit/frames.csv.",
    ),
    Cause(
        says="second sighting",
        words="the subject is seen twice: a mirror, a screen or a picture",
        ours="Cut the mirror or screen out of the picture: ffmpeg -i IN.mp4 -vf crop=W:H:X:Y OUT.mp4",
        theirs="Cover the second sighting too: a mirror, a screen or a picture.",
    ),
    Cause(
        says="not the subject",
        words="another person's face is covered",
        ours="Give a clip without the bystander, or cut that part of the picture away: "
        "ffmpeg -i IN.mp4 -vf crop=W:H:X:Y OUT.mp4",
    ),
    Cause(
        says="could not be compared with the original",
        words="the released face could not be compared with the original",
        ours="Give a clip in which the face is larger, sharper or less turned away in these stretches.",
        training=True,
    ),
    Cause(
        says="matches the original",
        words="the released face still matches the subject's",
        ours="If it still matches after that, take a donor who looks less like the subject.",
        theirs="Change or cover the face in these stretches: it is still recognised.",
        training=True,
    ),
    Cause(
        says="shown as in the original",
        words="another person is shown as in the original",
        ours="Give a clip without the bystander.",
        theirs="Cover the bystander as well.",
    ),
    Cause(
        says="neither covered nor to be compared",
        words="what is shown is neither surely covered nor a face that can be compared",
        ours="Look at these stretches in the released video.",
        theirs="Cover the face more strongly in these stretches: a plain mask leaves no doubt.",
    ),
    Cause(
        says="the cover does not hide the face",
        words="the face is to be covered, but shows in the written file",
        ours="Do not give the file out, and report this with the line of audit/frames.csv.",
        theirs="Cover the face more strongly in these stretches: a plain mask leaves no doubt.",
    ),
    Cause(
        says="a face is seen in the written file where none was seen",
        words="a second detector sees a face in the written file where none was found in the original",
        ours="Look at the box in audit/frames.csv: cut these frames out, or give a clip in which the face is in view.",
    ),
    Cause(
        says="of the fine picture left",
        words="the face is covered",
        ours="Look at these stretches in the released video.",
        theirs="Where the other tool covers instead of swapping, nothing of the expression is left. If every face is "
        "meant to be covered, judge by --policy concealment.",
    ),
    Cause(
        says="one detector only",
        words="no face was found, but the detectors do not agree on that",
        ours="Look at these frames in the original: cut them out, or give a clip in which the face is in view.",
    ),
    Cause(
        says="drawn only, not cleared",
        words="only a region that a reviewer drew is covered, and the detectors do not agree that nothing else in the "
        "frame is a face",
        ours="Look at the whole of these frames in the review: where nobody is seen, clear the frame beside the drawn "
        "region; else cut them out.",
    ),
)
GENERAL_CAUSE = Cause(
    says="",
    words="another reason, see audit/frames.csv",
    ours="Look at these frames in audit/frames.csv: it says for each what was decided and why.",
    theirs="Look at these frames in audit/frames.csv: it says for each what was decided and why.",
)
