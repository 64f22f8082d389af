"""What a data set will roughly take: time from how long finding faces took in a sample, disk from the originals' size.

Estimates, said as such and from what; once cases have ended, `showing.py` goes by what these took.
"""

from collections.abc import Sequence

from deid_audit.dataset.documents import Estimate
from deid_audit.dataset.manifest import Manifest
from deid_audit.pipeline.preview.expecting import run_seconds
from deid_audit.pipeline.training import DEFAULT_SECONDS, PACKED_SECONDS
from deid_audit.records import VideoFacts

# What a release was larger than its original by, at most, on the sample clips; lossless: README's "6 to 16 times".
_OUT_PER_IN, _OUT_PER_IN_LOSSLESS = 1.5, 16.0
_PAPER_BYTES = 6_000_000  # certificate, statement, figures and the steward's folder of one case
_WORK_BYTES = 1_500_000_000  # of one case under way: the encrypted model of the largest preset, and a second render


def estimate(
    manifest: Manifest,
    videos: Sequence[Sequence[VideoFacts]],
    seconds_a_frame: Sequence[Sequence[float]],
    *,
    original_bytes: int,
    packed: Sequence[bool],
) -> Estimate:
    """`videos[i]` are those of subject i, `seconds_a_frame` what finding faces took in each, `packed` by donor's pack.

    A number of steps is taken for as long as the usual training.
    """
    cases = []
    for facts, paces, pack in zip(videos, seconds_a_frame, packed, strict=True):
        training = manifest.train_seconds or (PACKED_SECONDS if pack else DEFAULT_SECONDS)
        finding = [pace * one.frame_count for pace, one in zip(paces, facts, strict=True)]
        cases.append(round(run_seconds(finding, facts, training_s=training), 1))
    factor = _OUT_PER_IN_LOSSLESS if manifest.lossless else _OUT_PER_IN
    frames = sum(one.frame_count for facts in videos for one in facts)
    return Estimate(
        case_seconds=tuple(cases),
        disk_bytes=round(original_bytes * factor) + _PAPER_BYTES * len(cases),
        work_bytes=round(original_bytes * factor / max(1, len(cases))) + _WORK_BYTES,
        basis=(
            f"an estimate: {frames} frames, by how long finding faces took in a sample of them on this machine, times "
            "what the other passes took in a few earlier runs, and the training's budget; half or double is possible. "
            f"Disk: {factor:g} times the originals' size, and {_PAPER_BYTES // 1_000_000} MB a case"
        ),
    )
