"""From measurements to the output folder: the statement, the signed certificate and attestation, the audit folder.

The files that they are about are written before (`packaging.py`). Everything written here carries the case id and
digests only.
"""

import csv
import importlib.metadata
import io
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from deid_audit import __version__
from deid_audit.attestation import ATTESTATION_FILE, attest
from deid_audit.certificate.document import render_certificate
from deid_audit.certificate.keys import Signer
from deid_audit.certificate.signing import sign_pdf
from deid_audit.digests import sha256_bytes, sha256_file
from deid_audit.errors import EvidenceError
from deid_audit.evidence import CERTIFICATE as CERTIFICATE  # noqa: PLC0414  (to be had here, where it is written)
from deid_audit.evidence import STATEMENT_FILE, build_statement, parse_statement
from deid_audit.findings import CaseRecord, Figure, JobKind, Measurement, Outcome, Verdict
from deid_audit.ledger import LedgerFrame, csv_lines
from deid_audit.settings import AudioChoice

_PACKAGES = (
    *("av", "cryptography", "dlib-bin", "matplotlib", "mediapipe", "numpy", "opencv-python", "pycocotools"),
    *("pyhanko", "scipy", "torch", "weasyprint"),
)

_VOICE: dict[AudioChoice, str] = {
    "drop": "Voice and sound: removed, so neither protected otherwise nor measured.",
    "mask": "Recognition of the masked voice by a person, or by a recogniser of speakers, which hears more than the "
    "distance measured here, above all one that has learnt from masked voices; and what is said: speech content, "
    "accent, intonation, choice of words and pace are not anonymised.",
    "keep": "Recognition by the voice, which is the subject's own, and by what is said: neither is anonymised.",
}
_VOICE_OF_OTHERS = "Voice and sound: streams were counted, not listened to."
_NOT_ASSESSED = (
    "Hair or a hat that reaches over the forehead and stays as it was: it is told from skin by its colour alone.",
    "Everything outside the swapped region: hair, ears, body, gait, hands, clothing, tattoos, scars and the room are "
    "as they were and can identify a person; only the face's nearest surroundings are measured, and not gated.",
    "Text in the picture beyond standing printed lines (handwriting, moving or slanted text, badges, tattoos), and "
    "what the search for these lines misses; screens, photos, reflections, beyond what the audit takes for a face: "
    "that counts as one, wherever it is.",
    "Recognition by people beyond what a viewer test measured (its rows say whether one was done, and with whom), and "
    "by recognisers other than those named here.",
    "Attempts to reconstruct the original face from the released pixels by deep networks trained on many other people; "
    "published methods partly do. What was tried is a linear inversion, where the attacks give its chance.",
    "Identification by movement, pulse or speech rhythm; movement is deliberately kept.",
    "Fine movement: fingers and toes, single facial action units, and whatever is below what the keypoint and landmark "
    "models see.",
    "Differences between groups of people: one subject was examined.",
    "Consent of subject and donor, the legal basis of sharing, and the retention of the originals: not checked.",
    "Copies of originals or intermediate files made outside this tool.",
)
_NOT_RATED = "Whether a clinician would rate the released video as the original; no person rated it."
_RATED = (
    "How clinicians' ratings came about: whether raters were blinded and clips shuffled, and who they are; the "
    "steward's table is taken as it is."
)
_NOT_ASSESSED_OF_OTHERS = (
    "How the released video was made: with which tool, by whom, and on which machine.",
    "Whether the tool that made it kept a model, crops, logs or other copies that could bring the face back.",
)
_NOT_ASSESSED_OF_REVIEWED = (
    "How the videos were made before people reviewed them, and what was destroyed then: that stands in the certificate "
    "of the job that was reviewed, whose statement this one names by its digest. The two go together.",
)
_NOT_ASSESSED_OF_PACKS = (
    "Where else the donor's pack is used: videos with one donor's face can be linked with each other, and a donor who "
    "serves one subject only is a pseudonym of that subject.",
    "What the donor's pack makes easier: the encoder that training began from, and the donor's decoder, outlive this "
    "run, and whoever has them starts ahead in trying to recover the original face.",
    "Whether the donor's pack says the truth about its licence, its consent and its making.",
)


def not_assessed(
    kind: JobKind, *, from_pack: bool = False, audio: AudioChoice = "drop", rated: bool = False
) -> tuple[str, ...]:
    """What no certificate of this kind says anything about; `from_pack`: the donor came from one.

    `rated`: clinicians' ratings were given.
    """
    before: dict[JobKind, tuple[str, ...]] = {
        "audit": _NOT_ASSESSED_OF_OTHERS,
        "reviewed": _NOT_ASSESSED_OF_REVIEWED,
    }
    voice = _VOICE_OF_OTHERS if kind == "audit" else _VOICE[audio]
    rating = _RATED if rated else _NOT_RATED
    return (*before.get(kind, ()), voice, *_NOT_ASSESSED, rating, *(_NOT_ASSESSED_OF_PACKS if from_pack else ()))


def environment(device: str, threads: int, vault_facts: dict[str, str]) -> dict[str, str]:
    """Versions and machine facts for the statement: no host name, no user, no path."""
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "deid-audit": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": device,
        "threads": str(threads),
        **packages,
        **vault_facts,
    }


def issue(partial: Path, case: CaseRecord, figures: Sequence[Figure], signer: Signer, *, issued_at: datetime) -> str:
    """Writes evidence.json, certificate.pdf, attestation.dsse.json and signer.crt; gives the certificate's sha256.

    EvidenceError when a file changed since it was hashed.
    """
    folder = partial / case.outputs_folder
    for output in case.outputs:
        if sha256_file(folder / output.name) != output.sha256:
            raise EvidenceError(f"{output.name} changed while the certificate was made", next_step="run again")
    statement = build_statement(case)
    stated = parse_statement(statement)  # the pages say what is signed: from it alone they can be made again
    unsigned = render_certificate(stated, statement, figures, issued_at=issued_at)
    signed = sign_pdf(unsigned, signer, signed_at=issued_at)
    attestation = attest(statement, [signer])
    (partial / STATEMENT_FILE).write_bytes(statement)
    (partial / CERTIFICATE).write_bytes(signed)
    (partial / ATTESTATION_FILE).write_bytes(attestation)
    (partial / "signer.crt").write_bytes(signer.certificate_pem)
    return sha256_bytes(signed)


def write_audit(
    partial: Path,
    ledgers: Sequence[Sequence[LedgerFrame]],
    figures: Sequence[Figure],
    *,
    why: str | None,
    why_pictures: Mapping[str, bytes],
    learning_curve: str | None,
    measurements: Sequence[Measurement],
    log: Sequence[str],
    digest_key: bytes,
    review: bytes | None = None,
) -> None:
    """The steward's folder: ledger, measurements, figures with data, learning curve, review, run log, digests' key.

    Where the verdict is not PASSED, also why: a text, and frames of the withheld videos.
    """
    audit = partial / "audit"
    (audit / "figures").mkdir(parents=True)
    with (audit / "frames.csv").open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(csv_lines(ledgers))
    (audit / "measurements.csv").write_text(measurements_csv(measurements), encoding="utf-8")
    if learning_curve is not None:
        (audit / "training.csv").write_text(learning_curve, encoding="utf-8")
    for figure in figures:
        suffix = "svg" if figure.media_type == "image/svg+xml" else "png"
        (audit / "figures" / f"{figure.name}.{suffix}").write_bytes(figure.data)
        if figure.csv is not None:
            (audit / "figures" / f"{figure.name}.csv").write_text(figure.csv, encoding="utf-8")
    if review is not None:
        (audit / "review.json").write_bytes(review)
    if why is not None:
        (audit / "why").mkdir()
        (audit / "why.txt").write_text(why, encoding="utf-8")
        for name, picture in why_pictures.items():
            (audit / "why" / name).write_bytes(picture)
    (audit / "run.log").write_text("\n".join(log) + "\n", encoding="utf-8")
    key_file = audit / "originals.key"
    key_file.touch(mode=0o600)
    key_file.write_text(digest_key.hex() + "\n", encoding="ascii")


_COLUMNS = [
    "metric",
    "of",
    "scope",
    "value",
    "low95",
    "high95",
    "clusters",
    "unit",
    "sample_size",
    "noise_floor",
    "why_not",
]


def measurements_csv(measurements: Sequence[Measurement]) -> str:
    """Every measurement as a row: the tables of the certificate, for those who compute on; what is missing is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in measurements:
        interval = row.interval
        between = (interval.low, interval.high, interval.clusters, interval.unit) if interval else ("", "", "", "")
        head = (row.metric, row.of, row.scope, "" if row.value is None else row.value)
        floor = "" if row.noise_floor is None else row.noise_floor
        writer.writerow((*head, *between, row.sample_size, floor, row.not_measured_because or row.no_interval_because))
    return stream.getvalue()


def passed(verdict: Verdict) -> bool:
    """Only PASSED releases; FAILED and INDETERMINATE both withhold."""
    return verdict.outcome is Outcome.PASSED
