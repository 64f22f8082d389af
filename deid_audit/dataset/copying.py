"""The set's package at a URL: OUT/set copied there when all cases are done, its attestation last.

What stands there is replaced where it is a package of the very same set, or a copy of it that was cut off.
"""

from dataclasses import dataclass
from pathlib import Path

from deid_audit.dataset.packaging import SET_ATTESTATION
from deid_audit.errors import SettingsError
from deid_audit.pipeline.bag import BAG_INFO, identifier_line
from deid_audit.pipeline.delivering import copy_whole, expect_writable
from deid_audit.pipeline.staging import MARKER
from deid_audit.video.stores import StoreFolder, store_folder

OPTION = "--package-to"


@dataclass(frozen=True, slots=True)
class PackagePlace:
    """A folder in a store that is free for a set's package, or has it already."""

    store: StoreFolder
    set_id: str

    def take(self, package: Path) -> None:
        """Copies the package there, unless the very same stands there whole; StageError as `copy_whole` says."""
        attestation = (package / SET_ATTESTATION).read_bytes()
        if MARKER not in self.store.top() and self.store.read(SET_ATTESTATION) == attestation:
            return
        copy_whole(
            package,
            self.store,
            last=SET_ATTESTATION,
            kept="the package stands whole in OUT/set: the same command copies it again",
            marker=self.set_id.encode(),
        )


def package_place(url: str, set_id: str) -> PackagePlace:
    """Where the package of this set goes; nothing is kept there yet.

    Raises:
        SettingsError: not the URL of a folder in a store, or something else is there.
        StageError: the store refuses to be read or written.
    """
    store = store_folder(url, OPTION)
    names = store.top()
    told = store.read(MARKER) if MARKER in names else store.read(BAG_INFO)
    if (
        names
        and set_id.encode() != told
        and identifier_line(set_id) not in told.decode("utf-8", "replace").splitlines()
    ):
        raise SettingsError(
            f"{OPTION} exists, and is no package of this data set", next_step=f"choose another {OPTION}"
        )
    if not names:
        expect_writable(store, set_id.encode())
    return PackagePlace(store, set_id)
