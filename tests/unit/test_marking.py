"""Marked videos, read by C2PA's own reader: what it says and leaves out, when it holds, what stays as it was."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deid_audit import __version__
from deid_audit.certificate.key_files import as_pem
from deid_audit.certificate.keys import describe_certificate, ephemeral_signer
from deid_audit.certificate.media_keys import MediaSigner
from deid_audit.certificate.profiles import usage_of
from deid_audit.errors import SettingsError, SignatureError, VideoError
from deid_audit.pipeline import rounds
from deid_audit.pipeline.marking import Marker, marker_for
from deid_audit.pipeline.voicing import Voice
from deid_audit.progress import SilentProgress
from deid_audit.timing import Timer
from deid_audit.video import marking
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.sound import SoundTrack
from deid_audit.video.writer import check_same_timing, leftover_metadata_keys, write_video
from deid_audit.voice.masking import MaskParameters
from tests.unit.made_sounds import spoken, video_with_sound
from tests.unit.made_videos import make_video
from tests.unit.media_keys import media_signer, read_mark, require_c2pa

TIMES = (0, 40, 85, 120, 200, 233, 280, 320, 361, 400)  # a variable rate
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.fixture
def written(tmp_path: Path) -> tuple[SourceVideo, Path]:
    """A source, and the film that the project's writer made of it."""
    source = open_video(make_video(tmp_path / "source.mp4", TIMES, tags={"title": "Jane-Sentinel"}), label="source")
    path = tmp_path / "c1-01.mp4"
    write_video(path, read_frames(source), like=source)
    return source, path


def marker(kind: Any = "swap", signer: MediaSigner | None = None) -> Marker:
    made = marker_for(kind, signer or media_signer())
    assert made is not None
    return made


def failures(store: dict[str, Any]) -> list[str]:
    return [one["code"] for one in store["validation_results"]["activeManifest"]["failure"]]


def issuers() -> bytes:
    """What a reader of the videos is given: signer.crt of the media key."""
    return as_pem(media_signer().certificate, *media_signer().chain)


@pytest.mark.parametrize(
    ("kind", "source_type"), [("swap", "compositeSynthetic"), ("conceal", "algorithmicallyEnhanced")]
)
def test_the_reader_trusts_the_mark_and_finds_the_source_type(
    written: tuple[SourceVideo, Path], kind: str, source_type: str
) -> None:
    require_c2pa()
    made = marker(kind)
    made.mark(written[1], label="released video 1", title="c1-01.mp4")
    store = read_mark(written[1], trusted=issuers())
    assert store["validation_state"] == "Trusted" and not failures(store)
    [manifest] = store["manifests"].values()
    [actions] = [one["data"]["actions"] for one in manifest["assertions"] if one["label"] == "c2pa.actions.v2"]
    [action] = actions
    assert (action["action"], action["digitalSourceType"]) == ("c2pa.created", IPTC + source_type)
    assert made.record.digital_source_type == action["digitalSourceType"]
    assert made.record.signer == media_signer().info
    assert manifest["claim_generator_info"][0].items() >= {"name": "deid-audit", "version": __version__}.items()
    assert manifest["title"] == "c1-01.mp4"


def test_only_who_knows_the_issuer_trusts_it(written: tuple[SourceVideo, Path]) -> None:
    require_c2pa()
    marker().mark(written[1], label="released video 1")
    store = read_mark(written[1], trusted=as_pem(ephemeral_signer(datetime.now(UTC)).certificate))
    assert store["validation_state"] == "Valid" and failures(store) == ["signingCredential.untrusted"]


def test_the_mark_names_no_original_no_picture_and_no_time(written: tuple[SourceVideo, Path]) -> None:
    require_c2pa()
    marker().mark(written[1], label="released video 1")
    [manifest] = read_mark(written[1])["manifests"].values()
    assert {one["label"] for one in manifest["assertions"]} == {"c2pa.actions.v2", "c2pa.hash.bmff.v3"}
    assert not {"ingredients", "thumbnail", "title"} & set(manifest)
    assert "time" not in manifest["signature_info"]
    text = json.dumps(manifest)
    assert not any(word in text for word in ("when", "Sentinel", "source.mp4", str(written[1].parent)))
    assert b"Sentinel" not in written[1].read_bytes()


def test_frames_instants_and_tags_are_as_before(written: tuple[SourceVideo, Path]) -> None:
    require_c2pa()
    source, path = written
    before = open_video(path, label="before")
    frames = [frame.image_rgb for frame in read_frames(before)]
    size = path.stat().st_size
    marker().mark(path, label="released video 1", title="c1-01.mp4")
    assert 0 < path.stat().st_size - size < 10_000
    after = open_video(path, label="after")
    check_same_timing(source, after)
    assert (after.pts, after.time_base, after.facts.inventory) == (before.pts, before.time_base, before.facts.inventory)
    assert leftover_metadata_keys(after.facts) == ()
    assert all(np.array_equal(a, b.image_rgb) for a, b in zip(frames, read_frames(after), strict=True))
    assert sorted(one.name for one in path.parent.iterdir()) == ["c1-01.mp4", "source.mp4"]


def test_a_turned_bit_is_a_mismatch_and_a_remux_drops_the_mark(written: tuple[SourceVideo, Path]) -> None:
    require_c2pa()
    import c2pa  # noqa: PLC0415

    path = written[1]
    marker().mark(path, label="released video 1")
    data = bytearray(path.read_bytes())
    data[-100] ^= 1  # in the pictures: the mark stands before them
    changed = path.with_name("changed.mp4")
    changed.write_bytes(data)
    assert failures(read_mark(changed)) == ["assertion.bmffHash.mismatch"]
    assert read_mark(changed)["validation_state"] == "Invalid"
    remuxed = path.with_name("remuxed.mp4")
    with av.open(str(path)) as source, av.open(str(remuxed), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    with pytest.raises(c2pa.C2paError, match="ManifestNotFound"):
        read_mark(remuxed)


def test_the_same_film_is_marked_with_other_bytes_each_time(written: tuple[SourceVideo, Path]) -> None:
    require_c2pa()
    path = written[1]
    copy = path.with_name("copy.mp4")
    copy.write_bytes(path.read_bytes())
    for one in (path, copy):
        marker().mark(one, label="released video 1", title="c1-01.mp4")
    assert path.read_bytes() != copy.read_bytes()  # what the documents and the statement say


def test_a_film_that_cannot_be_marked_stays_as_it_was(written: tuple[SourceVideo, Path], tmp_path: Path) -> None:
    require_c2pa()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    with pytest.raises(VideoError, match=r"the mark \(--c2pa\) of released video 1 could not be written"):
        marker().mark(broken, label="released video 1")
    assert broken.read_bytes() == b"no film"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["broken.mp4", "c1-01.mp4", "source.mp4"]


def test_a_mark_that_does_not_hold_when_it_is_read_again_is_not_given_out(
    written: tuple[SourceVideo, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    require_c2pa()
    made, before, sign = marker(), written[1].read_bytes(), marking._marked

    def damaged(*given: Any) -> str:
        said = sign(*given)
        given[3].seek(-100, io.SEEK_END)
        given[3].write(b"\0" * 50)
        return said

    monkeypatch.setattr(marking, "_marked", damaged)
    with pytest.raises(VideoError, match=r"assertion\.bmffHash\.mismatch"):
        made.mark(written[1], label="released video 1")
    assert written[1].read_bytes() == before
    assert sorted(one.name for one in written[1].parent.iterdir()) == ["c1-01.mp4", "source.mp4"]


def test_the_documented_way_to_read_a_mark_works(written: tuple[SourceVideo, Path], tmp_path: Path) -> None:
    require_c2pa()
    marker().mark(written[1], label="released video 1")
    text = (Path(__file__).resolve().parents[2] / "docs" / "c2pa.md").read_text(encoding="utf-8")
    (tmp_path / "read.py").write_text(text.split("```python\n")[1].split("```")[0])
    (tmp_path / "signer.crt").write_bytes(issuers())
    asked = [sys.executable, tmp_path / "read.py", written[1], tmp_path / "signer.crt"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Trusted\n") and "compositeSynthetic" in done.stdout


def test_what_a_run_watches_and_listens_to_is_the_marked_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_c2pa()
    source = open_video(video_with_sound(tmp_path / "v.mkv", spoken(2.0, rate=48_000)), label="source")
    voice, seen = Voice(choice="mask", parameters=MaskParameters.draw(seed=1)), list[SourceVideo]()

    def render_video(_: Any, path: Path, *__: Any, sound: SoundTrack, **___: Any) -> None:
        write_video(path, read_frames(source), like=source, sound=sound)

    def observe(_: Any, released: SourceVideo, *__: Any, **___: Any) -> Any:
        seen.append(released)
        return SimpleNamespace(arrays=list)

    stubs = {"render_video": render_video, "observe": observe, "finished_ledger": lambda ledger, observed: []}
    for name, stub in stubs.items():
        monkeypatch.setattr(rounds, name, stub)
    for name in ("part_of", "wipe_arrays_with", "outsider_of"):
        monkeypatch.setattr(rounds, name, lambda *_, **__: None)
    subject: Any = SimpleNamespace(others=(), videos=[SimpleNamespace(source=source)], average=None)
    pair: Any = SimpleNamespace(model=SimpleNamespace(preset=SimpleNamespace(size=64)))
    vault: Any = SimpleNamespace(register_memory=lambda *_: None)
    settings: Any = SimpleNamespace(case_id="c2", burned_in_text="flag", lossless=False)
    nothing: Any = SimpleNamespace(state=lambda: None, forget=lambda pasted: None, seen=[])
    [watched] = rounds.Rounds(
        folder=tmp_path / "rendered", subject=subject, pair=pair, companions=(), settings=settings, engines=nothing,
        canaries=nothing, keypoints=nothing, marker=marker(), voice=voice, vault=vault, progress=SilentProgress(),
        timer=Timer(),
    ).first()  # fmt: skip
    assert seen == [watched.released]
    store = read_mark(watched.released.path, trusted=issuers())
    assert store["validation_state"] == "Trusted"
    assert [one["title"] for one in store["manifests"].values()] == ["c2-01.mp4"]
    assert watched.sound_asked and watched.voice[0].value == 1
    assert len(list(read_frames(watched.released))) == 50  # refused, had the file changed since it was opened


# -- before any work --------------------------------------------------------------------------------------------------


def test_without_the_extra_the_option_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(SettingsError, match="not installed") as caught:
        marker_for("swap", media_signer())
    assert caught.value.next_step == "pip install deid-audit[c2pa]"
    assert marker_for("swap", None) is None  # who asks for no mark needs none


def test_a_library_that_does_not_load_is_told_from_one_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "c2pa.py").write_text("raise RuntimeError('could not load libc2pa_c.so')")
    monkeypatch.delitem(sys.modules, "c2pa", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SettingsError, match="does not load") as caught:
        marker_for("swap", media_signer())
    assert "doctor" in caught.value.next_step


Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def of_a_hospital(key: Key, *usages: x509.ObjectIdentifier, named: bool = True) -> MediaSigner:
    """A media certificate under two authorities, given in the wrong order; unless `named` it does not say whose."""
    now = datetime.now(UTC).replace(microsecond=0)
    root, middle = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def issue(name: str, of: Any, by: str, signed: Any, *, leaf: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
            .public_key(of.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=9))
            .add_extension(x509.BasicConstraints(ca=not leaf, path_length=None), critical=True)
            .add_extension(usage_of("digital_signature") if leaf else usage_of("key_cert_sign"), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(of.public_key()), critical=False)
        )
        if named or not leaf:
            whose = x509.AuthorityKeyIdentifier.from_issuer_public_key(signed.public_key())
            builder = builder.add_extension(whose, critical=False)
        if leaf:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return builder.sign(signed, hashes.SHA256())

    own = issue("Leaf", key, "Middle", middle, leaf=True)
    above = (
        issue("Root", root, "Root", root, leaf=False),
        issue("Middle", middle, "Root", root, leaf=False),
    )
    info = describe_certificate(own, verified_issuer=True)
    return MediaSigner(info=info, certificate=own, chain=above, private_key=key)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "RSA"],
)
def test_keys_of_a_hospital_mark_and_their_root_alone_is_enough_to_trust_them(
    written: tuple[SourceVideo, Path], make: Callable[[], Key]
) -> None:
    require_c2pa()
    signer = of_a_hospital(make(), ExtendedKeyUsageOID.EMAIL_PROTECTION)
    marker("swap", signer).mark(written[1], label="released video 1")
    assert read_mark(written[1], trusted=as_pem(signer.chain[0]))["validation_state"] == "Trusted"


def test_what_c2pa_does_not_take_is_refused_before_any_work() -> None:
    require_c2pa()
    key = ec.generate_private_key(ec.SECP256R1())
    documents = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
    spot = ephemeral_signer(datetime.now(UTC))
    refused = (
        of_a_hospital(key, ExtendedKeyUsageOID.EMAIL_PROTECTION, named=False),  # refused when it signs
        of_a_hospital(key, documents),  # signs, and is refused when it is read
        MediaSigner(info=spot.info, certificate=spot.certificate, chain=(), private_key=spot.private_key),
    )
    for signer in refused:
        with pytest.raises(SignatureError, match="C2PA does not take the media key") as caught:
            marker_for("swap", signer)
        assert "keys new --role media" in caught.value.next_step


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Python's way to a network, shut; the library's own is shut by its settings."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    yield


def test_nothing_is_fetched_and_no_large_film_is_kept_in_a_temporary_file(
    written: tuple[SourceVideo, Path], connections: None
) -> None:
    require_c2pa()
    verify = marking._SETTINGS["verify"]
    assert (verify["remote_manifest_fetch"], verify["ocsp_fetch"]) == (False, False)
    assert marking._SETTINGS["core"]["backing_store_memory_threshold_in_mb"] >= 100_000
    marker().mark(written[1], label="released video 1")


def test_the_credential_keeps_its_key_out_of_its_words() -> None:
    require_c2pa()
    made = marker()
    assert "PRIVATE" in made.credential.private_key_pem.decode()
    assert "PRIVATE" not in repr(made) and "PRIVATE" not in repr(replace(made, kind="conceal"))
