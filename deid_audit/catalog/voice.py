"""Metrics of the voice, where sound is released. Heard from end to end, never sampled."""

from deid_audit.catalog.rows import Rows


def add_rows(rows: Rows) -> None:
    """Adds these metrics to the catalogue."""
    add = rows.add
    wave = "the written file's wave beside the original's"
    none = "no sound in the released file"
    voiceless = f"{none}, or no voice in the original's"
    add(
        "voice.sound",
        "sound in the released file: 0 none, 1 with the voice masked, 2 as it was (a rule on it is the permission for "
        "--audio)",
        "",
        0,
        2,
        False,
        wave,
        "never",
    )
    add(
        "voice.same_wave",
        "share of the half seconds with a voice that are still the original's wave",
        "",
        0,
        1,
        False,
        wave,
        voiceless,
    )
    add(
        "voice.distance",
        "distance of voices by their cepstra: to the original's; of the original, between its own halves",
        "",
        0,
        None,
        True,
        "divergence of mel cepstra (Bimbot et al. 1995)",
        f"{voiceless}, or fewer than 40 voiced frames",
    )
    add(
        "voice.pitch_moved",
        "1 when the median pitch moved by 1.5 semitones or more; by how much is secret",
        "",
        0,
        1,
        True,
        "YIN (de Cheveigné and Kawahara 2002)",
        f"{voiceless}, or no pitch or formants in the same frames of both",
    )
    add(
        "voice.formants_moved",
        "how many of the lowest three formants moved by 5 % or more in the median; by how much is secret",
        "",
        0,
        3,
        True,
        "linear prediction",
        f"{voiceless}, or no pitch or formants in the same frames of both",
    )
    still = f"{none}, or its loudness does not change"
    envelope = "loudness over time, smoothed to the pace of syllables"
    add("voice.envelope_r", "loudness: correlation with the original over time", "", -1, 1, True, envelope, still)
    add("voice.lag_ms", "delay of the released sound against the original's", "ms", 0, None, False, envelope, still)
    add(
        "voice.rate_ratio",
        "pace of speech: peaks of loudness, released over original",
        "",
        0,
        None,
        None,
        "de Jong and Wempe 2009, without pitch",
        still,
    )
