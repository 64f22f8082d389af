"""README's commands, typed as they stand there, in order, on short made clips of the names that it uses.

Each block of commands has a folder of its own. `--iterations 3` is added where a command trains, or this would take
many minutes; so few steps and frames do not meet `release` and `external`, hence status 3. Commands of `make` are dry
runs: they would install, and run these tests inside themselves. The URL in one of them stands for an index.
"""

import inspect
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from deid_audit.cli.demo import demo
from deid_audit.frames import Image
from tests.e2e.short_clips import pictures_of, write_pictures

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
STATUS = {"run": 3, "audit": 3, "conceal": 0, "verify": 0, "keys new": 0, "donor prepare": 0}
TRAINS = ("run", "donor prepare")
FEW = 12
# What a dry run must show for each target that README names.
TARGETS = {"demo": "bin/deid-audit demo\n", "test": "bin/python -m pytest "}


def lines_of(block: str) -> list[str]:
    """The commands of a block, without comments; a line that ends with a backslash goes on."""
    lines = (re.sub(r"(^|\s+)#.*", "", line) for line in block.replace("\\\n", " ").splitlines())
    return [line for line in lines if line.strip()]


BLOCKS = [lines_of(text) for language, text in FENCED if language == "sh"]
TYPED = [(number, line) for number, lines in enumerate(BLOCKS) for line in lines]
MADE = [line for _, line in TYPED if line.startswith("make ")]
RUN = [(number, line) for number, line in TYPED if line not in MADE]


def name_of(line: str) -> str:
    """`keys new` of `deid-audit keys new --out keys`; an AssertionError for a command that this test does not know."""
    known = [name for name in STATUS if line.startswith(f"deid-audit {name} ")]
    assert known, f"README has a new command; say in this test how it must end: {line}"
    return known[0]


def typed(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a shell in this folder makes of the line; `deid-audit` is the one installed beside this interpreter."""
    more = " --iterations 3" if name_of(line) in TRAINS else ""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return subprocess.run(
        ["sh", "-c", line + more],
        cwd=folder,
        env=os.environ | {"PATH": path, "DEID_AUDIT_PASSPHRASE": "three quiet words"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def dry(line: str) -> subprocess.CompletedProcess[str]:
    """What `make` would do in a fresh clone: with a virtual environment that is not there, and no outer make."""
    own = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    words = ["sh", "-c", f"{line} --dry-run VENV=.venv-of-nobody"]
    return subprocess.run(words, cwd=ROOT, env=own, capture_output=True, text=True, check=False, timeout=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended, and in which folder."""

    folder: Path
    done: subprocess.CompletedProcess[str]


def write_videos(folder: Path, subject: list[Image], donor: list[Image]) -> None:
    """The videos that README names: two of the subject, one of the donor, and a copy that another tool has blurred."""
    folder.mkdir()
    write_pictures(folder / "S1.mp4", subject)
    write_pictures(folder / "S2.mp4", subject[FEW - 1 :: -1])
    write_pictures(folder / "D1.mp4", donor)
    write_pictures(folder / "R1.mp4", [cv2.blur(picture, (41, 41)) for picture in subject])


def hand_over(case: Path, folder: Path) -> None:
    """What a board receives: certificate and attestation, the released files and the issuer's certificate."""
    for name in ("certificate.pdf", "attestation.dsse.json", "signer.crt"):
        shutil.copy(case / name, folder)
    shutil.copytree(case / "release", folder / "release")


@pytest.fixture(scope="module")
def ended(clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str], Ended]:
    """Every command, run; a block finds the videos in its folder, and what an earlier block has released.

    Where nothing is trained a few frames are enough.
    """
    videos, top = tmp_path_factory.mktemp("videos"), tmp_path_factory.mktemp("readme")
    subject, donor = (pictures_of(path) for path in clips)
    write_videos(videos / "all", subject, donor)
    write_videos(videos / "few", subject[:FEW], donor[:FEW])
    found = {}
    for number in dict(RUN):
        lines = [line for block, line in RUN if block == number]
        folder = top / f"block-{number}"
        released = sorted(top.glob("*/*/release"))
        shutil.copytree(videos / ("all" if any(name_of(line) in TRAINS for line in lines) else "few"), folder)
        if released:
            hand_over(released[0].parent, folder)
        for line in lines:
            found[number, line] = Ended(folder=folder, done=typed(line, folder))
    return found


@pytest.mark.parametrize("typing", RUN, ids=lambda typing: typing[1])
def test_a_command_does_what_readme_says(ended: dict[tuple[int, str], Ended], typing: tuple[int, str]) -> None:
    line, one = typing[1], ended[typing]
    assert one.done.returncode == STATUS[name_of(line)], one.done.stderr
    assert one.done.stdout
    assert not re.search("Traceback|internal error|error: ", one.done.stdout + one.done.stderr)
    made = re.findall(r"--(?:out|certificate) (\S+)", line)
    assert [name for name in made if not (one.folder / name).exists()] == []
    assert list(one.folder.rglob("*.partial")) == []


def test_the_commands_of_readme_hang_together(ended: dict[tuple[int, str], Ended]) -> None:
    """What is withheld is said to be, the check that is printed works, and the key made is the one that signs."""
    runs = [one for (_, line), one in ended.items() if name_of(line) == "run"]
    [check] = re.findall(r"check it with (.*)", runs[0].done.stdout)
    assert typed(check, runs[0].folder).returncode == 3
    assert [path.name for path in (runs[0].folder / "OUT").rglob("*.mp4") if path.parent.name != "withheld"] == []
    assert len(list((runs[0].folder / "OUT" / "withheld").glob("*.mp4"))) == 2
    [keys] = [one for (_, line), one in ended.items() if name_of(line) == "keys new"]
    assert (keys.folder / "OUT" / "signer.crt").read_bytes() == (keys.folder / "keys" / "signer.crt").read_bytes()


@pytest.mark.parametrize("line", MADE)
def test_a_target_of_make_does_what_readme_says(line: str) -> None:
    done = dry(line)
    assert done.returncode == 0, done.stderr
    assert TARGETS[line.split()[1]] in done.stdout
    installs = [step for step in done.stdout.splitlines() if re.search(r"-m pip .*install", step)]
    given = re.search(r'PIP_ARGS="(.*)"', line)
    assert installs and all(given is None or given[1] in step for step in installs)


def test_what_readme_says_beside_a_target_holds() -> None:
    assert "make demo    # the main job on two made-up clips; ends with a certificate in deid-audit-demo/\n" in README
    assert inspect.signature(demo).parameters["out"].default == Path("deid-audit-demo")


def test_every_command_is_found() -> None:
    assert len(TYPED) >= 8 and {name_of(line) for _, line in RUN} == set(STATUS)
    elsewhere = [line for language, text in FENCED if language != "sh" for line in text.splitlines()]
    assert [line for line in elsewhere if re.match(r"\$|make |deid-audit ", line)] == []


def test_a_command_that_cannot_work_or_is_not_known_is_noticed(tmp_path: Path) -> None:
    assert lines_of("a  # b\n\n# c\nd \\\n  e\n") == ["a", "d    e"]
    for line in ("deid-audit approve case.pdf", "sha256sum -c manifest-sha256.txt", "deid-audit keys remove"):
        with pytest.raises(AssertionError, match="new command"):
            name_of(line)
    assert typed("deid-audit verify certificate.pdf --relase release", tmp_path).returncode == 2
    assert dry("make demonstration").returncode != 0
