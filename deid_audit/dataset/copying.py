"""The set's package at a URL: OUT/set copied there when all cases are done, its attestation last.

What stands there is replaced where it is a package of the very same set, or a copy of it that was cut off: that is
looked at before the first case, and again before anything is removed.
"""

from dataclasses import dataclass
from pathlib import Path

from deid_audit.dataset.packaging import PAGES, README, SET_ATTESTATION, SET_STATEMENT, SIGNER
from deid_audit.errors import SettingsError, StageError
from deid_audit.pipeline.bag import BAG_INFO, DECLARATION_FILE, MANIFEST, PAYLOAD, TAG_MANIFEST, identifier_line
from deid_audit.pipeline.delivering import TRIAL, copy_whole, expect_writable
from deid_audit.pipeline.staging import MARKER
from deid_audit.video.stores import StoreFolder, is_url, store_folder

OPTION = "--package-to"
_OF_A_PACKAGE = frozenset(
    {PAYLOAD, README, PAGES, DECLARATION_FILE, BAG_INFO, MANIFEST, TAG_MANIFEST, SET_STATEMENT, SET_ATTESTATION, SIGNER}
)
_MOST_BYTES = 1 << 16  # of a marker, or of bag-info.txt
_KEPT = "the package stands whole in OUT/set: "


@dataclass(frozen=True, slots=True)
class PackagePlace:
    """A folder in a store that is free for a set's package, or has it already."""

    store: StoreFolder
    set_id: str

    def fault(self) -> str:
        """Why nothing of this set may be copied there now; empty where it may."""
        names = self.store.top() - {TRIAL}
        if not names:
            return ""
        if MARKER in names:
            ours = self.store.read(MARKER, _MOST_BYTES) == self.set_id.encode()
        else:
            told = self.store.read(BAG_INFO, _MOST_BYTES).decode("utf-8", "replace")
            ours = identifier_line(self.set_id) in told.splitlines()
        if not ours:
            return f"{OPTION} exists, and is no package of this data set"
        if others := names - _OF_A_PACKAGE - {MARKER}:
            return f"{OPTION} has {len(others)} other files or folders beside the package of this data set"
        return ""

    def take(self, package: Path) -> None:
        """Copies the package there, unless the very same stands there whole; StageError as `copy_whole` says."""
        attestation = (package / SET_ATTESTATION).read_bytes()
        same = self.store.read(SET_ATTESTATION, len(attestation) + 1) == attestation
        if same and MARKER not in self.store.top():
            return
        if fault := self.fault():  # somebody else was there meanwhile
            raise StageError(fault, next_step=f"{_KEPT}choose another {OPTION}")
        again = f"{_KEPT}the same command copies it again"
        copy_whole(package, self.store, last=SET_ATTESTATION, kept=again, marker=self.set_id.encode())


def package_place(url: str, set_id: str) -> PackagePlace:
    """Where the package of this set goes; nothing is kept there yet.

    Raises:
        SettingsError: not the URL of a folder in a store, or something else is there.
        StageError: the store refuses to be read or written.
    """
    if not is_url(url):
        raise SettingsError(
            f"{OPTION} is no URL", next_step="give one, for example s3://bucket/study; OUT/set is on this machine"
        )
    place = PackagePlace(store_folder(url, OPTION), set_id)
    if fault := place.fault():
        raise SettingsError(fault, next_step=f"choose another {OPTION}")
    expect_writable(place.store)
    return place
