"""Subject and donor of the demo and of the sample clips, gathered as a run gathers them, from the first frames."""

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deid_audit.faces.track import track_faces
from deid_audit.pipeline.cast import (
    Material,
    ProbeFrame,
    Role,
    face_height,
    frame_rate_of,
    gather_donor,
    gather_subject,
    name_person,
    open_video,
    probe_window,
    read_frames,
    usable_frames,
    videos_of,
)
from deid_audit.pipeline.demo_clips import write_demo_clips
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.probe import Probe, make_probe
from deid_audit.pipeline.training import prepare_faces
from deid_audit.progress import SilentProgress
from deid_audit.swap.augment import CROP_MARGIN
from deid_audit.swap.networks import Preset
from deid_audit.swap.train import Faces, Priors

SAMPLES = Path(os.environ.get("DEID_AUDIT_SAMPLES", "../shared/samples"))
MAN_A = "talking_head/clm_manA_cap12.mp4"
SAMPLE_PAIRS = {
    "webcam": (MAN_A, "talking_head/clm_franck.mp4"),
    "seated": ("full_body/latentsync_manF_seated_gestures.mp4", MAN_A),
    "glasses": ("talking_head/egoblur_womanC.mp4", MAN_A),
    "hands": ("talking_head/pyfeat_pexels_womanD.mp4", MAN_A),
}
SILENT = SilentProgress()


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """What a pair trains on, and a probe of frames spread over the subject's clip, most of them trained on.

    That is how the audit sees a release. `stretch` are consecutive frames.
    """

    name: str
    own: Material
    given: Material
    faces: Faces
    priors: Priors
    probe: Probe
    stretch: list[ProbeFrame]
    face_px: float


def clips_of(name: str, folder: Path) -> tuple[Path, Path] | None:
    """Subject's and donor's clip; None where the samples are not there."""
    if name == "demo":
        return write_demo_clips(folder, SILENT)
    subject, donor = (SAMPLES / path for path in SAMPLE_PAIRS[name])
    return (subject, donor) if subject.exists() and donor.exists() else None


def role_of(path: Path, who: str, engines: Engines, frames: int) -> Role:
    """The one person in the first `frames` frames of a clip."""
    source = open_video(path, label=f"{who} video 1", digest_key=None)
    with SILENT.step("", None) as step:
        found = track_faces(
            itertools.islice(read_frames(source), frames),
            frame_rate=frame_rate_of(source),
            detector=engines.leading,
            second_opinion=engines.second,
            recognizer=engines.recognizer,
            step=step,
        )
    person = name_person([found], who=who)
    return Role(videos=videos_of(person, [], [source], [found]), average=person.average)


def _windows(role: Role, wanted: list[int]) -> list[ProbeFrame]:
    video = role.videos[0]
    windows = []
    for frame in itertools.islice(read_frames(video.source), max(wanted) + 1):
        face = video.person_face(frame.index) if frame.index in wanted else None
        if face is not None and (points := face.landmarks_xy) is not None:
            windows.append(probe_window(frame.image_rgb, points))
    return windows


def roles_of(clips: tuple[Path, Path], engines: Engines, frames: int) -> tuple[Role, Role]:
    """Subject and donor, in the first `frames` frames of their clips."""
    return role_of(clips[0], "subject", engines, frames), role_of(clips[1], "donor", engines, frames)


def make_pair(
    name: str, roles: tuple[Role, Role], preset: Preset, engines: Engines, *, probed: int, device: str = "cpu"
) -> Pair:
    subject, donor = roles
    how = {"size": round(preset.size * CROP_MARGIN), "margin": CROP_MARGIN, "engines": engines, "progress": SILENT}
    own = gather_subject(subject, who="subject", **how)
    given = gather_donor(donor, who="donor", near=own.features, **how)
    priors, faces = prepare_faces(own, given, preset, device, face_px=face_height(subject))
    usable = usable_frames(subject.videos[0])
    spread = [usable[round(at)] for at in np.linspace(0, len(usable) - 1, min(probed, len(usable)))]
    probe = make_probe(_windows(subject, spread), engines.recognizer, np.nanmean(given.descriptors, axis=0))
    stretch = _windows(subject, usable[: min(60, len(usable))])
    return Pair(
        name=name, own=own, given=given, faces=faces, priors=priors, probe=probe, stretch=stretch,
        face_px=face_height(subject),
    )  # fmt: skip
