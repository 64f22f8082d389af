"""Data sets for tests: a tree of small files under names that must stay in the steward's folder, and its manifest."""

import os
from pathlib import Path

from deid_audit.dataset.record import (
    CaseEntry,
    DataSetRecord,
    Group,
    Identification,
    Linkability,
    NearShare,
    PairTest,
    RuleSummary,
    SetBound,
    Subgroups,
    WorstGroup,
    WorstSearched,
)
from deid_audit.findings import Outcome, OutputFile, SignerInfo

ROOT = str(Path(__file__).resolve().parents[2])
AS_A_DRIVER = os.environ | {"PYTHONPATH": ROOT}
"""The environment of a process that runs a module of tests/, which the safe path hides from it."""
TOML = """schema = 1
title = "A set for tests"
policy = "{policy}"
donors = ["donors/one.mp4"]
iterations = 3
{more}
"""
SUBJECT = """
[[subject]]
name = "{name}"
videos = ["{name}/a.mp4"]
{more}
"""


def write_files(root: Path, *names: str) -> Path:
    """Small files below `root`, each with its own name as its content."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def write_set(
    root: Path, names: list[str], *, policy: str = "release-face", more: str = "", of_subjects: str = ""
) -> Path:
    """dataset.toml with one video a subject; the file's path."""
    write_files(root, "donors/one.mp4", *(f"{name}/a.mp4" for name in names))
    text = TOML.format(policy=policy, more=more)
    text += "".join(SUBJECT.format(name=name, more=of_subjects) for name in names)
    (root / "dataset.toml").write_text(text)
    return root / "dataset.toml"


def made_record() -> DataSetRecord:
    """A record with something in every part, made up."""
    digest, rule = "ab" * 32, {"metric": "identity.to_original.mean", "of": "swapped"}
    signer = SignerInfo(name="Ada", fingerprint_sha256=digest, not_after="2027-01-02T03:04:05Z", verified_issuer=True)
    group = Group(group="60-69", subjects=11, passed=10, low95=0.63, high95=0.99)
    return DataSetRecord(
        set_id="set-01234567", title="A set for tests", tool_version="0.1.0", issued_at="2026-01-02T03:04:05+00:00",
        signer=signer, policy_id="release", policy_version="1", policy_sha256=digest,
        manifests=(OutputFile(name="manifest-sha256.txt", sha256=digest, size_bytes=7, role="manifest"),),
        cases=(
            CaseEntry(
                case_id="case-01", outcome="released", verdict=Outcome.PASSED, statement_sha256=digest,
                certificate_sha256=digest, signer_sha256=digest, videos=2, withdrawn=False, why=(),
            ),
            CaseEntry(
                case_id="case-02", outcome="not made", verdict=None, statement_sha256=None, certificate_sha256=None,
                signer_sha256=None, videos=0, withdrawn=False, why=("NotEnoughFaces: few",),
            ),
        ),
        rules=(
            RuleSummary(
                **rule, op="above", limit=0.6, subjects=1, not_measured=0, mean=0.7, worst=0.7, worst_case="case-01"
            ),
        ),
        subgroups=(
            Subgroups(
                column="age_band", groups=(group,), too_small=2, unknown=1, worst="60-69",
                worst_by_rule=(WorstGroup(**rule, group="60-69", mean=0.7),),
            ),
        ),
        bound=SetBound(subjects=1, not_passed=0, upper95=0.95, words="little"),
        identification=Identification(
            looked_at=2, without_face=0, not_told=0, gallery=2, searched=2, subjects=1, faces=48, first=1, chance=0.5,
            rate=None, low95=None, high95=None, unprotected_first=2, unprotected=2,
            worst=WorstSearched(case_id="case-01", video=2, rank=1, to_own=0.66, to_next=0.71),
            near_own=NearShare(
                share=0.1, low95=None, high95=None, worst_case="case-01", worst_share=0.2, of_case="case-01"
            ),
            near_others=NearShare(
                share=0, low95=None, high95=None, worst_case=None, worst_share=None, of_case=None
            ),
            floor=0, words="little",
        ),
        linkability=Linkability(
            subjects=1, compared=1,
            all_pairs=PairTest(subjects=2, same=1, different=2, auc=1, low=None, high=None, because="few"),
            shared_donors=None, words="by design",
        ),
        not_assessed=("much",),
    )  # fmt: skip
