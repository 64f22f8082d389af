"""Other tools' output judged by the whole command, and covering without a swap: what passes, what fails, and why.

The other tools are played by code: a copy that only encodes again, one at half the rate, one at another size.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pypdf
import pytest

from deid_audit.pipeline.demo_clips import write_demo_clips
from deid_audit.progress import SilentProgress
from deid_audit.video.reader import open_video, read_frames
from tests.e2e.warm import Done, WarmCommand
from tests.schemas import document_in
from tests.unit.media_keys import marked_with, read_mark, require_c2pa

pytestmark = pytest.mark.e2e
FRAMES = 30
RECIPIENT = "the registry of tremor, role 7"


Command = Callable[..., Done]


@pytest.fixture(scope="module")
def deid_audit(warm: WarmCommand) -> Command:
    return warm.run


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Subject and donor at half size."""
    folder = tmp_path_factory.mktemp("clips")
    found = []
    for path in write_demo_clips(folder, SilentProgress(), seconds=FRAMES / 25):
        small = (cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for image in pictures(path))
        found.append(encode(folder / f"small-{path.name}", small))
    return found[0], found[1]


def pictures(path: Path, *, every: int = 1) -> Iterator[np.ndarray]:
    for frame in read_frames(open_video(path, label="clip")):
        if frame.index % every == 0:
            yield frame.image_rgb


def encode(path: Path, images: Iterator[np.ndarray], *, rate: int = 25) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "16", "preset": "ultrafast"})
        for image in images:
            if not stream.codec_context.is_open:
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def covered(
    deid_audit: Command, clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict]:
    """A covered video with its certificate."""
    folder = tmp_path_factory.mktemp("covered")
    answers = tmp_path_factory.mktemp("answers") / "jane-doe.toml"
    answers.write_text(f'recipient = "{RECIPIENT}"\nvalid_until = 2099-12-31\n')
    done = deid_audit(
        *("conceal", clips[0], "--out", folder / "covered.mp4", "--certificate", folder / "case"),
        *("--case-id", "c1", "--context", answers, "--json"),
        *marked_with(answers.parent),
    )
    assert done.status == 0, done.stderr
    return folder, document_in(done.stdout)


def test_every_face_is_covered_and_the_certificate_says_by_whom(
    deid_audit: Command, covered: tuple[Path, dict], clips: tuple[Path, Path]
) -> None:
    folder, result = covered
    assert result["frames"]["concealed"] == FRAMES
    assert result["audit"]["verdict"] == "PASSED"
    assert sorted(path.name for path in folder.iterdir()) == ["case", "covered.mp4"]
    assert (folder / "case" / "release" / "data" / "c1-01.mp4").read_bytes() == (folder / "covered.mp4").read_bytes()
    assert "Every face that was found" in (folder / "case" / "release" / "README.txt").read_text()
    statement = document_in((folder / "case" / "evidence.json").read_text())["predicate"]
    assert statement["kind"] == "conceal"
    assert statement["stages"][0]["stage"] == "covering" and "mask" in statement["stages"][0]["method"]
    stages = {stage["stage"]: stage["settings"] for stage in statement["stages"]}
    assert "independent_search_s" in stages["residue"] and "known_faces_s" in stages["audit of the audit"]
    assert {row["metric"]: row["value"] for row in statement["measurements"]}["audit.looks"] == 1
    assert "mmod_human_face_detector" not in {model["name"] for model in statement["models"]}  # it took no part
    rows = [row for row in statement["measurements"] if row["metric"].startswith("keypoints.")]
    not_asked = {row["of"] for row in rows if row["not_measured_because"] == "the policy does not ask for it"}
    assert not_asked == {"masked", "blurred", "pixelated"}  # no rule of `concealment` is about keypoints
    assert {row["of"] for row in rows if row["value"] is not None} >= {"swapped", "reencoded"}
    before, after = (np.stack(list(pictures(path, every=10))) for path in (clips[0], folder / "covered.mp4"))
    assert after[:, 75:100, 120:150].max() < 40  # the face is black
    assert np.abs(before.astype(int) - after)[:, 350:].mean() < 3  # the body is as it was
    certificate = folder / "case" / "certificate.pdf"
    assert deid_audit("verify", certificate, "--trust", folder / "case" / "signer.crt").status == 0


def test_the_covered_video_carries_the_mark_that_its_statement_names(covered: tuple[Path, dict]) -> None:
    require_c2pa()
    folder, _ = covered
    statement = document_in((folder / "case" / "evidence.json").read_text())["predicate"]
    store = read_mark(folder / "covered.mp4")
    [manifest] = store["manifests"].values()
    assert store["validation_state"] == "Valid" and "title" not in manifest
    [action] = next(one["data"]["actions"] for one in manifest["assertions"] if one["label"] == "c2pa.actions.v2")
    assert action["digitalSourceType"] == statement["media_mark"]["digital_source_type"]
    assert action["digitalSourceType"].endswith("/algorithmicallyEnhanced")
    assert statement["media_mark"]["signer"]["name"] == "Media, The hospital"
    assert "C2PA manifest" in statement["stages"][0]["method"]
    [residue] = [one["value"] for one in statement["measurements"] if one["metric"] == "residue.metadata_keys"]
    assert residue == 0
    pages = "".join(page.extract_text() for page in pypdf.PdfReader(folder / "case" / "certificate.pdf").pages)
    assert statement["media_mark"]["signer"]["fingerprint_sha256"] in "".join(pages.split())


def test_answers_stand_in_statement_and_certificate_and_nowhere_else(covered: tuple[Path, dict]) -> None:
    folder, result = covered
    [validity] = result["audit"]["answers"]  # `concealment` asks nothing; a stated validity is judged all the same
    assert (validity["outcome"], validity["answer"]) == ("PASSED", "2099-12-31")
    statement = document_in((folder / "case" / "evidence.json").read_text())["predicate"]
    assert {one["field"]: one["answer"] for one in statement["context"]} == {
        "valid_until": "2099-12-31",
        "recipient": RECIPIENT,
    }
    pages = "".join(page.extract_text() for page in pypdf.PdfReader(folder / "case" / "certificate.pdf").pages)
    assert "".join(f"Recipient: {RECIPIENT}".split()) in "".join(pages.split())
    found = {path.name for path in folder.rglob("*") if path.is_file() and RECIPIENT.encode() in path.read_bytes()}
    assert found == {"evidence.json"}  # the certificate's pages are compressed, the attestation is base64
    named = [path for path in folder.rglob("*") if path.is_file() and b"jane-doe" in path.read_bytes()]
    assert named == [] and "jane-doe" not in pages


def test_the_audit_of_a_covered_video_by_the_release_policy_withholds_it(
    deid_audit: Command, covered: tuple[Path, dict], clips: tuple[Path, Path], tmp_path: Path
) -> None:
    done = deid_audit(
        *("audit", "--original", clips[0], "--released", covered[0] / "covered.mp4", "--donor", clips[1]),
        *("--out", tmp_path / "out", "--json"),
    )
    assert done.status == 3, done.stderr
    result = document_in(done.stdout)
    assert result["schema"] == "deid-audit/audit/v1" and result["released"] == []
    outcomes = {finding["rule"]["metric"]: finding["outcome"] for finding in result["findings"]}
    assert outcomes["coverage.concealed_share"] == "FAILED"
    assert outcomes["residue.subject_faces"] == "PASSED" == outcomes["coverage.undecided"]
    assert outcomes["identity.to_original.mean"] == "INDETERMINATE"
    statement = document_in((tmp_path / "out" / "evidence.json").read_text())["predicate"]
    assert statement["kind"] == "audit" and "not known" in str(statement["measurements"])
    assert any("How the released video was made" in line for line in statement["not_assessed"])
    assert len(statement["donors"]) == 1


def test_a_copy_that_protects_nobody_fails_by_every_frame(
    deid_audit: Command, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    copy = encode(tmp_path / "copy.mp4", pictures(clips[0]))
    done = deid_audit("audit", "--original", clips[0], "--released", copy, "--out", tmp_path / "out", "--json")
    assert done.status == 3, done.stderr
    findings = {finding["rule"]["metric"]: finding for finding in document_in(done.stdout)["findings"]}
    assert findings["coverage.undecided"]["observed"] == FRAMES
    assert findings["residue.subject_faces"]["observed"] == FRAMES
    assert findings["identity.to_original.mean"]["observed"] < 0.3
    ledger = (tmp_path / "out" / "audit" / "frames.csv").read_text()
    assert ledger.count("matches the original") == FRAMES


def test_one_frame_left_as_it_was_and_three_with_somebody_else_fail_a_video_that_passed_without_them(
    deid_audit: Command, covered: tuple[Path, dict], clips: tuple[Path, Path], tmp_path: Path
) -> None:
    """Where nothing was planted, the same video passes the same policy: see the test of the covered video."""
    images, donor = list(pictures(covered[0] / "covered.mp4")), next(pictures(clips[1]))
    images[5] = next(image for at, image in enumerate(pictures(clips[0])) if at == 5)
    for late in (10, 11, 12):
        images[late][360:470, 10:120] = donor[35:145, 80:190]
    leaky = encode(tmp_path / "leaky.mp4", iter(images))
    done = deid_audit(
        *("audit", "--original", clips[0], "--released", leaky, "--policy", "concealment"),
        *("--out", tmp_path / "out", "--json"),
    )
    assert done.status == 3, done.stderr
    findings = {finding["rule"]["metric"]: finding for finding in document_in(done.stdout)["findings"]}
    assert findings["coverage.undecided"]["observed"] == 1
    assert findings["residue.unaccounted_faces"]["observed"] == 4
    statement = document_in((tmp_path / "out" / "evidence.json").read_text())["predicate"]
    [video] = statement["ledger"]["videos"]
    assert video["states"] == {"concealed": FRAMES - 1, "undecided": 1, "swapped": 0, "clear": 0, "reviewed": 0}
    rows = (tmp_path / "out" / "audit" / "frames.csv").read_bytes()
    assert statement["ledger"]["sha256"] == hashlib.sha256(rows).hexdigest()
    assert "fine picture left" in rows.decode()


def test_frames_that_do_not_pair_up_are_an_error_that_says_what_differs(
    deid_audit: Command, clips: tuple[Path, Path], covered: tuple[Path, dict], tmp_path: Path
) -> None:
    half = encode(tmp_path / "half.mp4", pictures(covered[0] / "covered.mp4", every=2), rate=12)
    asked = ("audit", "--original", clips[0], "--released", half, "--policy", "concealment")
    refused = deid_audit(*asked, "--out", tmp_path / "out")
    assert refused.status == 1
    assert f"has {FRAMES // 2} frames" in refused.stderr and "--align" in refused.stderr
    small = encode(tmp_path / "small.mp4", (cv2.resize(image, (136, 240)) for image in pictures(clips[0])))
    wrong = deid_audit("audit", "--original", clips[0], "--released", small, "--out", tmp_path / "out")
    assert wrong.status == 1 and "is 136x240" in wrong.stderr and "Traceback" not in wrong.stderr
    fewer = deid_audit("audit", "--original", clips[0], *asked[3:], "--original", clips[1], "--out", tmp_path / "out")
    assert fewer.status == 2 and "2 originals and 1 released" in fewer.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half.mp4", "small.mp4"]
    # 12 frames a second are not quite half of 25, so pairing by time leaves out a frame here and there
    aligned = deid_audit(*asked, "--align", "--out", tmp_path / "out", "--json")
    assert aligned.status == 0, aligned.stderr
    statement = document_in((tmp_path / "out" / "evidence.json").read_text())["predicate"]
    pairing = next(stage for stage in statement["stages"] if stage["stage"] == "pairing")
    assert pairing["settings"]["align"] is True
    assert pairing["settings"]["original_frames_not_compared"] == FRAMES // 2


def test_a_video_without_a_face_is_not_called_covered(deid_audit: Command, tmp_path: Path) -> None:
    grey = encode(tmp_path / "grey.mp4", (np.full((240, 320, 3), 9 * shade, np.uint8) for shade in range(12)))
    done = deid_audit("conceal", grey, "--out", tmp_path / "out.mp4")
    assert done.status == 3 and "no face was found" in done.stderr
    for arguments, words in (
        (("--out", tmp_path / "out.avi"), "must end in .mp4"),
        (("--out", grey), "exists already"),
        (("--out", tmp_path / "out.mp4", "--method", "smear"), "--method"),
    ):
        refused = deid_audit("conceal", grey, *arguments)
        assert refused.status == 2 and words in refused.stderr and "Traceback" not in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["grey.mp4"]


def test_a_photo_says_whose_certificate_it_is_where_two_people_are_seen(
    deid_audit: Command, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    def side_by_side(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        below = left.shape[0] - right.shape[0]
        return np.hstack((left, cv2.copyMakeBorder(right, 0, below, 0, 0, cv2.BORDER_REPLICATE)))

    pairs = zip(pictures(clips[0], every=3), pictures(clips[1], every=3), strict=True)
    together = encode(tmp_path / "together.mp4", (side_by_side(*pair) for pair in pairs))
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), cv2.cvtColor(next(pictures(clips[1])), cv2.COLOR_RGB2BGR))
    asked = ("conceal", together, "--out", tmp_path / "out.mp4", "--certificate", tmp_path / "case")
    unclear = deid_audit(*asked)
    assert unclear.status == 3 and "two people could be the subject" in unclear.stderr
    assert "--subject-photo" in unclear.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png", "together.mp4"]
    done = deid_audit(*asked, "--subject-photo", photo)
    assert done.status == 0, done.stderr
    statement = json.loads((tmp_path / "case" / "evidence.json").read_text())["predicate"]
    faces = next(stage for stage in statement["stages"] if stage["stage"] == "faces")
    assert faces["settings"]["subject_named_by"].startswith("a photo")
    with (tmp_path / "case" / "audit" / "frames.csv").open(newline="") as ledger:
        rows = list(csv.DictReader(ledger))
    subject = [row for row in rows if row["subject"] == "yes"]
    assert len(subject) == FRAMES // 3 and all(float(row["x0"]) > 270 for row in subject)  # the one on the right
    assert len(rows) == 2 * (FRAMES // 3)
