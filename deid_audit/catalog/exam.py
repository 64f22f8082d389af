"""Metrics of what an examination shows: blinks, gaze, the face's ranges, tremor, and of the body what is not smoothed.

The measures are those of `deid-audit motion`; docs/exam_measures.md defines each. Original and released stand beside
each other.
"""

from deid_audit.catalog.rows import Rows

_LIDS = "lids' distance through the eye's width (Soukupova and Cech 2016)"
_OWN = "an interval of its own kind stands in the details: docs/exam_measures.md"
_FEW = "each blink is counted; a share of a few has no useful interval"


def add_rows(rows: Rows) -> None:
    """Adds these metrics to the catalogue."""
    add = rows.add
    untold = "no blink can be told: under 15 frames a second, under 3 s, or the lids tremble in the landmarks"
    add(
        "exam.blinks_kept",
        "blinks: share of the original's whose lids come down at least half as far at the same instant",
        "",
        0,
        1,
        True,
        _LIDS,
        f"{untold}; the original has fewer than 3 blinks",
        _FEW,
    )
    title, fewer = "blinks: depth of the released over the original's, median", f"{untold}; fewer than 3 blinks"
    add("exam.blink_depth", title, "", 0, None, None, _LIDS, fewer, _FEW)
    add("exam.blinks_added", "blinks that the original does not have", "blinks", 0, None, False, _LIDS, untold, _FEW)
    add("exam.blinks", "blinks of both eyes", "blinks", 0, None, None, _LIDS, untold, _FEW)
    add("exam.blink_rate", "blink rate", "1/min", 0, None, None, _LIDS, untold, _OWN)
    add("exam.blink_duration", "blink duration, median", "ms", 0, None, None, "Stern 1984", untold, _OWN)
    still = "the original does not move more than 3x its null-edit noise"
    for axis, words in (("horizontal", "along the eye"), ("vertical", "across it")):
        iris = "MediaPipe FaceMesh's irises between the eye corners (Hansen 2010)"
        unseen = "open eyes with irises in fewer than 10 frames"
        title = f"gaze {words}: correlation with the original over time"
        add(f"exam.gaze_{axis}_r", title, "", -1, 1, True, iris, f"{unseen}; {still}", _OWN)
        title = f"gaze {words}: range"
        add(f"exam.gaze_{axis}_range", title, "% of eye width", 0, None, None, iris, unseen, _OWN)
    ranges = "landmarks laid on the face's rigid part (Bologna 2013)"
    faceless = "the face is seen in fewer than 10 frames"
    unit = "% of inter-ocular"
    add("exam.mouth_opening_range", "mouth opening: range", unit, 0, None, None, ranges, faceless, _OWN)
    for part, words in (("brow", "brow"), ("mouth_corner", "mouth corner"), ("lid", "lid opening")):
        for side in ("left", "right"):
            title = f"expression: range of the {side} {words}"
            add(f"exam.{part}_range.{side}", title, unit, 0, None, None, ranges, faceless, _OWN)
    for part, words in (("brow", "brows"), ("mouth_corner", "mouth corners")):
        title = f"asymmetry of the {words}: positive where the subject's left moves more"
        hardly = f"{faceless}; neither side moves more than 2 % and six times its jitter"
        add(f"exam.{part}_asymmetry", title, "%", -100, 100, None, "Borod 1997", hardly, _OWN)
    peak = "no peak in 3-12 Hz that stands out; under 24 frames a second; no 3 s in one piece"
    talking = "the lips open with it, in the original too"
    mesh, halved = "MediaPipe FaceMesh", "MediaPipe FaceMesh, which saw about half of it after a swap"
    for part, source, none in (("head", mesh, peak), ("jaw", halved, f"{peak}; {talking}")):
        add(f"exam.{part}_tremor_hz", f"{part} tremor: frequency", "Hz", 0, None, None, mesh, none, _OWN)
        title = f"{part} tremor: amplitude"
        add(f"exam.{part}_tremor_amplitude", title, unit, 0, None, None, source, none, _OWN)
    smoothed = "the detector of the body's keypoints smooths over time"
    body = "the body's keypoints, where nothing smooths them"
    for side in ("left", "right"):
        title = f"{side} wrist tremor: frequency"
        add(f"exam.wrist_tremor_hz.{side}", title, "Hz", 0, None, None, body, f"{smoothed}; {peak}", _OWN)
    add("exam.gait_cadence", "gait: cadence", "steps/min", 0, None, None, body, f"{smoothed}; no walking seen", _OWN)
    title, nobody = "arising from a chair: time of the first rise", f"{smoothed}; nobody rises"
    add("exam.chair_rise_s", title, "s", 0, None, None, body, nobody, _OWN)
    for weights in ("linear", "quadratic"):
        add(
            f"exam.rerating_kappa_{weights}",
            f"clinicians' ratings, released against original: weighted kappa, {weights}",
            "",
            -1,
            1,
            True,
            "Cohen 1968, from a table of the steward's (--ratings)",
            "no table was given, or all scores are the same",
            _OWN,
        )
