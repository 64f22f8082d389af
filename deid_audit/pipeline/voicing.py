"""The sound of a run: whether the policy allows it, what is written beside the pictures, and what became of the voice.

Without a rule about `voice.sound` a policy allows none. The mask's numbers live in memory alone and are wiped with the
vault. Sound passes in blocks and is never a file of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deid_audit.errors import SettingsError, VideoError
from deid_audit.findings import Measurement, Outcome, Policy, measured, video_scope
from deid_audit.pipeline.cast import open_videos
from deid_audit.pipeline.training import wipe_arrays_with
from deid_audit.policy import judge
from deid_audit.progress import Progress
from deid_audit.settings import AudioChoice
from deid_audit.vault import Vault
from deid_audit.video.reader import SourceVideo
from deid_audit.video.sound import (
    AAC_FRAME,
    WRITTEN_RATE,
    Sound,
    SoundTrack,
    has_sound,
    read_sound,
    resampled,
    sound_channels,
)
from deid_audit.voice.masking import METHOD_TEXT as MASK_METHOD
from deid_audit.voice.masking import MaskParameters, masked
from deid_audit.voice.measures import KEPT, MASKED, NO_SOUND, measure_voice, sound_row
from deid_audit.voice.spectrum import RATE, Samples

METHOD_TEXT: dict[AudioChoice, str] = {
    "drop": "Sound was left out.",
    "mask": MASK_METHOD,
    "keep": "Sound: the first stream was encoded anew as AAC at 48 kHz and is otherwise as it was: the voice is the "
    "subject's own, and it is not muted where a face is covered.",
}
_STATES: dict[AudioChoice, int] = {"drop": NO_SOUND, "mask": MASKED, "keep": KEPT}
_LONGER_BY = 2 * AAC_FRAME / WRITTEN_RATE  # seconds: the encoder fills its last frame


def refuse_by_policy(policy: Policy, choice: AudioChoice) -> None:
    """Before any work: SettingsError unless a rule of the policy allows this sound; without a rule none is."""
    if choice == "drop":
        return
    row = measured("voice.sound", "swapped", video_scope(1), _STATES[choice], sample_size=1, method="asked for")
    findings = [one for one in judge([row], policy).findings if one.rule.metric == "voice.sound"]
    if not findings or any(one.outcome is not Outcome.PASSED for one in findings):
        other = "--audio mask, --audio drop" if choice == "keep" else "--audio drop"
        raise SettingsError(
            f"the policy {policy.id} does not allow --audio {choice}",
            next_step=f"choose {other}, or a --policy with a rule on voice.sound that allows it (docs/voice.md)",
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Voice:
    """The sound of a run's released videos: what was asked for, and the secret numbers of the mask."""

    choice: AudioChoice
    parameters: MaskParameters

    @classmethod
    def begin(cls, choice: AudioChoice, vault: Vault) -> "Voice":
        """With numbers of its own, which the vault wipes."""
        parameters = MaskParameters.draw()
        if choice == "mask":
            wipe_arrays_with(vault, "numbers of the voice's mask", [parameters.values])
        return cls(choice=choice, parameters=parameters)

    def carried(self, source: SourceVideo) -> bool:
        """Whether the released video of `source` has sound."""
        return self.choice != "drop" and has_sound(source)

    def track(self, source: SourceVideo) -> SoundTrack | None:
        """The sound to write beside the pictures of `source`; None for none."""
        if not self.carried(source):
            return None
        if self.choice == "keep":
            channels = sound_channels(source)
            return SoundTrack(
                channels=channels, blocks=lambda: read_sound(source, rate=WRITTEN_RATE, channels=channels)
            )
        return SoundTrack(channels=1, blocks=lambda: self._masked(source))

    def _masked(self, source: SourceVideo) -> Iterator[Sound]:
        voice = masked(_mono(source), self.parameters)
        yield from resampled(((block[None], RATE) for block in voice), 1, to=WRITTEN_RATE)

    def measure(self, source: SourceVideo, released: SourceVideo, scope: str) -> tuple[Measurement, ...]:
        """What sound the written file holds, and what became of the voice.

        Raises:
            VideoError: the file has sound where none may be, none where some must be, or sound of another length.
        """
        streams = released.facts.inventory.audio_streams
        if streams != int(self.carried(source)):
            raise _defect(released, f"holds {streams} sound streams")
        if not streams:
            why = "left out" if has_sound(source) else "the original has none"
            return (sound_row(scope, NO_SOUND, f"inventory of the written file; {why}"),)
        return measure_voice(_side_by_side(source, released), asked=self.choice, scope=scope)


def audited_sound(released: SourceVideo, scope: str) -> tuple[Measurement, ...]:
    """For a file that another tool made: whether there is sound; any counts as it was."""
    state = KEPT if has_sound(released) else NO_SOUND
    return (sound_row(scope, state, "inventory of the written file; sound counts as unmasked, it was not listened to"),)


def open_with_sound(
    paths: Sequence[Path], choice: AudioChoice, *, digest_key: bytes, progress: Progress
) -> list[SourceVideo]:
    """The subject's videos; sound that is asked for is decoded once, too, and where there is none, that is said.

    Raises:
        VideoError: pictures or sound cannot be read.
    """
    videos = open_videos(paths, who="subject", digest_key=digest_key)
    for video in videos if choice != "drop" else ():
        if not has_sound(video):
            progress.say(f"{video.label} has no sound: its released video has none either")
            continue
        for _ in _mono(video):
            pass
    return videos


def _mono(video: SourceVideo) -> Iterator[Samples]:
    return (block[0] for block in read_sound(video, rate=RATE, channels=1))


def _side_by_side(source: SourceVideo, released: SourceVideo) -> Iterator[tuple[Samples, Samples]]:
    """The same stretches of both, as long as both last."""
    one, other = _mono(source), _mono(released)
    lengths = np.zeros(2)
    while True:
        before, after = (next(blocks, np.zeros(0, np.float32)) for blocks in (one, other))
        lengths += len(before), len(after)
        if not len(before) and not len(after):
            break
        count = min(len(before), len(after))
        yield before[:count], after[:count]
    if abs(lengths[0] - lengths[1]) > _LONGER_BY * RATE:
        raise _defect(released, f"has sound of {lengths[1] / RATE:.2f} s instead of {lengths[0] / RATE:.2f} s")


def _defect(released: SourceVideo, what: str) -> VideoError:
    return VideoError(
        f"the file written for {released.label} {what}",
        next_step="this is a defect of deid-audit; do not use the file, please report it",
    )
