"""The folder of videos that a job leaves: a release as a BagIt bag that can be checked without deid-audit, or withheld.

Comes after the verdict, before the statement, which names every file written here. The bag (RFC 8493) holds the videos
and what an RO-Crate says of them under data/, and beside it words for people, a script, and checksums. The same videos,
case and time give the same bytes; no name of a person or an institution is written into them here.
"""

import mimetypes
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import rfc8785

from deid_audit.digests import sha256_file
from deid_audit.evidence import manifest_text
from deid_audit.findings import JobKind, OutputFile
from deid_audit.pipeline.bag import BAG_INFO, DECLARATION, DECLARATION_FILE, MANIFEST, PAYLOAD, TAG_MANIFEST, bag_info
from deid_audit.pipeline.beside import ReleasedBeside
from deid_audit.resources import resource_dir
from deid_audit.settings import AudioChoice

README, METADATA = "README.txt", f"{PAYLOAD}/ro-crate-metadata.json"
Role = Literal["video", "dicom", "keypoints", "readme", "script", "metadata", "manifest"]

_MADE_BY: dict[JobKind, str] = {
    "swap": """The faces in these videos are synthetic. The subject's face was replaced by a donor's with a
model trained for this pair; where no good replacement was possible the face is covered in black.
Other people's faces are covered or replaced, too. {sound} descriptive tags were
removed.{text} Nothing else in the picture was changed.""",
    "conceal": """Every face that was found in these videos is covered. {sound} descriptive tags
were removed.{text} Nothing else in the picture was changed.""",
    "audit": """The faces in these videos were changed or covered by another tool than deid-audit, which compared
them with the originals and judged the result. The videos are byte for byte those it was given.""",
    "reviewed": """The faces in these videos were changed or covered by an earlier job, whose own certificate says how.
People looked at its videos, and what they wanted covered was filled black. Sound, subtitles and
descriptive tags were removed.""",
}
_SOUND: dict[AudioChoice, str] = {
    "drop": "Sound, subtitles and",
    "mask": "The voice is masked; what is said is as it was. Subtitles and",
    "keep": "The sound, with the subject's own voice, is as it was. Subtitles and",
}
_TEXT_COVERED = " Lines of burned-in text were covered."
_README_TEXT = """deid-audit release, case {case_id}

{made_by}

This reduces the risk that the subject is recognised. It does not make the videos anonymous:
hair, body, movement, clothing and surroundings are as they were.

{others}The videos stand in data/. VERIFY.txt says how to check them; the certificate (certificate.pdf, kept
beside this folder) says what was measured and what was not. Check it with:

  deid-audit verify certificate.pdf --release FOLDER --trust signer.crt
"""


_BESIDE = {
    "dicom": """Each .dcm file holds the MP4 file of its name, byte for byte, under a DICOM header that was made
anew: none of its values comes from the original.

""",
    "keypoints": """The keypoints are where the body's joints were found in the released video. They show no
picture, and movement alone can identify a person.

""",
}


def write_withheld(folder: Path, rendered: Sequence[Path]) -> tuple[OutputFile, ...]:
    """Moves the rendered videos to `folder`, which is made: nothing else stands there, since it may not leave."""
    return tuple(_moved(video, folder, video.name) for video in rendered)


def write_release(
    folder: Path,
    rendered: Sequence[Path],
    *,
    case_id: str,
    kind: JobKind,
    issued_at: str,
    audio: AudioChoice = "drop",
    text_covered: bool = False,
    beside: Sequence[ReleasedBeside] = (),
) -> tuple[OutputFile, ...]:
    """Moves the rendered videos to data/ of `folder`, which becomes a BagIt 1.0 bag; gives all files, the videos first.

    `issued_at` is the time that the statement names, ISO 8601 with its offset. `audio` is what the videos carry,
    `text_covered` whether any line of burned-in text was covered in them. `beside` is what is made beside them.
    """
    made_by = _MADE_BY[kind].format(sound=_SOUND[audio], text=_TEXT_COVERED if text_covered else "")
    more = [_made(folder, one) for one in beside]  # before the videos move, which they are made from
    videos = [_moved(video, folder, f"{PAYLOAD}/{video.name}") for video in rendered]
    crate = _crate([*videos, *more], case_id=case_id, description=" ".join(made_by.split()), issued_at=issued_at)
    payload = [*videos, *more, _written(folder, METADATA, rfc8785.dumps(crate), "metadata")]
    others = "".join(_BESIDE[role] for role in dict.fromkeys(one.role for one in beside))
    readme = _README_TEXT.format(case_id=case_id, made_by=made_by, others=others).encode()
    templates, sizes = resource_dir("templates"), [one.size_bytes for one in payload]
    tags = [
        _written(folder, README, readme, "readme"),
        _written(folder, "VERIFY.txt", (templates / "VERIFY.txt").read_bytes(), "readme"),
        _written(folder, "verify.sh", (templates / "verify.sh").read_bytes(), "script"),
        _written(folder, DECLARATION_FILE, DECLARATION, "metadata"),
        _written(folder, BAG_INFO, bag_info(sizes, identifier=case_id, issued_at=issued_at), "metadata"),
        _written(folder, MANIFEST, manifest_text(payload).encode(), "manifest"),
    ]
    return (*payload, *tags, _written(folder, TAG_MANIFEST, manifest_text(tags).encode(), "manifest"))


def _format_of(name: str) -> dict[str, str]:
    """The media type, where the name tells it: an audit hands on whatever container it was given."""
    media_type = mimetypes.guess_type(name)[0]
    return {} if media_type is None else {"encodingFormat": media_type}


def _crate(videos: Iterable[OutputFile], *, case_id: str, description: str, issued_at: str) -> dict[str, Any]:
    """An RO-Crate 1.1 of the videos: what is known of them and no more; nobody here knows a licence or an author."""
    files = [
        {
            "@id": video.name.removeprefix(f"{PAYLOAD}/"),
            "@type": "File",
            "name": video.name.removeprefix(f"{PAYLOAD}/"),
            "contentSize": str(video.size_bytes),
            "sha256": video.sha256,
        }
        | _format_of(video.name)
        for video in videos
    ]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Videos of case {case_id}",
        "description": f"{description} No licence is stated here: ask whoever released them.",
        "datePublished": issued_at,
        "identifier": case_id,
        "hasPart": [{"@id": file["@id"]} for file in files],
    }
    descriptor = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }
    # The context of RO-Crate 1.1 is older than this word of schema.org.
    context = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "http://schema.org/sha256"}]
    return {"@context": context, "@graph": [descriptor, root, *files]}


def _moved(video: Path, folder: Path, name: str) -> OutputFile:
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    video.rename(target)
    return _described(folder, name, "video")


def _made(folder: Path, one: ReleasedBeside) -> OutputFile:
    (folder / PAYLOAD).mkdir(parents=True, exist_ok=True)
    one.write(folder / PAYLOAD / one.name)
    return _described(folder, f"{PAYLOAD}/{one.name}", one.role)


def _written(folder: Path, name: str, data: bytes, role: Role) -> OutputFile:
    (folder / name).write_bytes(data)
    return _described(folder, name, role)


def _described(folder: Path, name: str, role: Role) -> OutputFile:
    path = folder / name
    return OutputFile(name=name, sha256=sha256_file(path), size_bytes=path.stat().st_size, role=role)
