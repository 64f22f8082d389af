"""Who finds the body's keypoints, from what was asked for; what cannot work is refused before any work."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deid_audit.errors import VideoError
from deid_audit.findings import Of, Policy
from deid_audit.settings import KeypointChoice
from deid_audit.video.reader import SourceVideo
from deid_audit.vision.keypoint_detectors import (
    KeypointBackend,
    KeypointDetector,
    KeypointTraits,
    MediaPipePose,
    Window,
)
from deid_audit.vision.openpose import OpenPoseFrames, RecordedOpenPose, read_folder
from deid_audit.vision.openpose_program import OpenPoseProgram
from deid_audit.vision.rtmpose import RtmPose

_CONTROLS: tuple[Of, ...] = ("masked", "blurred", "pixelated")
NOT_ASKED = "the policy does not ask for it"


def backend_for(choice: KeypointChoice, device: str) -> KeypointBackend:
    """The backend of every video, for all but OpenPose's files; a model of the user's runs on `device` "cuda" or "cpu".

    Raises:
        SettingsError: the program or model cannot be used.
    """
    if choice.backend == "mediapipe" or choice.path is None:
        return MediaPipePose()
    return OpenPoseProgram(choice.path) if choice.backend == "openpose" else RtmPose(choice.path, device)


def backends_for(
    choice: KeypointChoice, originals: Sequence[SourceVideo], released: Sequence[SourceVideo], device: str
) -> list[KeypointBackend]:
    """One backend a pair of videos; `originals` are paired with `released` frame by frame.

    Raises:
        SettingsError: the program, model or folder cannot be used.
        VideoError: OpenPose's files are not those of the videos.
    """
    if not choice.folders:
        return [backend_for(choice, device)] * len(originals)
    return [
        _recorded(folders, before, after)
        for folders, before, after in zip(choice.folders, originals, released, strict=True)
    ]


def as_asked(backend: KeypointBackend, policy: Policy) -> KeypointBackend:
    """The backend, without the masked, blurred and pixelated video where no rule of the policy is about keypoints.

    They are what the released video's keypoints are compared with; the null edit is the floor and is always measured.
    """
    if backend.traits.missing_because or any(rule.metric.startswith("keypoints.") for rule in policy.rules):
        return backend
    return _WithoutControls(backend)


class _WithoutControls:
    def __init__(self, backend: KeypointBackend) -> None:
        self._backend = backend

    @property
    def traits(self) -> KeypointTraits:
        known = self._backend.traits
        text = f"{known.text} No rule of the policy is about keypoints, so masked, blurred and pixelated were left out."
        return replace(known, text=text, missing_because=NOT_ASKED)

    def start(self, of: Of, *, window_xyxy: Window | None) -> KeypointDetector | None:
        return None if of in _CONTROLS else self._backend.start(of, window_xyxy=window_xyxy)


def _recorded(folders: tuple[Path, Path], original: SourceVideo, released: SourceVideo) -> KeypointBackend:
    before, after = _read(folders[0], original), _read(folders[1], released)
    if before.points != after.points:
        raise VideoError(
            f"keypoints of {original.label} have {before.points} points a person, of {released.label} {after.points}",
            next_step="run OpenPose on both with the same --model_pose",
        )
    return RecordedOpenPose(before, after)


def _read(folder: Path, video: SourceVideo) -> OpenPoseFrames:
    """OpenPose saw the file; where frames are paired by time, those of the pairs are picked from it."""
    whole = video if video.view_of is None else video.view_of
    size = (whole.facts.width, whole.facts.height)
    found = read_folder(folder, label=f"keypoints of {video.label}", frame_count=len(whole.pts), size=size)
    return found if video.view_of is None else replace(found, people=tuple(found.people[at] for at in video.picks))
