"""What unit tests share: one thread, two real people's faces, a store in memory."""

from collections.abc import Iterator

import fsspec
import pytest
import torch

from deid_audit.swap.train import Faces, Priors
from tests.conftest import Portraits
from tests.unit.swap_faces import face_set_of, prior_of


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Nets as small as these lose more by waiting for a second thread than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pair(portraits: Portraits) -> Faces:
    return {"subject": face_set_of(portraits.hopper), "donor": face_set_of(portraits.astronaut)}


@pytest.fixture(scope="module")
def priors(portraits: Portraits) -> Priors:
    return {"subject": prior_of(portraits.hopper), "donor": prior_of(portraits.astronaut)}


@pytest.fixture
def memory_store() -> Iterator[fsspec.AbstractFileSystem]:
    """An empty `memory://`; there is one for the whole process."""
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
