"""The 25 questions of a board, each with its source, and what this certificate has for an answer.

A part of an answer is *measured* (the tool computed or recorded it), *answered* (the steward's words, which nothing
checked) or *not assessed* (with what it would take). No question is left blank.
"""

from dataclasses import dataclass
from typing import Literal

from deid_audit.certificate import quoting
from deid_audit.certificate.quoting import Measure, worst
from deid_audit.context import FIELDS
from deid_audit.findings import CaseRecord

Kind = Literal["measured", "answered", "not assessed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`measure` quotes the case, `fields` name the steward's answers, `open` is what nobody here assesses."""

    number: int
    words: str
    source: str
    measure: Measure | None = None
    fields: tuple[str, ...] = ()
    open: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of an answer; the text is never empty."""

    kind: Kind
    text: str


def _question(
    number: int, words: str, source: str, *, measure: Measure | None = None, fields: str = "", open: str = ""
) -> Question:
    names = tuple(fields.split())
    return Question(number=number, words=words, source=source, measure=measure, fields=names, open=open)


QUESTIONS = (
    _question(1, "Which files is this about, exactly?", "Practice of any audit", measure=quoting.files),
    _question(2, "Under which rule are they to be released?", "US Privacy Rule, 45 CFR 164.514(b)",
              fields="claim_basis",
              open="Whether the rule is met. This supports an Expert Determination; it is not itself one. A swapped "
              "face alone does not make a Safe Harbor: spoken names, dates, gait and marks may remain."),
    _question(3, "Who is the expert, who signs, and with what qualification?",
              "US Office for Civil Rights, guidance on de-identification", measure=quoting.signatory,
              fields="expert_name expert_qualification"),
    _question(4, "Until when does this hold, and what ends it sooner?",
              "US Office for Civil Rights: time-limited certifications; UK ICO: regular review",
              fields="valid_until review_triggers"),
    _question(5, "Who receives the videos, under which controls?",
              "45 CFR 164.514(b)(1)(i); ISO/IEC 27559, context; EMA Policy 0070",
              fields="recipient release_tier data_use_agreement"),
    _question(6, "Is the risk stated on average, or at its worst?", "ISO/IEC 27559, maximum or average risk",
              measure=worst(("identity.to_original.mean", "mean distance to the original"),
                            ("identity.to_original.p01", "its 1st percentile"),
                            ("identity.to_original.min", "nearest frame"),
                            ("identity.to_original.longest_run_below_frames", "longest run below the cut"),
                            text="Both, each of the worst video: ")),
    _question(7, "Which limit, and what risk is left?", "EMA Policy 0070 and Health Canada: report with limit and "
              "residual risk, 0.09 usual", measure=quoting.threshold,
              open="The probability of recognition in a population, which that 0.09 is about: it takes many subjects."),
    _question(8, "Can a subject be singled out, linked, or inferred about?",
              "Article 29 Working Party, Opinion 05/2014; EDPB Opinion 28/2024",
              measure=worst(("residue.gallery_matches", "matches with any of the subject's pictures"),
                            ("identity.to_gallery.p01", "1st percentile of the distance to the nearest picture"),
                            ("identity.outside.auc", "chance to tell the subject by what is left outside the swap"),
                            ("attack.strongest.auc", "strongest attack: chance to be taken for nearer than a stranger"),
                            ("attack.descriptor.rank1", "found first in a gallery")),
              open="Linking between cases and donors: videos with one donor's face are alike. Age, sex and signs of "
              "disease are kept on purpose: inference about them stays possible."),
    _question(9, "Would a motivated intruder, or somebody who knows the subject, succeed?",
              "UK ICO, motivated intruder; Lander, Bruce and Hill 2001", fields="familiar_viewers",
              measure=worst(("attack.templates.auc", "dlib's recogniser over many frames, chance"),
                            ("attack.texture.auc", "texture of the face alone, chance"),
                            ("attack.parrot.auc", "a learner of imitated swaps, chance"),
                            ("attack.inversion.auc", "an inversion learnt on strangers, chance"),
                            text="Attacks with a gallery, each of the worst video: "),
              open="Attacks other than those named here, an inversion by a deep network among them."),
    _question(10, "Are the originals kept, and who can link them again?", "GDPR, article 4(5)",
              fields="originals_custodian originals_retention linkage_key_custodian"),
    _question(11, "Was a data protection impact assessment made?",
              "GDPR, article 35; Article 29 Working Party, WP 248", fields="dpia_reference dpia_date"),
    _question(12, "What did the subject consent to, and how is it withdrawn?",
              "ICMJE Recommendations; AMA Manual of Style", fields="consent_scope consent_version withdrawal_contact"),
    _question(13, "Whose is the donor's face, and by what right is it used?",
              "Zhu et al. 2020, whose donor is an actor of a public data set", measure=quoting.donors,
              fields="donor_kind donor_licence donor_consent"),
    _question(14, "Are the videos marked as manipulated?", "EU AI Act, article 50(2) and (4)",
              measure=quoting.marking, fields="marking_notice"),
    _question(15, "Did a person look at the result?", "DICOM PS3.15, annex E",
              measure=quoting.looked,
              fields="reviewer review_extent"),
    _question(16, "What about everyone else in the picture?", "Zhu et al. 2020, faces that were missed; UK ICO",
              measure=quoting.people, fields="bystanders"),
    _question(17, "What about voice, captions and text in the picture?",
              "45 CFR 164.514(b)(2)(i); VoicePrivacy Challenge",
              measure=quoting.voice, fields="burned_in_text",
              open="What is spoken, and recognition by a modern recogniser of speakers, where sound is released."),
    _question(18, "What do names, tags, times and places in the file give away?",
              "Practice of redaction tools for media files",
              measure=worst(("residue.metadata_keys", "tags left beyond the container's own"),
                            text="Files are named by the case; ")),
    _question(19, "What else could identify: marks, hair, clothes, room, gait?",
              "45 CFR 164.514(b)(2)(i); Hanisch et al. 2022 on gait", fields="identifying_features",
              open="Gait and movement: kept on purpose, and not looked at as a means of recognition."),
    _question(20, "Are the videos still of use?", "Zhu et al. 2020, section 2.6",
              measure=worst(("keypoints.ap95", "keypoint AP at OKS 0.95"), ("expression.mouth_r", "mouth, r"),
                            ("expression.eye_r", "lids, r"), ("expression.brow_r", "brows, r"),
                            ("expression.yaw_r", "head turn, r"), ("motion.head_tremor_ratio", "tremor kept"),
                            text="Each of the worst video: "),
              fields="clinical_rating"),
    _question(21, "Does it work equally for all groups of people?", "NIST, Face Recognition Technology Evaluation",
              fields="subgroups", open="Differences between groups: one subject was examined, which is too few."),
    _question(22, "Were model and intermediate data destroyed, and how was that checked?",
              "NIST SP 800-88; Zhu et al. 2020, section 3.3", measure=quoting.destruction,
              open="Backups, snapshots, and copies made by others."),
    _question(23, "Could somebody else do the audit again?",
              "45 CFR 164.514(b)(1)(ii): methods and results documented", measure=quoting.repeating),
    _question(24, "What was not tested?", "Practice of honest reports", measure=quoting.untested),
    _question(25, "Who approves the release?", "NIST SP 800-188, disclosure review board",
              fields="approving_body",
              open="The decision: the chair's signature at the end, where there is one."),
)  # fmt: skip


def parts_of(question: Question, case: CaseRecord) -> list[Part]:
    """What the case has for an answer, at least one part; what is missing is a part of its own."""
    given = {one.field: one.answer for one in case.context}
    quote = quoting.Quote() if question.measure is None else question.measure(case)
    words = [f"{FIELDS[name].label}: {given[name]}" for name in question.fields if name in given]
    if "donor_licence" in question.fields and (pack := quoting.pack_words(case)):
        words.append(pack)
    silent = [FIELDS[name].label for name in question.fields if name not in given]
    texts: list[tuple[Kind, str]] = [
        ("measured", quote.measured),
        ("answered", "; ".join(words)),
        ("not assessed", f"It would take the steward's answer: {', '.join(silent)}." if silent else ""),
        ("not assessed", quote.missing),
        ("not assessed", question.open),
    ]
    return [Part(kind=kind, text=text[:1].upper() + text[1:]) for kind, text in texts if text]
