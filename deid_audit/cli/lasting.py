"""What --crl and --tsa make of a signer; the timestamp authority's passphrase is asked for here."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deid_audit.cli.passphrase import TSA_VARIABLE, read_passphrase

if TYPE_CHECKING:
    from cryptography import x509

    from deid_audit.certificate.keys import Signer


def with_lists_and_time(
    signer: "Signer",
    *,
    crls: Sequence[Path],
    tsa: str | None,
    tsa_passphrase_file: Path | None,
    others: "Sequence[x509.Certificate]" = (),
) -> "Signer":
    """The signer with what --crl and --tsa name; see `certificate.lasting` for what is refused."""
    from deid_audit.certificate.crls import read_crls  # noqa: PLC0415  (heavy)
    from deid_audit.certificate.lasting import lasting_signer  # noqa: PLC0415
    from deid_audit.certificate.timestamps import ask_once, timestamp_authority  # noqa: PLC0415

    def passphrase() -> bytes | None:
        return read_passphrase(
            tsa_passphrase_file,
            prompt="The timestamp authority's passphrase",
            variable=TSA_VARIABLE,
            option="--tsa-passphrase-file",
        )

    now = datetime.now(UTC)
    timestamps = None if tsa is None else timestamp_authority(tsa, passphrase, now)
    lasting = lasting_signer(signer, crls=read_crls(crls), timestamps=timestamps, now=now, others=others)
    if timestamps is not None:
        ask_once(timestamps)
    return lasting
