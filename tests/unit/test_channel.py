"""What goes through a channel: whole messages, arrays without a copy in the message, and errors as they were."""

import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from deid_audit.errors import DeidAuditError, NotEnoughFaces, SettingsError
from deid_audit.pipeline.channel import Channel, Failed, HungUp


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), Channel(theirs), ours


def passed(ends: tuple[Channel, Channel, socket.socket], message: object) -> object:
    """Sent by a thread: a message may be larger than what the system holds for a reader."""
    sender = threading.Thread(target=ends[0].send, args=(message,))
    sender.start()
    got = ends[1].receive()
    sender.join()
    return got


def test_arrays_arrive_equal_writable_and_their_bytes_are_not_in_the_message(
    ends: tuple[Channel, Channel, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[bytes] = []
    whole = Channel._exactly

    def watched(self: Channel, size: int) -> bytearray:
        heads.append(bytes(data := whole(self, size)))
        return data

    monkeypatch.setattr(Channel, "_exactly", watched)
    rng = np.random.default_rng(0)
    small, large = rng.integers(0, 255, (80, 80, 3), np.uint8), rng.random((400, 956)).astype(np.float32)
    fortran, nothing = np.asfortranarray(rng.random((7, 5))), np.empty((0, 128), np.float32)
    sent = {"small": small, "large": large, "fortran": fortran, "nothing": nothing, "n": 3}
    got = passed(ends, sent)
    assert isinstance(got, dict) and got["n"] == 3
    for name, array in sent.items():
        if isinstance(array, np.ndarray):
            np.testing.assert_array_equal(got[name], array)
            assert got[name].dtype == array.dtype and got[name].flags.writeable
    head = heads[2]  # after the count and the lengths
    assert len(head) < 2000 and small[0].tobytes() not in head and large[0].tobytes() not in head


def test_many_messages_stay_in_order(ends: tuple[Channel, Channel, socket.socket]) -> None:
    for number in range(50):
        ends[0].send(("one", number))
    assert [ends[1].receive() for _ in range(50)] == [("one", number) for number in range(50)]


def test_an_end_that_is_gone_is_told(ends: tuple[Channel, Channel, socket.socket]) -> None:
    ends[0].send("a last word")
    ends[2].close()
    assert ends[1].receive() == "a last word"
    with pytest.raises(HungUp):
        ends[1].receive()
    with pytest.raises(HungUp):
        ends[1].send("nobody")


def test_a_message_that_was_cut_off_is_none(ends: tuple[Channel, Channel, socket.socket]) -> None:
    ends[2].sendall(b"\x01\x00\x00")
    ends[2].close()
    with pytest.raises(HungUp):
        ends[1].receive()


@pytest.mark.parametrize("kind", [NotEnoughFaces, SettingsError, DeidAuditError])
def test_an_error_of_ours_keeps_class_words_next_step_and_status(kind: type[DeidAuditError]) -> None:
    again = Failed.of(kind("what", next_step="do this")).as_error()
    assert (type(again), str(again)) == (kind, "what")
    assert isinstance(again, DeidAuditError)
    assert (again.next_step, again.exit_code) == ("do this", kind.exit_code)
