"""How far the mask takes real voices: distances before and after, beside those within and between speakers.

Needs the sample clips (DEID_AUDIT_SAMPLES, else ../shared/samples): `.venv/bin/python -m benchmarks.voice`.
Numbers of the mask are drawn with fixed seeds, so that the table comes out the same.
"""

import os
import sys
from pathlib import Path

import numpy as np

from deid_audit.video.reader import open_video
from deid_audit.video.sound import read_sound
from deid_audit.voice.listening import Heard, Match, lag_s, median_shift, syllables
from deid_audit.voice.masking import MaskParameters, masked
from deid_audit.voice.measures import LEAST_SEMITONES
from deid_audit.voice.speaker import Voiceprint, distance, together
from deid_audit.voice.spectrum import RATE, Samples

CLIPS = {
    "man F, 20 s": "full_body/latentsync_manF_seated_gestures.mp4",
    "woman G, 10 s": "full_body/latentsync_womanG_seated_coat.mp4",
    "GRID woman, 3 s": "talking_head_grid/grid_brbk7n.mpg",
    "GRID woman, 50, 3 s": "talking_head_grid/grid_lwbsza.mpg",
    "GRID man, 3 s": "talking_head_grid/grid_swiz3n.mpg",
}
SEEDS = range(8)


def listen(sound: Samples) -> tuple[Heard, np.ndarray]:
    """What is heard in one sound, and which half seconds hold a voice."""
    heard = Heard()
    return heard, heard.add(sound)


def whole(heard: Heard) -> Voiceprint:
    """The voice of all seconds."""
    return together(heard.odd, heard.even)


def main() -> int:
    """Prints the table of benchmarks/RESULTS.md."""
    folder = Path(os.environ.get("DEID_AUDIT_SAMPLES", Path(__file__).resolve().parents[2] / "shared" / "samples"))
    if not folder.is_dir():
        print("the sample clips are not there: nothing was measured", file=sys.stderr)
        return 1
    sounds = {}
    for name, clip in CLIPS.items():
        video = open_video(folder / clip, label=name)
        sounds[name] = np.concatenate(list(read_sound(video, rate=RATE, channels=1)), axis=1)[0]
    originals = {name: listen(sound) for name, sound in sounds.items()}
    print("| voice | own halves | nearest other | masked: median | least | most | own voice nearest | same wave | "
          "pitch moved | envelope r | pace | lag |")  # fmt: skip
    print("|" + " --- |" * 12)
    for name, sound in sounds.items():
        before, voice = originals[name]
        others = [distance(whole(before), whole(one)) for other, (one, _) in originals.items() if other != name]
        halves = distance(before.odd, before.even)
        rows = []
        for seed in SEEDS:
            other = np.concatenate(list(masked([sound], MaskParameters.draw(seed))))
            after, _ = listen(other)
            match = Match()
            match.add(sound, other, voice)
            found = {key: distance(whole(one), whole(after)) for key, (one, _) in originals.items()}
            a, b = before.envelope_db(), after.envelope_db()
            shift = median_shift(before.pitch_hz()[:, None], after.pitch_hz()[:, None])[0][0]
            moved = abs(12 * shift / np.log(2)) >= LEAST_SEMITONES
            rows.append((
                found[name],
                float("nan") if np.isnan(found[name]) else float(min(found, key=lambda key: found[key]) == name),
                match.same / max(1, match.windows),
                float(moved),
                np.corrcoef(a, b)[0, 1],
                syllables(b) / syllables(a),
                abs(lag_s(a, b)),
            ))  # fmt: skip
        far, own, same, moved, envelope, pace, lag = np.array(rows).T
        print(
            f"| {name} | {halves:.2f} | {np.nanmin(others):.2f} | {np.nanmedian(far):.2f} | {np.nanmin(far):.2f} | "
            f"{np.nanmax(far):.2f} | {np.nansum(own):.0f} of {np.isfinite(own).sum()} | {same.max():.2f} | "
            f"{moved.sum():.0f} of {len(moved)} | {envelope.min():.2f} | {pace.min():.2f} to {pace.max():.2f} | "
            f"{1000 * lag.max():.0f} ms |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
