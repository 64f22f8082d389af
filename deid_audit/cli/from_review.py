"""`deid-audit run --from-review`: a finished review carried out where the model is gone."""

import functools
import secrets
from pathlib import Path

import typer

from deid_audit.cli.report import media_signer_of, perform, references_passphrase_of
from deid_audit.errors import SettingsError

_NEEDS_THE_MODEL = (
    *("swap_everyone", "other_donor", "audio", "preset", "train_seconds", "iterations", "seed", "resume_key", "review"),
    *("readers", "burned_in_text", "lossless"),
)
_SAME = (
    *("subject_photo", "out", "signer", "passphrase_file", "tsa", "tsa_passphrase_file", "context", "device"),
    *("strangers", "attacker", "thorough", "log", "profile", "force", "keep_references", "references_passphrase_file"),
    *("c2pa", "c2pa_passphrase_file"),
)
_POLICY = "external"  # how the videos were made, and what was destroyed, stands in their first certificate


def perform_review(context: typer.Context) -> int:
    """Covers, audits, prints the result; the exit status of the audit. The options are those of `run`."""
    from deid_audit.pipeline.finished_out import open_out  # noqa: PLC0415  (heavy)
    from deid_audit.pipeline.rereleasing import release_again  # noqa: PLC0415
    from deid_audit.pipeline.review_material import matched_originals  # noqa: PLC0415
    from deid_audit.settings import make_reviewed_settings  # noqa: PLC0415

    given = context.params  # as they were typed: a path is still text
    _refuse(context)
    of = Path(given["of"])
    out = open_out(of)
    settings = make_reviewed_settings(
        originals=tuple(matched_originals(out, [Path(one) for one in given["subject"]], option="--subject")),
        released=tuple(out.videos),
        donors=tuple(given["donor"] or ()),
        subject_tracks=tuple(given["subject_track"] or ()),
        policy=given["policy"] if _was_given(context, "policy") else _POLICY,
        case_id=given["case_id"] or f"case-{secrets.token_hex(4)}",
        crls=tuple(given["crl"] or ()),
        keypoints=(given["keypoints"],),
        release_keypoints=tuple(given["release_keypoints"] or ()),
        **{name: given[name] for name in _SAME},
    )
    job = functools.partial(
        release_again,
        review=Path(given["from_review"]),
        of=of,
        references_passphrase=references_passphrase_of(settings),
        media_signer=media_signer_of(settings),
    )
    return perform(job, settings, as_json=given["as_json"])


def _refuse(context: typer.Context) -> None:
    """SettingsError for one option without the other, and for what a review after the run has no use for."""
    if context.params["from_review"] is None or context.params["of"] is None:
        raise SettingsError(
            "--from-review and --of belong together: the review, and the folder that was reviewed",
            next_step="give both, or neither",
        )
    for name in _NEEDS_THE_MODEL:
        if _was_given(context, name):
            option = "--" + name.replace("_", "-")
            raise SettingsError(
                f"{option} does not go with --from-review: the model is gone, and nothing is swapped",
                next_step=f"leave {option} out",
            )
    if context.params["dicom"]:
        raise SettingsError(
            "--dicom does not go with --from-review: the reviewed videos are taken as they are, without a new header",
            next_step="leave --dicom out; for DICOM files run again with --review",
        )


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
