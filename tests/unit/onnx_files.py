"""Small ONNX files written by code: a SimCC model that finds the brightest column and row, and an embedding.

ONNX is protobuf; the few messages that a model of five operators needs are encoded here (onnx.proto3), so that no
library is needed to make a model that a test can foresee.
"""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_simcc_model(path: Path, *, width: int = 192, height: int = 256, points: int = 17, bins: int = 2) -> Path:
    """Input (1, 3, height, width); outputs simcc_x (1, points, bins * width) and simcc_y (1, points, bins * height).

    Keypoint k scores in proportion to (k + 1): all find the same place, each with a confidence of its own.
    """
    nodes, tensors = [], []
    for axis, length, others in (("x", width, (1, 2)), ("y", height, (1, 3))):
        repeat = np.kron(np.eye(length), np.ones((1, bins))).astype(np.float32)
        weights = (np.arange(1, points + 1, dtype=np.float32) / points).reshape(points, 1)
        tensors += [
            _floats(f"repeat_{axis}", repeat),
            _floats(f"weights_{axis}", weights),
            _ints(f"flat_{axis}", [1, length]),
            _ints(f"deep_{axis}", [1, points, bins * length]),
        ]
        nodes += [
            _node("ReduceMean", ["input"], f"mean_{axis}", axes=others, keepdims=0),
            _node("Reshape", [f"mean_{axis}", f"flat_{axis}"], f"row_{axis}"),
            _node("MatMul", [f"row_{axis}", f"repeat_{axis}"], f"bins_{axis}"),
            _node("MatMul", [f"weights_{axis}", f"bins_{axis}"], f"all_{axis}"),
            _node("Reshape", [f"all_{axis}", f"deep_{axis}"], f"simcc_{axis}"),
        ]
    shapes = {"simcc_x": (1, points, bins * width), "simcc_y": (1, points, bins * height)}
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, b"simcc")
    graph += b"".join(_field(5, tensor) for tensor in tensors)
    graph += _field(11, _value("input", (1, 3, height, width)))
    graph += b"".join(_field(12, _value(name, shape)) for name, shape in shapes.items())
    path.write_bytes(_number(1, 8) + _field(7, graph) + _field(8, _number(2, 11)))
    return path


def write_embedding_model(path: Path, rows: NDArray[np.float32], *, side: int = 112) -> Path:
    """Input (1, 3, side, side); output (1, k): its pixels, averaged over 16 x 16 tiles, times `rows` (3 * tiles, k)."""
    tiles = side // 16
    nodes = [
        _node("AveragePool", ["input"], "tiles", kernel_shape=(16, 16), strides=(16, 16)),
        _node("Reshape", ["tiles", "flat"], "row"),
        _node("MatMul", ["row", "rows"], "output"),
    ]
    tensors = [_ints("flat", [1, 3 * tiles * tiles]), _floats("rows", rows)]
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, b"embedding")
    graph += b"".join(_field(5, tensor) for tensor in tensors)
    graph += _field(11, _value("input", (1, 3, side, side))) + _field(12, _value("output", (1, rows.shape[1])))
    path.write_bytes(_number(1, 8) + _field(7, graph) + _field(8, _number(2, 11)))
    return path


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _node(operator: str, inputs: list[str], output: str, **attributes: int | tuple[int, ...]) -> bytes:
    data = b"".join(_field(1, name.encode()) for name in inputs) + _field(2, output.encode())
    data += _field(3, output.encode()) + _field(4, operator.encode())
    for name, value in attributes.items():
        if isinstance(value, int):
            values, kind = _number(3, value), 2
        else:
            values, kind = b"".join(_number(8, one) for one in value), 7
        data += _field(5, _field(1, name.encode()) + values + _number(20, kind))
    return data


def _floats(name: str, values: NDArray[np.float32]) -> bytes:
    dims = b"".join(_number(1, one) for one in values.shape)
    return dims + _number(2, 1) + _field(8, name.encode()) + _field(9, values.astype("<f4").tobytes())


def _ints(name: str, values: list[int]) -> bytes:
    data = struct.pack(f"<{len(values)}q", *values)
    return _number(1, len(values)) + _number(2, 7) + _field(8, name.encode()) + _field(9, data)


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(_field(1, _number(1, one)) for one in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, 1) + _field(2, dims)))
