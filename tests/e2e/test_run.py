"""The whole command on short made clips: refusal, release, repetition, interruption, and what must never appear.

Two seconds and a handful of training steps: enough for every stage to do its work, not for a good face. Whether a
swap passes the release policy is shown by `make demo`.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import av
import bagit
import cv2
import numpy as np
import pikepdf
import pytest

from deid_audit.certificate.facts import may_be_moot
from deid_audit.digests import sha256_file
from deid_audit.vault.child import CHILD_GONE
from deid_audit.video.reader import open_video, read_frames
from tests.e2e.short_clips import FRAMES, SENTINEL
from tests.e2e.typed import EASY_POLICY, command, deid_audit, run_arguments
from tests.e2e.warm import WarmCommand
from tests.schemas import document_in

pytestmark = pytest.mark.e2e
# A few steps give a face that passes; nobody is as far from anybody as this asks.
HARD_POLICY = """
[[rules]]
metric = "identity.to_original.p01"
of = "swapped"
op = "above"
limit = 1.5
why = "a test"
source = "a test"

[[rules]]
metric = "coverage.frames"
of = "swapped"
op = "at_least"
limit = 100
why = "a test"
source = "a test"
"""


def test_a_release_is_complete_and_verifies(released: tuple[Path, dict]) -> None:
    out, result = released
    assert result["verdict"] == "PASSED"
    assert {path.name for path in out.iterdir()} == {
        "release",
        "certificate.pdf",
        "evidence.json",
        "attestation.dsse.json",
        "signer.crt",
        "audit",
    }
    files = [path for path in (out / "release").rglob("*") if path.is_file()]
    assert sorted(result["released"]) == sorted(str(path.relative_to(out / "release")) for path in files)
    check = subprocess.run(
        ["sha256sum", "-c", "manifest-sha256.txt", "tagmanifest-sha256.txt"], cwd=out / "release", check=False
    )
    assert check.returncode == 0
    bagit.Bag(str(out / "release")).validate()
    verified = deid_audit("verify", out / "certificate.pdf", "--trust", out / "signer.crt", "--json")
    assert verified.returncode == 0, verified.stdout
    assert document_in(verified.stdout)["verdict"] == "PASSED"
    checks = {check["id"]: check["status"] for check in document_in(verified.stdout)["checks"]}
    of_nobody = {name for name, status in checks.items() if status == "not_applicable"}
    # no chair has decided, no list was given, there is no status file
    assert of_nobody and all(may_be_moot(name) or name.startswith("status.") for name in of_nobody)
    assert {status for name, status in checks.items() if name not in of_nobody} == {"ok"}
    predicate = document_in((out / "evidence.json").read_text())["predicate"]
    assert predicate["kind"] == "swap"
    [end] = [one for one in predicate["erasure"]["checks"] if one["check"] == CHILD_GONE]
    assert end["holds"] and "ended with status 0; no process of this number" in end["observed"]
    assert deid_audit("verify", out / "certificate.pdf").returncode == 1
    assert not (out.parent / "out.partial").exists()


def test_the_profile_that_was_asked_for_is_printed_and_signed(released: tuple[Path, dict]) -> None:
    out, result = released
    assert document_in((out / "evidence.json").read_text())["predicate"]["profile"] == result["profile"]
    passes = {one["stage"]: one for one in result["profile"]}
    assert list(passes) == ["finding faces", "rendering", "measuring"]
    subject, donor = 48, 48
    assert [one["frames"] for one in passes.values()] == [subject + donor, subject, subject]
    parts = {name: {part["part"] for part in one["parts"]} for name, one in passes.items()}
    assert {"decode", "detector", "tracks and mesh", "heads by the body"} <= parts["finding faces"]
    assert {"decode", "describe", "hands", "swap net and paste", "check", "encode"} <= parts["rendering"]
    assert {"keypoints, original", "mesh, swapped", "search", "edits through the encoder"} <= parts["measuring"]
    for one in passes.values():
        busy = sum(part["seconds"] for part in one["parts"])
        assert 0.5 * one["seconds"] < busy, "most of a pass is named"
    assert all(one["seconds"] <= result["seconds"][name] + 0.1 for name, one in passes.items())


def test_the_log_tells_of_the_run_and_goes_on_from_the_statements_checkpoint(released: tuple[Path, dict]) -> None:
    out, _ = released
    shown = deid_audit("log", "show", "--case", "c1", "--json")
    entries = document_in(shown.stdout)["entries"]  # other tests' cases of that name, too
    statement_sha256 = sha256_file(out / "evidence.json")
    (end,) = (
        n
        for n, one in enumerate(entries)
        if one.get("statement_sha256") == statement_sha256 and one["event"] == "run_ended"
    )
    run = entries[end - 2 : end + 1]
    assert [one["event"] for one in run] == ["run_started", "weights_destroyed", "run_ended"]
    assert run[2]["certificate_sha256"] == sha256_file(out / "certificate.pdf")
    checkpoint = out.parent / "checkpoint"
    checkpoint.write_text(document_in((out / "evidence.json").read_text())["predicate"]["log_checkpoint"])
    held = deid_audit("log", "verify", "--since", checkpoint)
    assert held.returncode == 0, held.stdout
    checkpoint.write_text(checkpoint.read_text().replace("\n", " \n", 1))
    assert deid_audit("log", "verify", "--since", checkpoint).returncode == 1


def test_the_release_keeps_size_frames_and_instants(
    released: tuple[Path, dict], named_clips: tuple[Path, Path]
) -> None:
    before = open_video(named_clips[0], label="before")
    after = open_video(released[0] / "release" / "data" / "c1-01.mp4", label="after")
    assert len(after.pts) == FRAMES
    assert (after.facts.width, after.facts.height) == (before.facts.width, before.facts.height)
    assert after.times_s == before.times_s
    pairs = list(zip(read_frames(before), read_frames(after), strict=True))
    original, shown = (np.stack([pair[side].image_rgb for pair in pairs[::20]]).astype(float) for side in (0, 1))
    assert np.abs(original - shown)[:, 350:].mean() < 3  # the body is as it was
    assert np.abs(original - shown)[:, 65:105, 115:155].mean() > 10  # the face is not


def test_every_frame_is_in_the_ledger(released: tuple[Path, dict]) -> None:
    rows = (released[0] / "audit" / "frames.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[1]) for row in rows] == list(range(FRAMES))
    assert {row.split(",")[3] for row in rows} <= {"swapped", "concealed"}


def holding_the_name(out: Path) -> list[str]:
    """Every file, and every stream and text of the certificate, that holds the planted name in any encoding."""
    things = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pikepdf.open(out / "certificate.pdf") as pdf:
        for number, thing in enumerate(pdf.objects):
            if isinstance(thing, pikepdf.Stream):
                things[f"certificate.pdf, stream {number}"] = thing.read_bytes()
        things["certificate.pdf, information"] = repr(list(pdf.docinfo.items())).encode()
    for video in out.rglob("*.mp4"):
        with av.open(str(video)) as container:
            tags = [container.metadata, *(stream.metadata for stream in container.streams)]
        things[f"{video.name}, tags"] = repr(tags).encode()
    names = [
        f"name of {path.name}" for path in out.rglob("*") if SENTINEL.lower() in str(path.relative_to(out)).lower()
    ]
    forms = [SENTINEL.lower().encode(encoding) for encoding in ("utf-8", "utf-16-be", "utf-16-le")]
    return names + [name for name, data in things.items() if any(form in data.lower() for form in forms)]


def test_the_name_of_a_patient_is_nowhere_in_the_output(released: tuple[Path, dict]) -> None:
    out = released[0]
    looked_into = {path.name for path in out.rglob("*") if path.is_file()}
    assert looked_into >= {
        "run.log",
        "report.html",
        "frames.csv",
        "evidence.json",
        "certificate.pdf",
        "c1-01.mp4",
        "README.txt",
    }
    assert "finding faces, subject video 1" in (out / "audit" / "run.log").read_text()
    assert holding_the_name(out) == []


@pytest.mark.parametrize("place", ["run.log", "frames.csv", "c1-01.mp4", "stream", "name"])
def test_a_name_that_leaked_would_be_found(released: tuple[Path, dict], tmp_path: Path, place: str) -> None:
    out = tmp_path / "out"
    shutil.copytree(released[0], out)
    if place == "stream":
        with pikepdf.open(out / "certificate.pdf", allow_overwriting_input=True) as pdf:
            pdf.Root.Planted = pdf.make_stream(f"for {SENTINEL}".encode())
            pdf.save(compress_streams=True, recompress_flate=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    elif place == "name":
        (out / "audit" / f"{SENTINEL}.csv").touch()
    else:
        path = next(out.rglob(place))
        path.write_bytes(path.read_bytes() + SENTINEL.encode("utf-16-le" if place == "frames.csv" else "utf-8"))
    assert [place in found for found in holding_the_name(out)] == [True]


def raster_images(certificate: Path) -> list[np.ndarray]:
    """Every raster image of a PDF as RGB."""
    with pikepdf.open(certificate) as pdf:
        images = [
            thing for thing in pdf.objects if isinstance(thing, pikepdf.Stream) and thing.get("/Subtype") == "/Image"
        ]
        return [np.asarray(pikepdf.PdfImage(image).as_pil_image().convert("RGB")) for image in images]


def shows_a_frame_of(picture: np.ndarray, frames: list[np.ndarray], *, drawn_on: bool = False) -> bool:
    """Whether the picture, cut to its first cell, is one of the frames scaled down, everywhere.

    Everywhere: no neighbourhood of five pixels may differ by 15 levels. A face is a small part of a frame. `drawn_on`
    leaves out what black dots and white rings cover, with a rim of three pixels.
    """
    height = picture.shape[0]
    for frame in frames:
        width = round(frame.shape[1] * height / frame.shape[0])
        small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA).astype(float)
        if picture.shape[1] < width:
            continue
        difference = np.abs(picture[:, :width] - small).mean(2)
        if drawn_on:
            cell = picture[:, :width]
            drawn = ((cell.max(2) < 40) | (cell.min(2) > 215)) & (difference > 15)
            difference[cv2.dilate(drawn.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0] = 0
        if cv2.blur(difference, (5, 5)).max() < 15:
            return True
    return False


def test_the_certificate_shows_released_pixels_only(
    released: tuple[Path, dict], named_clips: tuple[Path, Path]
) -> None:
    out = released[0]
    shown = [
        frame.image_rgb for frame in read_frames(open_video(out / "release" / "data" / "c1-01.mp4", label="released"))
    ]
    original = [frame.image_rgb for frame in read_frames(open_video(named_clips[0], label="original"))]
    pictures = raster_images(out / "certificate.pdf")
    [masked] = [picture for picture in pictures if shows_a_frame_of(picture, shown)]
    [keypoints] = [picture for picture in pictures if picture is not masked]
    assert shows_a_frame_of(keypoints, shown, drawn_on=True) and not shows_a_frame_of(
        keypoints, original, drawn_on=True
    )
    planted = cv2.resize(original[30], None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    assert not shows_a_frame_of(planted, shown), "the check must catch a planted original"
    assert shows_a_frame_of(planted, original)


@pytest.mark.parametrize("change", ["changed", "missing", "added"])
def test_verify_sees_a_release_that_is_not_the_certified_one(
    released: tuple[Path, dict], tmp_path: Path, change: str
) -> None:
    out = released[0]
    copy = tmp_path / "release"
    shutil.copytree(out / "release", copy)
    video = copy / "data" / "c1-01.mp4"
    if change == "changed":
        data = bytearray(video.read_bytes())
        data[len(data) // 2] ^= 1
        video.write_bytes(data)
    elif change == "missing":
        video.unlink()
    else:
        (copy / "data" / "c1-02.mp4").write_bytes(b"another")
    done = deid_audit("verify", out / "certificate.pdf", "--trust", out / "signer.crt", "--release", copy, "--json")
    assert done.returncode == 1
    assert [problem["kind"] for problem in document_in(done.stdout)["files"]["problems"]] == [change]


@pytest.fixture(scope="module")
def withheld(named_clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("withheld")
    out = folder / "out"
    (folder / "hard.toml").write_text(EASY_POLICY + HARD_POLICY)
    done = deid_audit(*run_arguments(named_clips, out, "--policy", folder / "hard.toml", "--case-id", "c1", "--json"))
    assert done.returncode == 3, done.stderr
    return out, document_in(done.stdout)


def test_a_failed_policy_withholds(withheld: tuple[Path, dict], released: tuple[Path, dict]) -> None:
    out, result = withheld
    assert result["verdict"] == "FAILED"
    assert not (out / "release").exists()
    assert [path.name for path in (out / "withheld").iterdir()] == ["c1-01.mp4"]
    assert raster_images(out / "certificate.pdf") == [], (
        "a failed swap may show the subject: no frame on the certificate"
    )
    assert deid_audit("verify", out / "certificate.pdf", "--trust", out / "signer.crt").returncode == 3
    # the same steps and seed on a CPU: the same film, bit for bit
    assert sha256_file(out / "withheld" / "c1-01.mp4") == sha256_file(released[0] / "release" / "data" / "c1-01.mp4")


def test_a_refused_run_is_explained_in_the_steward_s_folder_only(
    withheld: tuple[Path, dict], named_clips: tuple[Path, Path]
) -> None:
    out, result = withheld
    unmet = [one for one in result["findings"] if one["outcome"] in ("FAILED", "INDETERMINATE")]
    named = [(one["rule"]["metric"], one["reason"]) for one in unmet]
    assert [(one["metric"], one["reason"]) for one in result["explanations"]] == named
    assert {metric for metric, _ in named} == {"identity.to_original.p01", "coverage.frames"}
    assert all(one["next_steps"] for one in result["explanations"])

    text = (out / "audit" / "why.txt").read_text(encoding="utf-8")
    assert all(f"{number}. {metric} of swapped" in text for number, (metric, _) in enumerate(named, start=1))
    asked = {one["picture"] for one in result["explanations"] if one["picture"]}
    pictures = {path.name: path for path in (out / "audit" / "why").iterdir()}
    assert asked == set(pictures) != set()
    frames = list(read_frames(open_video(next((out / "withheld").iterdir()), label="withheld")))
    original = list(read_frames(open_video(named_clips[0], label="original")))
    for one in result["explanations"]:
        if one["picture"]:
            picture = cv2.imread(str(pictures[one["picture"]]))[:, :, ::-1]
            index = one["worst"]["frame"]
            assert picture_differs(picture, frames[index].image_rgb) < 3
            assert picture_differs(picture, original[index].image_rgb) > 10, "a planted original is caught"


def picture_differs(picture: np.ndarray, frame: np.ndarray) -> float:
    """Mean difference inside the middle of the demo's face, in levels; the thin box lies outside."""
    size = (picture.shape[1], picture.shape[0])
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(float)
    rows, columns = slice(67, 112), slice(120, 157)
    return float(np.abs(picture[rows, columns] - small[rows, columns]).mean())


def test_what_cannot_work_is_refused_with_its_exit_status(
    warm: WarmCommand, named_clips: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    same = warm.run(*run_arguments((named_clips[0], named_clips[0]), out), timeout_s=300)
    assert (same.status, out.exists()) == (2, False)
    assert "donor looks like the subject" in same.stderr and "Traceback" not in same.stderr
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    for force in ((), ("--force",)):
        assert warm.run(*run_arguments(named_clips, out, *force)).status == 2
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    unreadable = tmp_path / "broken.mp4"
    unreadable.write_bytes(b"no film")
    broken = warm.run(*run_arguments((unreadable, named_clips[1]), tmp_path / "out2"))
    assert broken.status == 1 and "subject video 1" in broken.stderr and "Traceback" not in broken.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.mp4", "out"]


def test_a_video_without_a_face_ends_with_status_3(
    warm: WarmCommand, named_clips: tuple[Path, Path], tmp_path: Path
) -> None:
    empty = tmp_path / "empty.mp4"
    with av.open(str(empty), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for shade in range(12):
            picture = np.full((240, 320, 3), 10 * shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    done = warm.run(*run_arguments((empty, named_clips[1]), tmp_path / "out"))
    assert done.status == 3, done.stderr
    assert "face" in done.stderr and "next:" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["empty.mp4"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_leaves_nothing(named_clips: tuple[Path, Path], tmp_path: Path, number: int, status: int) -> None:
    out = tmp_path / "out"
    arguments = [argument for argument in run_arguments(named_clips, out) if argument not in ("--iterations", 3)]
    with subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 120
        while not (tmp_path / "out.partial" / "work").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (tmp_path / "out.partial" / "work").exists()
        time.sleep(3)
        os.kill(running.pid, number)
        _, said = running.communicate(timeout=60)
    assert running.returncode == status, said
    assert list(tmp_path.iterdir()) == []
    assert "nothing was released" in said and "Traceback" not in said
