"""A simulated case of any length: numbers like a run's, and the files that a job makes of them, in bytes."""

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # the case's paper side stands with the tests; an installed package stays in front

from deid_audit.catalog import METRICS  # noqa: E402, F401  (an installed package is found before the tests)
from deid_audit.certificate.document import render_certificate  # noqa: E402
from deid_audit.evidence import build_statement, parse_statement  # noqa: E402
from deid_audit.findings import Figure, Of  # noqa: E402
from deid_audit.ledger import LedgerFrame, Region, Rung, State, csv_lines  # noqa: E402
from deid_audit.measure.expression import FaceSignals  # noqa: E402
from deid_audit.measure.figures import (  # noqa: E402
    distance_figure,
    expression_figure,
    keypoint_figure,
    oks_figure,
    roc_figure,
)
from deid_audit.measure.identity import Roc  # noqa: E402
from deid_audit.pipeline.finishing import ledger_record  # noqa: E402
from tests.fakes import make_case, make_measurements, make_video_facts  # noqa: E402

METHODS: tuple[Of, ...] = ("swapped", "masked", "blurred", "pixelated", "reencoded")
ISSUED = datetime(2026, 1, 2, 3, 10, 5, tzinfo=UTC)


def ledger(frames: int) -> list[LedgerFrame]:
    """One subject, now and then a second person; a covered stretch every minute, a frame without a face every hour."""
    rng = np.random.default_rng(0)
    rows = []
    for index in range(frames):
        hidden, beside = index % 1800 < 25, index % 9000 > 7500
        x, distance = 200 + 40 * np.sin(index / 90), float(rng.normal(0.75, 0.03))
        why = "a hand hides an eye" if hidden else f"distance: {distance:.2f}"
        numbers = (("distance to the person's average", 0.3), ("foreign share", 0.01), ("mask agreement", 0.93))
        regions = [
            Region(
                track_id=index // 30_000, is_subject=True, state=State.CONCEALED if hidden else State.SWAPPED,
                reason=why, decided_by="BlazeFace + FaceMesh: video mesh", rung=Rung.COVER if hidden else Rung.SWAP,
                box_xyxy=(x, 90.0, x + 120, 250.0),
                numbers=numbers if hidden else (*numbers, ("distance before encoding, swap", distance)),
            )
        ]  # fmt: skip
        if beside:
            regions.append(
                Region(
                    track_id=99, is_subject=False, state=State.CONCEALED, reason="not the subject",
                    decided_by="BlazeFace + FaceMesh: video mesh", box_xyxy=(480.0, 100.0, 560.0, 210.0),
                )
            )  # fmt: skip
        clear = index % 108_000 == 0
        cleared_by = ("BlazeFace", "HOG (written file, too)") if clear else ()
        rows.append(
            LedgerFrame(index=index, time_s=index / 30, regions=() if clear else tuple(regions), cleared_by=cleared_by)
        )
    return rows


def figures(frames: int) -> list[Figure]:
    """The plots of one video, from values without any pattern: no curve is harder to draw."""
    rng = np.random.default_rng(1)
    times, distances = np.arange(frames) / 30, rng.normal(0.72, 0.06, frames)
    distances[rng.uniform(size=frames) < 0.02] = np.nan
    to_donor, to_original = rng.normal(0.35, 0.05, frames), rng.normal(0.75, 0.05, frames)
    cuts = np.unique(np.concatenate(([0.0], to_donor, to_original)))
    within = [np.searchsorted(np.sort(one), cuts, side="right") / frames for one in (to_donor, to_original)]
    signals = [
        FaceSignals(
            **{part: rng.normal(size=frames) for part in ("mouth", "eye", "brow", "yaw", "interocular_px")},
            head_xy=np.zeros((frames, 2)),
        )
        for _ in range(2)
    ]
    return [
        roc_figure(Roc(cuts=cuts, within_donor=within[0], within_original=within[1], auc=0.99)),
        distance_figure(1, times, distances, np.arange(frames) % 1800 < 25),
        oks_figure({of: rng.uniform(0.6, 1, frames) for of in METHODS}),
        keypoint_figure({of: rng.uniform(0.2, 1, (frames, 17)) for of in METHODS}),
        expression_figure(1, times, *signals, np.ones(frames, bool)),
    ]


def sizes_of_ledger(frames: int) -> dict[str, float]:
    return {"audit/frames.csv": sum(len(line.encode()) for line in csv_lines([ledger(frames)]))}


def sizes_of_figures(frames: int) -> dict[str, float]:
    made = figures(frames)
    return {f"{one.name}.svg": len(one.data) for one in made} | {
        "audit/figures/*.csv": sum(len((one.csv or "").encode()) for one in made)
    }


def sizes_of_certificate(frames: int) -> dict[str, float]:
    """The pages with every plot of the length, and the statement that is attached to them."""
    drawn: Sequence[Figure] = figures(frames)
    length = {"frame_count": frames, "duration_s": frames / 30}
    record = ledger_record([ledger(frames)])
    counted = {f"coverage.{state}": float(count) for state, count in record.videos[0].states.items()}
    case = make_case(
        measurements=make_measurements(swapped=counted | {"coverage.frames": float(frames)}),
        ledger=record,
        figures=tuple(one.digest for one in drawn),
        originals=(make_video_facts("subject video 1", **length),),
        rendered=(make_video_facts("released video 1", keyed_digest="", **length),),
    )
    statement = build_statement(case)
    pages = render_certificate(parse_statement(statement), statement, drawn, issued_at=ISSUED)
    return {"evidence.json": len(statement), "certificate.pdf, unsigned": len(pages)}


PARTS: dict[str, Callable[[int], dict[str, float]]] = {
    "nothing": lambda _: {"what all of them import": 0},
    "ledger": sizes_of_ledger,
    "figures": sizes_of_figures,
    "certificate": sizes_of_certificate,
}
