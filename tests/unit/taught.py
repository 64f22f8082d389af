"""The training process in a thread of the test's own: all of it but the process, so that a test can put parts in."""

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from deid_audit.findings import ErasureCheck
from deid_audit.pipeline import training_process
from deid_audit.pipeline.channel import Channel
from deid_audit.pipeline.resuming import Resuming
from deid_audit.pipeline.trainee import answer
from deid_audit.pipeline.training_process import TrainingProcess
from deid_audit.vault import Vault
from deid_audit.vault.key import SecretKey
from tests.unit.vault_building import new_vault


class InAThread:
    """Stands for `vault.Child`; ends when it is hung up on."""

    def __init__(self, module: str, keys: Sequence[int]) -> None:
        assert module == "deid_audit.pipeline.trainee"
        self.pid = os.getpid()
        self.socket, theirs = socket.socketpair()
        lent = [SecretKey.lent_by(os.dup(key)) for key in keys]
        self._thread = threading.Thread(target=self._answer, args=(theirs, lent), daemon=True)
        self._thread.start()

    def _answer(self, theirs: socket.socket, keys: Sequence[SecretKey]) -> None:
        with theirs:
            self._status = answer(Channel(theirs), keys)

    def status(self) -> int:
        self._thread.join(30)
        return self._status

    def kill(self) -> int:
        self.socket.close()
        return self.status()

    def ended(self) -> ErasureCheck:
        return ErasureCheck(check="a thread ended", holds=self.kill() == 0, observed="it did")


@contextmanager
def taught_in_a_thread(
    monkeypatch: pytest.MonkeyPatch, folder: Path, resuming: Resuming | None = None
) -> Iterator[tuple[Vault, TrainingProcess]]:
    """A vault, and the training process of it."""
    monkeypatch.setattr(training_process, "Child", InAThread)
    facts: Any = {"device": "cpu", "threads": torch.get_num_threads()}
    with new_vault(folder) as vault, TrainingProcess(vault, resuming, **facts) as trainee:
        yield vault, trainee
