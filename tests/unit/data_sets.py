"""Data sets for tests: a tree of small files under names that must stay in the steward's folder, and its manifest."""

from pathlib import Path

TOML = """schema = 1
title = "A set for tests"
policy = "{policy}"
donors = ["donors/one.mp4"]
iterations = 3
{more}
"""
SUBJECT = """
[[subject]]
name = "{name}"
videos = ["{name}/a.mp4"]
{more}
"""


def write_files(root: Path, *names: str) -> Path:
    """Small files below `root`, each with its own name as its content."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def write_set(
    root: Path, names: list[str], *, policy: str = "release-face", more: str = "", of_subjects: str = ""
) -> Path:
    """dataset.toml with one video a subject; the file's path."""
    write_files(root, "donors/one.mp4", *(f"{name}/a.mp4" for name in names))
    text = TOML.format(policy=policy, more=more)
    text += "".join(SUBJECT.format(name=name, more=of_subjects) for name in names)
    (root / "dataset.toml").write_text(text)
    return root / "dataset.toml"
