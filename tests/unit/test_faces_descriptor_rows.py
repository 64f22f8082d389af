"""Descriptors in blocks: each frame has its own, and all of them can be overwritten."""

import numpy as np
import pytest

from deid_audit.faces.descriptor_rows import DescriptorRows


def row(value: float) -> np.ndarray:
    return np.full(128, value, np.float32)


def test_rows_come_back_in_order_over_more_than_one_block() -> None:
    rows = DescriptorRows()
    given = row(0)
    for value in range(600):
        given.fill(value)
        rows.add(None if value == 300 else given)  # one array for all: what is kept is a copy
    assert len(rows) == 600
    expected = [np.nan if value == 300 else value for value in range(600)]
    np.testing.assert_array_equal(rows.all()[:, 0], expected)
    assert rows[599][127] == 599 and rows.known(300) is None and rows.known(301) is not None


def test_a_row_is_filled_where_it_is_kept() -> None:
    rows = DescriptorRows()
    rows.add(None)[:] = 5
    assert rows.all().tolist() == [[5] * 128]


def test_wiping_reaches_every_row_that_was_handed_out() -> None:
    rows = DescriptorRows()
    kept = [rows.add(row(1 + value)) for value in range(300)]
    rows.wipe()
    assert not any(one.any() for one in kept) and not rows.all().any()


def test_taken_rows_are_all_of_them_and_what_was_held_is_gone() -> None:
    for count in (0, 1, 256, 257, 600):
        rows = DescriptorRows()
        kept = [rows.add(row(1 + value)) for value in range(count)]
        taken = rows.taken()
        np.testing.assert_array_equal(taken[:, 5], np.arange(1, count + 1))
        assert taken.shape == (count, 128) and len(rows) == 0 and not any(one.any() for one in kept)


def test_there_is_no_row_of_a_frame_that_was_not_added() -> None:
    rows = DescriptorRows()
    assert rows.all().shape == (0, 128)
    rows.add(row(1))
    for at in (-1, 1):
        with pytest.raises(IndexError):
            rows[at]
