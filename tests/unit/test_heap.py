"""Pieces of pages: nobody has another's bytes, and what nobody holds any more is given back."""

import gc
import threading
import weakref

import numpy as np
import pytest

from deid_audit import frames, heap
from deid_audit.frames import packed_place
from deid_audit.heap import Pages, few_heaps


def test_pieces_do_not_overlap_and_begin_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_BLOCK", 4096)
    pages = Pages()
    sizes = [1, 16, 17, 1466, 4000, 3, 4096, 5]
    pieces = [pages.take(size) for size in sizes]
    for value, (piece, size) in enumerate(zip(pieces, sizes, strict=True)):
        assert len(piece) == size and not piece.any() and piece.ctypes.data % 16 == 0
        piece.fill(value + 1)
    assert [set(piece.tolist()) for piece in pieces] == [{value + 1} for value in range(len(sizes))]


def test_threads_get_pieces_of_their_own() -> None:
    pages, taken = Pages(), list[np.ndarray]()

    def take(value: int) -> None:
        for _ in range(500):
            piece = pages.take(100)
            piece.fill(value)
            taken.append(piece)

    threads = [threading.Thread(target=take, args=(value,)) for value in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 2000 and all(len(set(piece.tolist())) == 1 for piece in taken)


def test_a_block_goes_with_its_last_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_BLOCK", 4096)
    pages = Pages()
    first, second = (pages.take(2000) for _ in range(2))
    block = weakref.ref(pages._block)
    pages.take(4096)  # the next block
    del first
    gc.collect()
    assert block() is not None
    del second
    gc.collect()
    assert block() is None


def test_faces_lie_in_pages_and_not_on_the_heap() -> None:
    box, points = np.float32((0, 0, 9, 9)), np.zeros((478, 2), np.float32)
    one, other = packed_place(box, points), packed_place(box, None)
    assert one.base is other.base is frames._PAGES._block and one.flags.writeable


def test_a_c_library_without_the_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: type("Lib", (), {"mallopt": lambda *a: asked.append(a[-2:])})())
    few_heaps()
    assert asked == [(-8, 2)]
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: object())
    few_heaps()
