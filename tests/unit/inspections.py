"""An inspection of one video as `inspect` would report it, for whoever prints it."""

from dataclasses import replace

from deid_audit.findings import Stretch, VideoFacts, VideoInventory
from deid_audit.pipeline.preview.hard import Reason
from deid_audit.pipeline.preview.report import Expected, Fitting, HardPart, Inspection, Material, PersonSeen


def video_facts(*, frames: int = 200, width: int = 640, height: int = 480) -> VideoFacts:
    return VideoFacts(
        label="video 1",
        keyed_digest="",
        width=width,
        height=height,
        frame_count=frames,
        duration_s=frames / 25,
        time_base="1/25",
        variable_rate=False,
        rotation=0,
        codec="h264",
        inventory=VideoInventory(audio_streams=1, subtitle_streams=0, data_streams=0, metadata_keys=("title",)),
    )


def inspection() -> Inspection:
    """One person, a hard part, a few covered frames; a run could start."""
    where = (Stretch(video=1, from_s=3.2, to_s=3.7),)
    person = PersonSeen(
        name="person 1", tracks=((0, 2),), frames=190, median_height_px=112.5, landmark_share=0.99, stretches=where
    )
    return Inspection(
        videos=(video_facts(),),
        people=(person,),
        unnamed_tracks=1,
        unnamed_frames=3,
        subject="person 1",
        refusal="",
        next_step="",
        about="person 1",
        hard=(HardPart(reason=Reason.TURNED, frames=12, stretches=where),),
        expected=(
            Expected(
                video=1, frames=200, to_swap=188, covered=5, longest_covered_s=0.12,
                reasons={"no landmarks: detector only": 5},
            ),
        ),
        material=Material(usable=188, median_height_px=112.5, yaw_from_degrees=-12.0, yaw_to_degrees=25.5),
        fitting=Fitting(
            looked_at=20, in_view=2, policy="release-face", covered_share=0.05, longest_covered_s=1.0, least_to_swap=100
        ),
        run_seconds=240.0,
        tiles=0,
    )  # fmt: skip


def nobody_found() -> Inspection:
    """A video in which no face was found."""
    return replace(
        inspection(),
        people=(),
        unnamed_tracks=0,
        unnamed_frames=0,
        subject=None,
        refusal="nobody's face is in every subject video: no face of anyone in subject video 1",
        next_step="give only videos in which the subject's face can be seen",
        about=None,
        hard=(),
        expected=(),
        material=None,
        fitting=None,
        run_seconds=None,
    )
