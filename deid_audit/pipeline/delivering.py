"""An output at a URL: made whole on this machine as every other, then copied there, the certificate last.

What stands at the URL is whole where it has a certificate and no marker. A copy that fails or is stopped is taken away
again; the output on this machine stays then, since the model that made it is gone and it cannot be made a second time.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from deid_audit.errors import SettingsError, StageError
from deid_audit.evidence import CERTIFICATE
from deid_audit.pipeline.staging import MARKER, interruptible, is_output, uninterrupted
from deid_audit.video.stores import StoreFolder, store_folder, url_of

TRIAL = ".deid-audit-trial"


@contextmanager
def delivered(out: Path, *, force: bool) -> Iterator[Path]:
    """Where the job puts its output: OUT itself; where OUT is a URL, NAME.upload in this folder, copied at the end.

    Raises:
        SettingsError: the URL cannot be used, something is there, or an earlier output still waits to be copied.
        StageError: the store refuses; before any work where that can be known by then.
    """
    url = url_of(out)
    if url is None:
        yield out
        return
    store = store_folder(url)
    waiting = Path(f"{out.name}.upload").absolute()
    _refuse_existing(store, force=force)
    if waiting.exists() and not force:
        raise SettingsError(
            f"{waiting.name} in this folder is the output of an earlier run that did not reach its URL",
            next_step="copy it there, certificate.pdf last, or remove it; --force replaces it",
        )
    with interruptible():
        expect_writable(store)
    yield waiting
    by_hand = f"copy it there with the store's own program, {CERTIFICATE} last"
    with interruptible(f"the output stands whole in {waiting.name}, and nothing whole at its URL"):
        copy_whole(waiting, store, last=CERTIFICATE, kept=f"the output stands whole in {waiting.name}: {by_hand}")
    shutil.rmtree(waiting)


def _refuse_existing(store: StoreFolder, *, force: bool) -> None:
    names = store.top() - {TRIAL}
    if not names:
        return
    if names == {"."}:
        raise SettingsError("--out exists and is not a folder", next_step="choose another --out")
    if not force:
        half = " as a copy that was not finished" if MARKER in names else ""
        raise SettingsError(
            f"--out exists already{half}", next_step="choose another --out, or add --force to replace it"
        )
    if MARKER not in names and not is_output(names):
        raise SettingsError(
            "--out exists and is no output of deid-audit: --force does not replace it", next_step="choose another --out"
        )


def expect_writable(store: StoreFolder) -> None:
    """Writes a file there and takes it away again: that is known before hours of work."""
    with uninterrupted():
        store.write(TRIAL, b"")
        store.remove([TRIAL])


def copy_whole(made: Path, store: StoreFolder, *, last: str, kept: str, marker: bytes = b"") -> None:
    """Replaces what stands in `store` by the files of `made`, `last` after all others; meanwhile `marker` stands there.

    Raises:
        StageError: the store refuses, or lost a file; what was begun is removed, and `kept` says what to do next.
    """
    try:
        with uninterrupted():  # a store's library goes on in a thread of its own, whatever is raised here
            store.write(MARKER, marker)  # where this is refused, what stands there stays as it was
        _fill(made, store, last)
    except StageError as error:
        raise StageError(str(error), next_step=kept) from None


def _fill(made: Path, store: StoreFolder, last: str) -> None:
    """From the marker on to its removal; whatever is raised meanwhile, nothing is left."""
    files = {path.relative_to(made).as_posix(): path for path in sorted(made.rglob("*")) if path.is_file()}
    final = {last: files.pop(last)}
    try:
        with uninterrupted():
            _clear(store, last, but=(MARKER,))
        for name, path in files.items():
            with uninterrupted():
                store.put(path, name)
        _expect_arrived(store, files)
        with uninterrupted():
            store.put(final[last], last)
            _expect_arrived(store, final)
            store.remove([MARKER])
    except BaseException:
        with uninterrupted(), suppress(StageError):  # what cannot be removed has a marker, or no last file
            _clear(store, last)
            store.remove_folders()
        raise


def _expect_arrived(store: StoreFolder, files: Mapping[str, Path]) -> None:
    arrived = store.sizes()
    if any(arrived.get(name) != path.stat().st_size for name, path in files.items()):
        raise StageError(f"the store at {store.option} does not hold what was written to it")


def _clear(store: StoreFolder, last: str, but: tuple[str, ...] = ()) -> None:
    """The last file first and the marker last: what is left of a removal that is cut off never looks whole."""
    rank = {last: 0, MARKER: 2}
    store.remove(sorted(set(store.sizes()) - set(but), key=lambda name: (rank.get(name, 1), name)))
