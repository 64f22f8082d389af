"""When is a case done already: one digest of all that makes its result, by content and never by name.

Digests are keyed with the set's own key: a plain hash of an original would link it to whoever holds that original.
"""

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rfc8785

from deid_audit import __version__
from deid_audit.errors import DataSetError
from deid_audit.policy import load_policy
from deid_audit.settings import RunSettings
from deid_audit.video.places import keyed_digest_of, path_from

_PATHS = frozenset(
    {"subjects", "donors", "subject_photo", "context", "strangers", "attacker", "keypoints", "policy", "signer"}
)
_ELSEWHERE = frozenset({"out", "case_id", "force", "log", "passphrase_file", "profile", "other_donors"})


class Digests:
    """Digests under one key, each file read once for all cases that name it."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[Path, str] = {}

    def of_case(self, settings: RunSettings, what: str) -> str:
        """The digest of a case's videos, donors, settings, policy and tool; `what` names it in a message.

        Where its output goes, who signs and which log is kept are not part of it: signing again needs no other run.

        Raises:
            DataSetError: a file cannot be read.
        """
        plain = settings.model_dump(mode="json", exclude=set(_PATHS | _ELSEWHERE))
        keypoints = settings.keypoints
        try:
            table: dict[str, Any] = {
                "tool": __version__,
                "settings": plain,
                "policy": load_policy(settings.policy).sha256,
                "subjects": [self._file(path) for path in settings.subjects],
                "donors": [self._file(path) for path in settings.donors],
                "photo": self._all([] if settings.subject_photo is None else [settings.subject_photo]),
                "context": self._all([] if settings.context is None else [settings.context]),
                "strangers": self._all([] if settings.strangers is None else _below(settings.strangers)),
                "keypoints": [keypoints.backend, *self._all([] if keypoints.path is None else _below(keypoints.path))],
            }
        except OSError as error:
            why = error.strerror or "input/output error"
            raise DataSetError(f"{what}: a file cannot be read: {why}", next_step="look with: dataset check") from None
        return self._keyed(rfc8785.dumps(table))

    def of_set(self, cases: Iterable[str], different_people: Any) -> str:
        """What a check of the whole set was about: all cases' inputs, and whom the steward knows to be two."""
        return self._keyed(rfc8785.dumps({"cases": list(cases), "apart": different_people}))

    def _all(self, paths: Iterable[Path]) -> list[str]:
        return [self._file(path) for path in paths]

    def _file(self, path: Path) -> str:
        place = path_from(Path.cwd(), str(path))
        if place not in self._known:
            self._known[place] = keyed_digest_of(place, "an input", self._key)
        return self._known[place]

    def _keyed(self, data: bytes) -> str:
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()


def _below(path: Path) -> list[Path]:
    """A file itself, or all files of a folder in the order of their names."""
    return sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
