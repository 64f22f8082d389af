"""A whole audit from a store that speaks S3 to the same store; what stands there verifies once it is copied here."""

import json
import os
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("s3fs", reason="needs the extra [s3]")
pytest.importorskip("moto", reason="needs moto, which [dev] brings")

import s3fs

from tests.e2e.short_clips import SENTINEL, short_clips
from tests.e2e.typed import command
from tests.schemas import document_in
from tests.unit.bucket_server import BUCKET, serving

pytestmark = pytest.mark.e2e


def test_an_audit_reads_from_a_store_and_writes_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, _ = short_clips(tmp_path)
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    with serving(monkeypatch.setenv):
        store = s3fs.S3FileSystem()
        store.put_file(str(clip), f"{BUCKET}/in/{SENTINEL}.mp4")
        store.pipe_file(f"{BUCKET}/in/answers.toml", b'recipient = "a registry"\n')
        asked = (
            *("audit", "--original", f"s3://{BUCKET}/in/{SENTINEL}.mp4", "--released", clip, "--case-id", "c1"),
            *("--context", f"s3://{BUCKET}/in/answers.toml", "--out", f"s3://{BUCKET}/out/case", "--json"),
        )
        done = subprocess.run(
            command(*asked), env=os.environ | {"TMPDIR": str(temporary)}, cwd=here, capture_output=True, text=True,
            check=False, timeout=900,
        )  # fmt: skip
        assert done.returncode == 3, done.stderr  # nothing was covered, so the original itself is withheld
        document = document_in(done.stdout)
        assert document["out"] == f"s3://{BUCKET}/out/case" and SENTINEL not in done.stdout + done.stderr
        assert not any(here.iterdir())
        assert not list(temporary.rglob("*.mp4"))
        store.invalidate_cache()
        store.get(f"{BUCKET}/out/case", str(tmp_path / "case"), recursive=True)
    assert json.loads((tmp_path / "case" / "evidence.json").read_bytes())
    verified = subprocess.run(
        command("verify", "case/certificate.pdf", "--trust", "case/signer.crt", "--json"), cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert verified.returncode == 3, verified.stderr  # authentic, whole, and not PASSED
    checks = {one["id"]: one["status"] for one in document_in(verified.stdout)["checks"]}
    assert checks["files.compared"] == "ok" and document["verify"].startswith("deid-audit verify case/certificate.pdf")
