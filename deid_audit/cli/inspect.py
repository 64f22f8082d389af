"""`deid-audit inspect`: a look at a subject's videos before a run, without writing anything but a contact sheet."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.options import Device, Force, Json, SubjectPhoto, SubjectTrack, print_json
from deid_audit.cli.preview import print_result
from deid_audit.cli.report import progress_on_stderr

if TYPE_CHECKING:
    from deid_audit.findings import Stretch, VideoFacts
    from deid_audit.pipeline.preview.report import Expected, Inspection

SCHEMA = "deid-audit/inspect/v1"


def inspect(
    video: Annotated[
        list[Path],
        typer.Argument(metavar="VIDEO", readable=False, help="A video of the subject; several of one person."),
    ],
    subject_photo: SubjectPhoto = None,
    subject_track: SubjectTrack = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE.png",
            readable=False,
            help="Write a contact sheet: where faces are found, each covered in black, the rest made coarse.",
        ),
    ] = None,
    device: Device = "auto",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Look at the subject's videos before a run: who is in them, what will be hard, what a run would do.

    Nothing is written without --out. The contact sheet shows where faces are found, not who they are; even so it comes
    from the originals and is not to be passed on. Exit status 0 when a run could start, 3 when it could not.
    """
    from deid_audit.pipeline.inspecting import inspect as inspect_pipeline  # noqa: PLC0415  (heavy)
    from deid_audit.settings import make_inspect_settings  # noqa: PLC0415

    settings = make_inspect_settings(
        videos=tuple(video),
        subject_photo=subject_photo,
        subject_tracks=tuple(subject_track or ()),
        out=out,
        device=device,
        force=force,
    )
    result = inspect_pipeline(settings, progress=progress_on_stderr())
    if as_json:
        print_json(document(result))
    else:
        print_result(result)
    raise typer.Exit(0 if result.can_start else 3)


def document(result: "Inspection") -> dict[str, Any]:
    """The preview as one JSON document: no path, no value of a tag."""
    from deid_audit.pipeline.preview.hard import WORDS  # noqa: PLC0415

    return {
        "schema": SCHEMA,
        "can_start": result.can_start,
        "subject": result.subject,
        "refusal": result.refusal,
        "next_step": result.next_step,
        "videos": [_video_fields(one) for one in result.videos],
        "people": [
            {
                "name": one.name,
                "tracks": [list(tracks) for tracks in one.tracks],
                "frames": one.frames,
                "median_height_px": round(one.median_height_px, 1),
                "landmark_share": round(one.landmark_share, 4),
                "stretches": _places(one.stretches),
            }
            for one in result.people
        ],
        "unnamed": {"tracks": result.unnamed_tracks, "frames": result.unnamed_frames},
        "about": result.about,
        "hard": [
            {
                "reason": one.reason.value,
                "means": WORDS[one.reason],
                "frames": one.frames,
                "stretches": _places(one.stretches),
            }
            for one in result.hard
        ],
        "expected": [_expected_fields(one) for one in result.expected],
        "material": _material_fields(result),
        "policy": _policy_fields(result),
        "run_seconds": None if result.run_seconds is None else round(result.run_seconds),
        "contact_sheet_tiles": result.tiles,
    }


def _video_fields(facts: "VideoFacts") -> dict[str, Any]:
    return {
        "width": facts.width,
        "height": facts.height,
        "frames": facts.frame_count,
        "duration_s": round(facts.duration_s, 3),
        "variable_rate": facts.variable_rate,
        # What a run drops by itself; a look does not know whether --audio will ask for the sound.
        "dropped": facts.inventory.model_dump(mode="json"),
    }


def _places(stretches: "Sequence[Stretch]") -> list[dict[str, Any]]:
    return [one.model_dump(mode="json") for one in stretches]


def _expected_fields(one: "Expected") -> dict[str, Any]:
    return {
        "video": one.video,
        "frames": one.frames,
        "to_swap": one.to_swap,
        "covered": one.covered,
        "covered_share": round(one.covered_share, 4),
        "longest_covered_s": round(one.longest_covered_s, 3),
        "reasons": [{"reason": reason, "frames": count} for reason, count in one.reasons.items()],
    }


def _material_fields(result: "Inspection") -> dict[str, Any] | None:
    from deid_audit.faces.subject import MINIMUM_FACES  # noqa: PLC0415

    one = result.material
    if one is None:
        return None
    numbers = (one.median_height_px, one.yaw_from_degrees, one.yaw_to_degrees)
    names = ("median_height_px", "yaw_from_degrees", "yaw_to_degrees")
    rounded = {name: None if value is None else round(value, 1) for name, value in zip(names, numbers, strict=True)}
    return {"usable": one.usable, "needed": MINIMUM_FACES, **rounded}


def _policy_fields(result: "Inspection") -> dict[str, Any] | None:
    one = result.fitting
    if one is None:
        return None
    return {
        "fits": one.policy,
        "looked_at": one.looked_at,
        "body_in_view": one.in_view,
        "most_covered_share": one.covered_share,
        "most_covered_s": one.longest_covered_s,
        "least_to_swap": one.least_to_swap,
        "misses": list(result.misses),
    }
