"""Why a verdict is not PASSED, for the steward: which rule, where in the released videos, a picture, what to do next.

Comes after the verdict. Nothing of it reaches the certificate or the release: a failing frame may show the subject.
"""

import textwrap
from collections.abc import Sequence

from deid_audit.answers import AnswerFinding, next_step
from deid_audit.findings import CaseRecord, Explanation, Finding, Outcome, video_scope
from deid_audit.measure.figures import pointed_frame
from deid_audit.pipeline.advising import advise
from deid_audit.pipeline.locating import Fault, SeenVideo, boxes_to_show, fault_of, locate
from deid_audit.pipeline.unmet import Case
from deid_audit.policy import BOUND_WORDS, OPERATOR_WORDS, judge
from deid_audit.video.reader import read_frames

_UNMET = (Outcome.FAILED, Outcome.INDETERMINATE)
_ABOUT_THE_FILE = ("residue.audio_streams", "residue.metadata_keys", "voice.sound")
_WIDTH = 100


def explain(case: CaseRecord, videos: Sequence[SeenVideo]) -> tuple[Explanation, ...]:
    """One explanation for each rule that is not met, in the policy's order; none for a verdict that PASSED.

    Where a rule is held against single videos, every video that does not meet it is looked at, not the worst alone.
    """
    alone = {
        seen.number: judge([row for row in case.measurements if row.scope == video_scope(seen.number)], case.policy)
        for seen in videos
    }
    out = []
    for position, finding in enumerate(case.verdict.findings):
        if finding.outcome not in _UNMET:
            continue
        concerned = list(videos)
        if finding.scope in [video_scope(seen.number) for seen in videos]:
            concerned = [seen for seen in videos if alone[seen.number].findings[position].outcome is finding.outcome]
        others = [alone[seen.number].findings[position] for seen in concerned]
        also = tuple(one.reason for one in others if one.scope and finding.scope not in (one.scope, None))
        out.append(_explanation(case, finding, concerned, also))
    return tuple(out)


def _explanation(case: CaseRecord, finding: Finding, videos: Sequence[SeenVideo], also: tuple[str, ...]) -> Explanation:
    fault = fault_of(finding)
    stretches, count, worst = locate(finding, videos)
    noticed, next_steps = advise(
        Case(
            finding=finding,
            fault=fault,
            videos=videos,
            measurements=case.measurements,
            kind=case.kind,
            training=next((stage.settings for stage in case.stages if stage.stage == "swap"), {}),
            erasure=case.erasure,
        )
    )
    picture = None
    if worst is not None:
        marked = "-unaccounted" if finding.rule.metric == "residue.unaccounted_faces" else ""
        picture = f"video-{worst.video:02d}-frame-{worst.frame:06d}{marked}.png"
    return Explanation(
        finding=finding,
        also=also,
        noticed=tuple(noticed),
        stretches=stretches,
        stretch_count=count,
        placeless="" if stretches else _placeless(finding, fault, located=worst is not None),
        worst=worst,
        picture=picture,
        next_steps=tuple(next_steps),
    )


def _placeless(finding: Finding, fault: Fault, *, located: bool) -> str:
    metric = finding.rule.metric
    if metric.startswith("erasure."):
        return "not in the videos: it is about what this run left behind"
    if metric.startswith("review."):
        return "not in the videos: it is about the people who looked at them"
    if metric in _ABOUT_THE_FILE:
        return "not in the picture: it is about the file"
    if fault is Fault.SMALL or metric == "coverage.frames":
        return "no single place: the number of frames is too small"
    return "no stretch stands out: spread over the whole video" if located else "the video as a whole"


def take_pictures(explanations: Sequence[Explanation], videos: Sequence[SeenVideo]) -> dict[str, bytes]:
    """The worst frames of the *released* files as PNG, by file name; each file is decoded up to its last such frame."""
    pictures: dict[str, bytes] = {}
    for seen in videos:
        wanted = {one.picture: one for one in explanations if one.worst and one.worst.video == seen.number}
        by_frame: dict[int, list[Explanation]] = {}
        for one in wanted.values():
            by_frame.setdefault(one.worst.frame if one.worst else 0, []).append(one)
        if not by_frame:
            continue
        for frame in read_frames(seen.watched.released):
            for one in by_frame.pop(frame.index, []):
                boxes = boxes_to_show(one.finding, seen, frame.index)
                pictures[str(one.picture)] = pointed_frame(frame.image_rgb, boxes)
            if not by_frame:
                break
    return pictures


def why_text(case: CaseRecord, explanations: Sequence[Explanation]) -> str:
    """The explanations as plain text for the steward's folder."""
    policy, verdict = case.policy, case.verdict.outcome.value
    head = [
        f"Why case {case.case_id} is {verdict} (policy {policy.id} {policy.version})",
        "",
        "For the steward only. The pictures in why/ are frames of the withheld videos and may show the subject:",
        "do not pass this folder on.",
    ]
    entries = [line for one in enumerate(explanations, start=1) for line in _entry(*one)]
    unanswered = [one for one in case.verdict.answers if one.outcome in _UNMET]
    entries += [line for one in enumerate(unanswered, start=len(explanations) + 1) for line in _answer_entry(*one)]
    return "\n".join(head + entries) + "\n"


def _answer_entry(number: int, one: AnswerFinding) -> list[str]:
    rows = (("asked", one.asked.why), ("found", one.reason), ("next", f"- {next_step(one)}"))
    return ["", f"{number}. {one.asked.field}, an answer: {one.outcome.value}", *_wrapped(rows)]


def _entry(number: int, one: Explanation) -> list[str]:
    finding, rule = one.finding, one.finding.rule
    held = "" if rule.bound == "value" else f"{BOUND_WORDS[rule.bound]} "
    rows = [("asked", f"{held}{OPERATOR_WORDS[rule.op]} {rule.limit:g}. {rule.why}")]
    rows += [("found" if at == 0 else "", text) for at, text in enumerate((finding.reason, *one.also, *one.noticed))]
    rows.append(("where", one.where))
    if one.worst is not None:
        at = f"{video_scope(one.worst.video)}, {one.worst.time_s:.2f} s, frame {one.worst.frame}"
        rows.append(("picture", f"why/{one.picture} ({at})"))
    rows += [("next" if at == 0 else "", f"- {step}") for at, step in enumerate(one.next_steps)]
    return ["", f"{number}. {rule.metric} of {rule.of}: {finding.outcome.value}", *_wrapped(rows)]


def _wrapped(rows: Sequence[tuple[str, str]]) -> list[str]:
    lines = []
    for label, text in rows:
        indent = " " * (14 if text.startswith("- ") else 12)
        lines += textwrap.wrap(
            text, _WIDTH, initial_indent=f"   {label:<9}", subsequent_indent=indent, break_on_hyphens=False
        )
    return lines
