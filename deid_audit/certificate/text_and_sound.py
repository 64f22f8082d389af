"""What the board's report says of text in the picture and of sound, video by video, from the statement alone."""

from dataclasses import dataclass

from deid_audit.certificate import tables
from deid_audit.certificate.strings import REPORT
from deid_audit.findings import CaseRecord, video_scope

_SOUND = {0: REPORT["sound_none"], 1: REPORT["sound_masked"], 2: REPORT["sound_kept"]}
_OF_A_VOICE = (
    *("voice.same_wave", "voice.distance", "voice.pitch_moved", "voice.formants_moved"),
    *("voice.envelope_r", "voice.rate_ratio", "voice.lag_ms"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextAndSound:
    """One released video in words: lines of text that were found, and its sound; with tables where there is some."""

    title: str
    text_words: str
    lines: tables.Table | None
    sound_words: str
    voice: tables.Table | None
    halves: str


def text_and_sound(case: CaseRecord, most: int) -> list[TextAndSound]:
    """Of the first `most` videos."""
    values = tables.Values(case.measurements)
    return [_of_video(case, values, number) for number in range(1, min(len(case.rendered), most) + 1)]


def _of_video(case: CaseRecord, values: tables.Values, number: int) -> TextAndSound:
    scope = video_scope(number)
    found = [one for one in case.burned_in_text if one.video == number]
    covered = sum(one.covered for one in found)
    searched = values.find("text.regions_left", "swapped", scope)
    words = REPORT["text_not_searched"]
    if found:
        words = REPORT["text_found"].format(count=len(found), covered=covered, left=len(found) - covered)
    elif searched is not None and searched.value is not None:
        words = REPORT["text_none"]
    sound = values.find("voice.sound", "swapped", scope)
    kind = None if sound is None or sound.value is None else round(sound.value)
    halves = values.find("voice.distance", "original", scope)
    return TextAndSound(
        title=REPORT["video"].format(number=number),
        text_words=words,
        lines=tables.text_table(found, scope) if found else None,
        sound_words=_stray(values, scope) if kind is None else _SOUND[kind],
        voice=tables.list_table(values, scope, _OF_A_VOICE) if kind else None,
        halves=""
        if not kind or halves is None or halves.value is None
        else REPORT["voice_halves"].format(value=f"{halves.value:.2f}"),
    )


def _stray(values: tables.Values, scope: str) -> str:
    """Where no sound was asked for nor measured: what the search for streams found."""
    row = values.find("residue.audio_streams", "swapped", scope)
    if row is None or row.value is None:
        return REPORT["sound_unknown"]
    return REPORT["sound_streams"].format(count=round(row.value))
