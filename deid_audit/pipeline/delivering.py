"""An output at a URL: made whole on this machine as every other, then copied there, the certificate last.

What stands at the URL is whole where it has a certificate and no marker. A copy that fails or is stopped is taken away
again; the output on this machine stays then, since the model that made it is gone and it cannot be made a second time.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deid_audit.errors import SettingsError, StageError
from deid_audit.evidence import CERTIFICATE
from deid_audit.pipeline.staging import MARKER, interruptible, is_output, uninterrupted
from deid_audit.video.stores import StoreFolder, store_folder, url_of


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
    with interruptible(), uninterrupted():  # whether it may be written is known before hours of work
        store.write(MARKER, b"")
        store.remove([MARKER])
    yield waiting
    with interruptible(f"the output stands whole in {waiting.name}, and nothing whole at its URL"):
        _copy(waiting, store)
    shutil.rmtree(waiting)


def _refuse_existing(store: StoreFolder, *, force: bool) -> None:
    names = store.top()
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


def _copy(made: Path, store: StoreFolder) -> None:
    files = {path.relative_to(made).as_posix(): path for path in sorted(made.rglob("*")) if path.is_file()}
    certificate = files.pop(CERTIFICATE)
    try:
        with uninterrupted():  # a store's library goes on in a thread of its own, whatever is raised here
            store.write(MARKER, b"")
            _clear(store, but=(MARKER,))
        for name, path in files.items():
            with uninterrupted():
                store.put(path, name)
        arrived = store.sizes()
        if any(arrived.get(name) != path.stat().st_size for name, path in files.items()):
            raise StageError("the store at --out does not hold what was written to it")
        with uninterrupted():
            store.put(certificate, CERTIFICATE)
            store.remove([MARKER])
    except BaseException as error:
        with uninterrupted(), suppress(StageError):  # what cannot be removed has a marker, or no certificate
            _clear(store)
            store.remove_folders()
        if isinstance(error, StageError):
            raise StageError(
                str(error),
                next_step=f"the output stands whole in {made.name}: copy it there with the store's own program, "
                f"{CERTIFICATE} last",
            ) from None
        raise


def _clear(store: StoreFolder, but: tuple[str, ...] = ()) -> None:
    """The certificate first and the marker last: what is left of a removal that is cut off never looks whole."""
    rank = {CERTIFICATE: 0, MARKER: 2}
    store.remove(sorted(set(store.sizes()) - set(but), key=lambda name: (rank.get(name, 1), name)))
