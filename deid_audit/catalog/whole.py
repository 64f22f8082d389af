"""Metrics of the whole release: coverage, residue, the audit itself, erasure. Counted, never sampled."""

from deid_audit.catalog.rows import Rows

_LEDGER = "the ledger of frame states"


def add_rows(rows: Rows) -> None:
    """Adds these metrics to the catalogue."""
    add = rows.add
    for state in ("swapped", "concealed", "clear", "reviewed", "undecided"):
        better = False if state in ("concealed", "undecided") else None
        add(f"coverage.{state}", f"frames whose state is {state}", "frames", 0, None, better, _LEDGER, "never")
    add("coverage.frames", "frames decoded", "frames", 0, None, None, _LEDGER, "never")
    add(
        "coverage.concealed_share",
        "share of frames in which the subject's face is concealed",
        "",
        0,
        1,
        False,
        _LEDGER,
        "no frames",
    )
    add(
        "coverage.other_covers_share",
        "share of frames in which something besides the subject's face is covered as a face: another person, a hand, a "
        "thing",
        "",
        0,
        1,
        None,
        f"{_LEDGER}; no policy has a limit",
        "no frames",
    )
    add(
        "coverage.longest_concealed_s",
        "longest stretch in which the subject's face is concealed",
        "s",
        0,
        None,
        False,
        _LEDGER,
        "no frames",
    )

    residue = "the written file, searched by a detector that neither swapped nor cleared"
    add(
        "residue.subject_faces",
        "faces in the released file that match the subject's original of the same frame",
        "faces",
        0,
        None,
        False,
        residue,
        "the audit detector could not run",
    )
    add(
        "residue.unaccounted_faces",
        "faces in the released file that belong to no swapped or concealed region",
        "faces",
        0,
        None,
        False,
        residue,
        "the audit detector could not run",
    )
    add(
        "residue.gallery_matches",
        "faces in the released file that match any original of the subject, at a cut calibrated on strangers",
        "faces",
        0,
        None,
        False,
        residue,
        "too few faces of other people to calibrate with, or strangers nearer than the subject's own originals",
    )
    add(
        "audit.looks",
        "looks that the audit takes at the written file: detectors, scales, mirrored",
        "looks",
        0,
        None,
        True,
        residue,
        "never",
    )
    add(
        "audit.families",
        "families of detectors in the audit that neither swapped nor cleared",
        "families",
        0,
        None,
        True,
        residue,
        "never",
    )
    canaries = "known faces pasted into copies of the written file's frames, searched by the audit"
    add(
        "audit.canary_recall",
        "share of the pasted known faces of 32 px or more that the audit finds, of all kinds",
        "",
        0,
        1,
        True,
        canaries,
        "too few faces fit into the frames",
    )
    add(
        "audit.smallest_face_px",
        "height of the smallest upright face from which the audit finds at least 90 %",
        "px",
        0,
        None,
        False,
        canaries,
        "too few faces fit into the frames, or too few are found at every height",
    )
    add(
        "residue.audio_streams",
        "audio, subtitle and data streams left in the released file, beside the sound that was asked for",
        "streams",
        0,
        None,
        False,
        "the written file's inventory",
        "never",
    )
    add(
        "residue.metadata_keys",
        "metadata keys in the released file beyond the container's own",
        "keys",
        0,
        None,
        False,
        "the written file's inventory",
        "never",
    )
    add(
        "text.regions_left",
        "lines of standing, burned-in text that the search still finds in the released file",
        "lines",
        0,
        None,
        False,
        "letters by their strokes in averaged frames of the written file; no policy has a limit",
        "never",
    )
    add(
        "erasure.complete",
        "erasure: 1 when every artefact is destroyed and every check after it holds",
        "",
        0,
        1,
        True,
        "the vault's record",
        "never",
    )
    add(
        "erasure.key_on_disk",
        "erasure: 1 when a key that opens the model stood in a file while the run lasted (--resume-key)",
        "",
        0,
        1,
        False,
        "the vault's record",
        "another tool, or an earlier job, made the videos",
    )
    add(
        "erasure.references_kept",
        "erasure: 1 when descriptors of subject and donor were kept, encrypted, for a recheck (--keep-references)",
        "",
        0,
        1,
        False,
        "the vault's record",
        "never",
    )

    review = "the review file (audit/review.json); who looked is what the reviewers say of themselves"
    nobody = "nobody was asked to look at the videos"
    add(
        "review.readers",
        "people who were shown frames of the released videos, and read them independently of each other; 0 when nobody "
        "was",
        "people",
        0,
        2,
        True,
        review,
        "never",
    )
    add(
        "review.frames_shown_share",
        "share of the frames that a reader was shown as they are released; of two readers, the smaller",
        "",
        0,
        1,
        True,
        review,
        nobody,
    )
    add(
        "review.agreement_kappa",
        "agreement of two readers beyond chance: Cohen's kappa over the stretches of the queue",
        "",
        -1,
        1,
        True,
        review,
        "nobody, or one person, read; or both said the same of every stretch",
    )
