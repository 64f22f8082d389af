"""Whether two boxes (left, top, right, bottom, px) are about the same place of a picture."""

Box = tuple[float, float, float, float]


def overlaps(one: Box, other: Box) -> bool:
    """Whether the centre of either box lies in the other."""
    return _centre_in(one, other) or _centre_in(other, one)


def same(one: Box, other: Box) -> bool:
    """Whether they differ by no more than a ledger's file rounds away, a tenth of a pixel."""
    return all(abs(a - b) <= 0.1 for a, b in zip(one, other, strict=True))


def _centre_in(one: Box, other: Box) -> bool:
    x, y = (one[0] + one[2]) / 2, (one[1] + one[3]) / 2
    return other[0] <= x <= other[2] and other[1] <= y <= other[3]
