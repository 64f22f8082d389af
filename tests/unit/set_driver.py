"""A driver of stand-in cases, to be killed. Its imports are in its functions: every worker loads this file, too."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deid_audit.dataset.sighting import Sighted


def look(path: Path, label: str, facts: object = None) -> "Sighted":
    """Everybody is somebody else: a descriptor made from the file's folder."""
    import numpy as np  # noqa: PLC0415

    from deid_audit.dataset.sighting import Sighted  # noqa: PLC0415
    from deid_audit.digests import sha256_bytes  # noqa: PLC0415
    from tests.fakes import make_video_facts  # noqa: PLC0415

    row = np.random.default_rng(int(sha256_bytes(path.parent.name.encode())[:8], 16)).normal(0, 1, 128)
    rows = np.tile(np.float32(row / np.linalg.norm(row)), (6, 1))
    return Sighted(facts=make_video_facts(), descriptors=rows, frames=24, seconds_a_frame=0.01)


def main(manifest: str, out: str, workers: str, address: str | None = None) -> None:
    from deid_audit.dataset.cluster import Needs  # noqa: PLC0415
    from deid_audit.dataset.running import SetSettings, run_set  # noqa: PLC0415
    from deid_audit.progress import SilentProgress  # noqa: PLC0415
    from tests.unit.standins import do_standin  # noqa: PLC0415

    needs = Needs(processors=1, memory_bytes=100_000_000)
    settings = SetSettings(manifest=Path(manifest), out=Path(out), workers=int(workers), address=address, needs=needs)
    run_set(settings, progress=SilentProgress(), do=do_standin, look=look)


if __name__ == "__main__":
    main(*sys.argv[1:])
