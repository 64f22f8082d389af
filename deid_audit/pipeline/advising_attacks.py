"""What to do where an attack succeeds, a control does not hold, or a number has no interval.

A part of `advising`, which knows all families.
"""

from deid_audit.measure.gallery_attack import LEAST_STRANGERS
from deid_audit.measure.intervals import MIN_CLUSTERS
from deid_audit.pipeline.locating import Fault
from deid_audit.pipeline.unmet import Case, Words, train_longer

_STRANGERS = (
    f"Name pictures or videos of other people with --strangers: at least {LEAST_STRANGERS} make a gallery, "
    f"{MIN_CLUSTERS} an interval. Those that learn need several pictures, or a video, of each: one folder a person."
)
_ATTACK_CONTROLS = {
    "null_edit": "the same search with the original, only encoded again",
    "donor_before_swap": "the same search with the donor's own face",
    "imitated": "the same search with the donor's mean face pasted on the subject",
}

_FOUND = 0.8  # as the policy `strict` has it: an excellent discrimination


def no_interval(case: Case) -> Words:
    """The rule asks for an interval and there is none."""
    if case.finding.rule.metric.startswith("attack."):
        return [], [_STRANGERS]
    return ["an interval rests on the seconds of a video in which the value could be measured"], [
        f"Give a longer clip: at least {MIN_CLUSTERS} seconds must be comparable.",
        "Or choose --policy release, which holds the values themselves against the limits.",
    ]


def control(case: Case) -> Words:
    """The recogniser does not find the subject among their own pictures."""
    step = "Give the subject's videos at full size and well lit, of the same time of life; several minutes are better."
    if case.fault is Fault.MISSING:
        return [], [step]
    return ["the recogniser does not know this person from one moment to the next"], [
        step,
        "Look whether every video shows the same person: deid-audit inspect draws who was taken for the subject.",
    ]


def attack(case: Case) -> Words:
    """An attack finds the subject, or could not be tried."""
    if case.fault is Fault.MISSING:
        return [], [_STRANGERS]
    steps = [
        "Take another donor, who looks less like the subject: some of the likeness is there before the swap.",
        train_longer(case),
        "More strangers of the subject's age, sex and skin (--strangers) make the chance surer, not smaller.",
    ]
    if case.detail.get("imitated", 0.0) >= _FOUND:
        steps = [
            "It finds the donor's mean face pasted on the subject as well: light, camera or outline tells here, and no "
            "donor or training mends that. A subject's video of another day, too, shows whether the face does."
        ]
    noticed = [f"{words}: {case.detail[key]:.2f}" for key, words in _ATTACK_CONTROLS.items() if key in case.detail]
    return noticed, steps


def by_people(case: Case) -> Words:
    """People found the subject, or there were too few of them, or none."""
    if case.fault is Fault.MISSING:
        return [], [
            "Let people try on the released videos (deid-audit viewer-test prepare, run, score), then give the result "
            "to: deid-audit audit --viewer-test RESULT."
        ]
    if case.name == "control_rank1":
        return ["viewers do not even find a face that is not hidden"], [
            "Look at the control's clip and pictures, then test again with viewers who take their time."
        ]
    if case.name.endswith("_count") or case.fault in (Fault.SMALL, Fault.NO_INTERVAL):
        return [f"{case.finding.sample_size} viewers answered everything"], [
            "Let more people try on the same files (deid-audit viewer-test run), then score and audit again."
        ]
    return [f"by guessing it would be {case.detail['by_chance']:.3g}"] if "by_chance" in case.detail else [], [
        "People recognise the subject beside the swap: look at what is left of hair, ears, voice and movement.",
        "Take another donor or a wider mask and make the release again; a stricter tier of release is the other way.",
    ]
