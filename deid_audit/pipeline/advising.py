"""What stands behind a rule that is not met, as far as ledger and measurements show it, and what to do next, in words.

One function for each family of metrics. Advice is for the steward and reaches no certificate.
"""

from collections.abc import Callable

import numpy as np

from deid_audit.ledger import LedgerFrame, State
from deid_audit.pipeline.advising_attacks import attack, by_people, control, no_interval
from deid_audit.pipeline.advising_exam import exam
from deid_audit.pipeline.advising_keypoints import body_in_view, face_policy, is_close_up, keypoints
from deid_audit.pipeline.advising_review import review
from deid_audit.pipeline.locating import Fault, head_found
from deid_audit.pipeline.unmet import Case, Words, causes_of, counted_causes, train_longer

_NEAR_DONOR = 0.75  # a donor whose own face stands this near leaves a swap little room above 0.6
_LITTLE_MOVEMENT = {"mouth": 5.0, "eye": 3.0, "brow": 2.0, "yaw": 5.0}  # 5th to 95th percentile, % or degrees
_RESTLESS = 1.5  # released range over original range
_AROUND = "Hair, ears, neck and room tell the subject, and no swap changes them: crop, cover, or film anew."


def advise(case: Case) -> Words:
    """What was noticed about a rule that is not met, and at least one next step."""
    family = case.finding.rule.metric.partition(".")[0]
    needs_swap = family in ("identity", "expression", "motion", "exam", "quality") and case.finding.rule.of == "swapped"
    needs_swap &= not case.name.startswith("ssim")
    if needs_swap and case.videos and not any(seen.watched.observed.compared.any() for seen in case.videos):
        return _nothing_swapped(case)
    if family == "viewers":
        return by_people(case)
    if case.fault is Fault.SMALL:
        return _too_few(case)
    if case.fault is Fault.NO_INTERVAL:
        return no_interval(case)
    if case.fault is Fault.NOISE:
        return _too_noisy(case, family)
    return _FAMILIES[family](case)


def _nothing_swapped(case: Case) -> Words:
    noticed = ["no frame shows a face of the subject that was changed into another one"]
    if case.kind == "swap":
        counted, steps = causes_of(case, State.CONCEALED)
        return noticed + counted, steps
    return noticed, ["If every face was meant to be covered, judge the video with --policy concealment."]


def _too_few(case: Case) -> Words:
    finding = case.finding
    frames = max((len(seen.watched.ledger) for seen in case.videos), default=0)
    needed = finding.rule.min_sample_size
    noticed = [f"{finding.sample_size} of the video's {frames} frames count"]
    if frames < needed:
        return noticed, [f"Give a longer clip: the rule asks for at least {needed} frames that can be compared."]
    counted, steps = causes_of(case, State.CONCEALED)
    undecided, more = causes_of(case, State.UNDECIDED)
    longer = f"Or give a longer clip: at least {needed} frames must be comparable."
    return noticed + counted + undecided, [*dict.fromkeys(steps + more), longer][:3]


def _too_noisy(case: Case, family: str) -> Words:
    noticed = ["the measuring model wavers by more than the limit when the original is only encoded again"]
    if family == "keypoints" and is_close_up(case):
        return noticed + body_in_view(case), [face_policy(case)]
    return noticed, [
        "Training or another donor cannot mend this. Give a clip that is sharper, brighter or less compressed, "
        "with the subject larger and whole in the picture.",
        "Where no such clip can be had, a policy file of your own without this rule is a choice to defend before the "
        "board.",
    ]


def _identity(case: Case) -> Words:
    if case.fault is Fault.MISSING:
        return _identity_missing(case)
    noticed = []
    if below := round(case.detail.get("frames_below", 0)):
        noticed.append(f"{below} of {case.finding.sample_size} frames are nearer than {case.detail['cut']:g}")
    if lost := round(case.detail.get("frames_without_pair", 0)):
        noticed.append(f"{lost} swapped frames could not be described")
    if case.name.startswith(("to_donor", "roc_auc", "intra_subset")) or case.name.endswith(".sd"):
        if case.kind != "swap":
            return noticed, ["Make sure that --donor shows the person whose face was put on.", train_longer(case)]
        more = "Give donor footage with the head turns, expressions and light of the subject's videos."
        return noticed, [train_longer(case), more]
    near = case.detail_of("identity.to_average_original.mean", "swapped").get("donor_before_swap_mean")
    donor = "If that is not enough, take another donor, who looks less like the subject."
    if near is not None and near < _NEAR_DONOR:
        noticed.append(f"the donor's own face is only {near:.2f} from the subject's average")
        return noticed, ["Take another donor, who looks less like the subject.", train_longer(case)]
    if case.kind != "swap":
        return noticed, [train_longer(case), "Or cover the face in these stretches: there it is still the subject's."]
    return noticed, [train_longer(case), f"Give donor footage with the pose and light of these stretches. {donor}"]


def _identity_missing(case: Case) -> Words:
    step = "Give the videos at full size and well lit: the recogniser found no face to describe in them."
    if "donor" in (case.finding.reason.rpartition(":")[2]):
        step = "Name the donor's videos with --donor, with a face that is at least 40 px high and well lit."
    elif "calibrate" in case.finding.reason:
        step = "Name the donor's videos with --donor: the cut is calibrated on other people's faces."
    return [], [step]


_DONOR_SHOULD = {
    "mouth": "Give donor footage that speaks, shows the teeth and opens the mouth as wide as the subject does.",
    "eye": "Give donor footage that blinks and closes the eyes for a moment.",
    "brow": "Give donor footage that raises and knits the brows, with no hair over them.",
    "yaw": "Give donor footage with the head turned as far to both sides as the subject's.",
}


def _expression(case: Case) -> Words:
    part, _, statistic = case.name.partition("_")
    if case.fault is Fault.MISSING:
        if "moves by" in case.finding.reason:
            step = f"The subject hardly moves here: give a clip in which the {_MOVES[part]}."
            return [], [step, 'In a policy file of your own, if_absent = "skip" lets such a rule rest.']
        counted, _ = causes_of(case, State.CONCEALED)
        first = "Look in the picture why no landmarks are found: a hand or mask, a turned head, or a face badly made."
        return counted, [first, train_longer(case)]
    noticed, before = [], case.detail.get("original_range")
    after = case.detail.get("released_range")
    unit = "degrees" if part == "yaw" else "%"
    if before and after:
        noticed.append(f"range of the {part}: {before:.1f} {unit} in the original, {after:.1f} {unit} released")
    if lost := round(case.detail.get("frames_lost", 0)):
        noticed.append(f"{lost} frames lost their landmarks")
    steps = []
    if part == "eye":
        steps.append(
            "Look in the picture whether subject or donor wears glasses: eyelids are hard to measure behind them."
        )
    if before and statistic == "r" and before < _LITTLE_MOVEMENT[part]:
        steps.append(f"The subject moves little here: a clip in which the {_MOVES[part]} is a fairer test.")
    if before and after and after > _RESTLESS * before and part != "yaw":
        steps.append("The released face is restless: give a clip with a larger or sharper face, and more footage.")
    if case.kind == "swap":
        steps.append(_DONOR_SHOULD[part])
    return noticed, [*steps, train_longer(case)]


_MOVES = {
    "mouth": "subject speaks or opens the mouth",
    "eye": "subject blinks several times",
    "brow": "subject raises the brows",
    "yaw": "subject turns the head",
}


def _motion(case: Case) -> Words:
    if case.fault is Fault.MISSING:
        return _motion_missing(case)
    noticed = []
    if "peak_hz" in case.detail:
        before, after = case.detail["original_amplitude_px"], case.detail["released_amplitude_px"]
        noticed.append(f"at {case.detail['peak_hz']:.1f} Hz: {before:.2f} px in the original, {after:.2f} px released")
    weaker = (case.finding.observed or 0) < 1 and case.name == "head_tremor_ratio"
    what = "weakens" if weaker else "changes" if case.name.endswith("error") else "adds to"
    larger = "a larger --preset (lite64, hq128), " if case.kind == "swap" else ""
    return noticed, [
        f"The changed face {what} the tremor: try {larger}a clip with a larger face, or more footage of both people.",
        train_longer(case),
    ]


def _motion_missing(case: Case) -> Words:
    if "frames a second" in case.finding.reason:
        return [], ["Give the clip as it was filmed, with 25 frames a second or more."]
    if "no peak" in case.finding.reason or "moves by" in case.finding.reason:
        return [], ['The original has no tremor to compare; if_absent = "skip" in a policy file lets such a rule rest.']
    found = [head_found(seen) for seen in case.videos]
    share = float(np.concatenate(found).mean()) if found else 0.0
    noticed = [f"the head is found in {share:.0%} of the frames"]
    if share > 0.95:
        return noticed, [
            "Gaps between the frames' times, or a clip under 3 s, leave no 3 s in one piece: give a longer clip, with "
            "an even frame rate.",
        ]
    counted, _ = causes_of(case, State.CONCEALED)
    step = (
        "Give a clip with at least 3 s in one piece in which the face is in view and neither covered nor turned away."
    )
    return noticed + counted, [step]


_REMAKE = {
    "flicker": "The released face trembles where the original's is still: give a clip with a larger or sharper face.",
    "seam": "Look at the edge of the face in the picture: hair, a beard, glasses, or light from one side "
    "that the donor's footage has not.",
    "colour": "Give donor footage in the light of the subject's videos: the released skin has another colour.",
    "colour_drift": "Give donor footage with the subject's head turns in like light: the skin's colour comes and goes.",
    "sharpness": "The released face is softer than the original's.",
}


def _quality(case: Case) -> Words:
    if case.fault is Fault.MISSING:
        if "of the original are still" in case.finding.reason:
            still = "Give a clip in which the subject looks at the camera and keeps still for a few seconds."
            return [], [still, 'if_absent = "skip" in a policy file lets such a rule rest.']
        counted, steps = causes_of(case, State.CONCEALED)
        look = "Look in audit/frames.csv how many frames are swapped, and why the others are not."
        return counted, [*steps, look]
    detail, noticed = case.detail, []
    if {"p10", "median", "p90"} <= set(detail):
        noticed.append(
            f"in the middle of the frames {detail['median']:.2g}, in a tenth each under {detail['p10']:.2g} and over "
            f"{detail['p90']:.2g}"
        )
    for name in ("positions", "within the face"):
        if f"{name}: ratio" in detail:
            ratio, percent = detail[f"{name}: ratio"], detail[f"{name}: original, %"]
            noticed.append(f"jitter, {name}: {ratio:.2f} times the original's {percent:.2f} %")
    steps = [_REMAKE[case.name]]
    if case.name == "sharpness" and case.kind == "swap":
        steps.append("Take a larger --preset (lite64, hq128, hq256), or give the donor's footage sharper and larger.")
    return noticed, [*steps, train_longer(case)]


def _coverage(case: Case) -> Words:
    if case.name == "frames":
        needed = case.finding.rule.limit
        return [], [f"Give a longer clip: at least {needed:g} frames ({needed / 25:g} s at 25 frames a second)."]
    if case.name in ("concealed_share", "longest_concealed_s"):
        return causes_of(case, State.CONCEALED)
    if case.name in (State.CONCEALED, State.UNDECIDED) and case.fault is Fault.LIMIT:
        state = State(case.name)
        return counted_causes(case, lambda frame: _reasons_of_frame(frame, state))
    if case.name == State.SWAPPED and case.finding.rule.op in ("below", "at_most"):
        return [], [
            "This policy allows no face to be shown, not even another one: cover these frames as well "
            "(deid-audit conceal), or judge the video by a policy for swapped faces."
        ]
    return [], ["Look at these frames in audit/frames.csv: it says for each what was decided and why."]


def _reasons_of_frame(frame: LedgerFrame, state: State) -> list[str]:
    if frame.state is not state:
        return []
    told = [region.reason for region in frame.regions if region.state is state]
    return told or ["drawn only, not cleared" if frame.regions else "no face, one detector only"]


_REMUX = "ffmpeg -i IN.mp4 -map 0:v:0 -map_metadata -1 -map_chapters -1 -c copy OUT.mp4"


def _residue(case: Case) -> Words:
    if case.name == "unaccounted_faces":
        theirs = "Look at the box in the picture: a face that the other tool left as it was must be covered there."
        ours = "Look at the box in the picture: another person, a mirror, a screen, a poster, or no face at all."
        return [], [
            theirs if case.kind == "audit" else ours,
            "Give a clip without the bystander, or cut that part of the picture away: "
            "ffmpeg -i IN.mp4 -vf crop=W:H:X:Y OUT.mp4",
        ]
    if case.name == "subject_faces":
        if case.fault is Fault.MISSING:
            return causes_of(case, State.UNDECIDED)
        donor = "take a donor who looks less like the subject, or " if case.kind == "swap" else ""
        return [], [
            train_longer(case),
            f"If that is not enough, {donor}cut these stretches out: there the subject is still recognised.",
        ]
    if case.kind == "audit":
        return [], [f"Take them out of the released file and audit it again: {_REMUX}"]
    return [], ["A file that deid-audit wrote should hold none: please report this with the certificate."]


def _gallery(case: Case) -> Words:
    if case.fault is Fault.MISSING:
        return [], ["Give longer videos of the subject, and a donor who looks less like the subject (--donor)."]
    nearest = f"the nearest face is {case.detail.get('nearest', np.nan):.2f} from some original of the subject"
    return [nearest], [train_longer(case), "Or cut these stretches out: there the subject could be recognised."]


def _outside(case: Case) -> Words:
    if case.fault is Fault.MISSING:
        return [], ["Faces fill the picture: give a clip that shows more than the head."]
    if case.kind == "swap":
        return [], ["Run again with --lossless: then nothing but faces and covers differs from the original."]
    if case.kind == "reviewed":
        return [], ["Do the whole job anew, with --lossless: a loss that is in the videos cannot be taken back."]
    return [], ["Let the tool that made the file change nothing but faces, and store the rest with less loss."]


def _text(case: Case) -> Words:
    look = "Look at the places that the certificate lists under burned-in text: not all of them need be text."
    if case.kind == "swap":
        return [], [look, "Run again with --burned-in-text cover."]
    if case.kind == "reviewed":
        return [], [
            look,
            "Draw them as regions to conceal in deid-audit review, and carry that out: run --from-review.",
        ]
    return [], [look, "Cover those that identify with the tool that made the file, and audit it again."]


def _audit(case: Case) -> Words:
    wider = "Run again with --thorough: the rule asks for a wider search of the written file."
    clearer = "The audit sees too little in these frames: give a clip that is larger, sharper or brighter."
    return [], [wider if case.name in ("looks", "families") else clearer]


def _erasure(case: Case) -> Words:
    if case.name == "references_kept":
        return [], ["Run again without --keep-references, or under a policy that allows it, such as release."]
    if case.kind == "reviewed":
        return [], [
            "What was destroyed stands in the certificate of the job that was reviewed: choose --policy external."
        ]
    if case.kind != "swap":
        return [], ["Whether another tool destroyed its model cannot be known: choose --policy external."]
    if case.name == "key_on_disk":
        return [], [
            "Run again without --resume-key, in one go, or under a policy that allows a key in a file, such as release."
        ]
    failed = [f"{check.check}: {check.observed}" for check in case.erasure.checks if not check.holds]
    return failed, [
        "The videos are not the fault: run again, on a machine without swap and with no other program reading this "
        "process's memory; if it fails again, report the check that did not hold."
    ]


def _voice(case: Case) -> Words:
    if case.kind == "audit":
        return [], [f"Take the sound out of the released file and audit it again: {_REMUX}"]
    return [], ["Run again with --audio drop, or with --audio mask where the policy allows it."]


_FAMILIES: dict[str, Callable[[Case], Words]] = {
    "identity": lambda case: ([], [_AROUND]) if case.name.startswith(("outside", "to_strangers")) else _identity(case),
    "keypoints": keypoints,
    "expression": _expression,
    "motion": _motion,
    "exam": exam,
    "quality": lambda case: (_outside if case.name.startswith("ssim") else _quality)(case),
    "text": _text,
    "coverage": _coverage,
    "residue": lambda case: (_gallery if case.name == "gallery_matches" else _residue)(case),
    "audit": _audit,
    "erasure": _erasure,
    "voice": _voice,
    "review": review,
    "control": control,
    "attack": attack,
}
