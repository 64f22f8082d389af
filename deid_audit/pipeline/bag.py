"""What makes a folder a BagIt 1.0 bag (RFC 8493): its files' names, its declaration, what is told of the payload."""

from collections.abc import Sequence
from datetime import UTC, datetime

from deid_audit import __version__

PAYLOAD = "data"
MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
DECLARATION_FILE, BAG_INFO = "bagit.txt", "bag-info.txt"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


def identifier_line(identifier: str) -> str:
    """The line of bag-info.txt that says what the bag is called.

    >>> identifier_line("case-1")
    'External-Identifier: case-1'
    """
    return f"External-Identifier: {identifier}"


def bag_info(payload_bytes: Sequence[int], *, identifier: str, issued_at: str) -> bytes:
    """RFC 8493 2.2.2: the fields that are known and name nobody, from the payload files' sizes; times in ISO 8601."""
    lines = (
        f"Bag-Software-Agent: deid-audit {__version__}",
        f"Bagging-Date: {datetime.fromisoformat(issued_at).astimezone(UTC).date().isoformat()}",
        identifier_line(identifier),
        f"Payload-Oxum: {sum(payload_bytes)}.{len(payload_bytes)}",
    )
    return "".join(f"{line}\n" for line in lines).encode()
