"""The set's package: one BagIt 1.0 bag (RFC 8493) with every case's papers, and the files of those that are released.

A withheld case brings its statement, for its numbers, and its attestation: no video, and no certificate, since that has
pictures in it.
Files are hard links where the disk has them, so that a set does not need its space twice.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from deid_audit.attestation import ATTESTATION_FILE
from deid_audit.digests import sha256_bytes, sha256_file
from deid_audit.errors import EvidenceError
from deid_audit.evidence import CERTIFICATE, STATEMENT_FILE
from deid_audit.findings import CaseRecord
from deid_audit.pipeline.bag import BAG_INFO, DECLARATION, DECLARATION_FILE, MANIFEST, PAYLOAD, TAG_MANIFEST, bag_info
from deid_audit.records import OutputFile

SET_STATEMENT, SET_ATTESTATION, SIGNER = "dataset.json", "dataset.dsse.json", "signer.crt"
README, PAGES = "README.txt", "dataset.pdf"
_AFTER = frozenset({SET_STATEMENT, SET_ATTESTATION, SIGNER, MANIFEST, TAG_MANIFEST})  # what no manifest can name
_PAPERS = (STATEMENT_FILE, ATTESTATION_FILE, SIGNER)
_LARGEST_MANIFEST_BYTES = 1 << 30


def gather_case(out: Path, case: CaseRecord, target: Path, *, released: bool) -> None:
    """Puts into `target` what leaves of the case's output at `out`: of its files those that the statement names."""
    names = [*_PAPERS]
    if released:
        names += [CERTIFICATE, *(f"{case.outputs_folder}/{one.name}" for one in case.outputs)]
    for name in names:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(out / name, place)
        except OSError:  # another disk, or one without links
            shutil.copyfile(out / name, place)


def close_bag(folder: Path, *, set_id: str, readme: str, pages: bytes, issued_at: str) -> tuple[OutputFile, ...]:
    """Writes what makes `folder` a bag of what is under data/; the two manifests, which name all of it."""
    payload = {one.relative_to(folder).as_posix(): one for one in _files(folder / PAYLOAD)}
    sizes = [path.stat().st_size for path in payload.values()]
    (folder / README).write_text(readme, encoding="utf-8")
    (folder / PAGES).write_bytes(pages)
    (folder / DECLARATION_FILE).write_bytes(DECLARATION)
    (folder / BAG_INFO).write_bytes(bag_info(sizes, identifier=set_id, issued_at=issued_at))
    manifest = "".join(f"{sha256_file(path)}  {name}\n" for name, path in sorted(payload.items())).encode()
    (folder / MANIFEST).write_bytes(manifest)
    tags = sorted((README, PAGES, DECLARATION_FILE, BAG_INFO, MANIFEST))
    tag_manifest = "".join(f"{sha256_file(folder / name)}  {name}\n" for name in tags).encode()
    (folder / TAG_MANIFEST).write_bytes(tag_manifest)
    return tuple(
        OutputFile(name=name, sha256=sha256_bytes(data), size_bytes=len(data), role="manifest")
        for name, data in ((MANIFEST, manifest), (TAG_MANIFEST, tag_manifest))
    )


def bag_faults(folder: Path, manifests: Sequence[OutputFile]) -> list[str]:
    """What in the bag is not as the stated manifests say: changed, missing, or named by neither; in words.

    Raises:
        EvidenceError: a manifest cannot be read, is not the stated one, or is not in the one form.
    """
    listed: dict[str, str] = {}
    for stated in manifests:
        data = _read(folder / stated.name)
        if sha256_bytes(data) != stated.sha256:
            raise EvidenceError(f"{stated.name} is not the one that the statement names")
        listed |= dict(_lines(data, stated.name))
    found = {one.relative_to(folder).as_posix(): one for one in _files(folder)}
    faults = []
    for name, digest in sorted(listed.items()):
        path = found.pop(name, None)
        if path is None:
            faults.append(f"{name} missing")
        elif path.is_symlink() or not path.is_file():
            faults.append(f"{name} is no regular file")
        elif sha256_file(path) != digest:
            faults.append(f"{name} changed")
    return [*faults, *(f"{name} added" for name in sorted(found) if name not in _AFTER)]


def _lines(data: bytes, name: str) -> Iterator[tuple[str, str]]:
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError:
        raise EvidenceError(f"{name} is not text") from None
    for line in lines:
        digest, two_spaces, path = line.partition("  ")
        if not two_spaces or len(digest) != 64 or {"", ".", ".."} & set(path.split("/")):
            raise EvidenceError(f"{name} is not in the form of a manifest")
        yield path, digest


def _files(folder: Path) -> Iterable[Path]:
    """Everything below that is no folder; no link is followed."""
    for place, folders, names in os.walk(folder):
        here = Path(place)
        yield from (here / name for name in names)
        yield from (here / name for name in folders if (here / name).is_symlink())


def _read(path: Path) -> bytes:
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST_MANIFEST_BYTES:
            raise EvidenceError(f"{path.name} is a link, or larger than a manifest can be")
        return path.read_bytes()
    except OSError as error:
        raise EvidenceError(f"{path.name} cannot be read: {error.strerror or 'input/output error'}") from None
