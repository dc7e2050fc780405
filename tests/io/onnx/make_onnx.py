#!/usr/bin/env python3
"""Writes the networks of tests/io/onnx_features_test.cpp, protobuf by hand: tests/io/onnx/make_onnx.py FOLDER

mean.onnx    conv "mix" 1x1, 3 -> 2, W = [[1, 2, 4], [0, -1, 0.5]], b = [0.25, -0.5]; global average pool; flatten
pixels.onnx  flatten: the features are the input itself, [3, S, S]
"""
import struct
import sys


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def tensor(name, dims, values):  # TensorProto: dims 1, data_type 2 (1 = float), name 8, raw_data 9
    return (b"".join(number(1, d) for d in dims) + number(2, 1) + text(8, name)
            + text(9, struct.pack(f"<{len(values)}f", *values)))


def node(op, name, inputs, output, attributes=b""):  # NodeProto: input 1, output 2, name 3, op_type 4, attribute 5
    return b"".join(text(1, i) for i in inputs) + text(2, output) + text(3, name) + text(4, op) + attributes


def ints(name, values):  # AttributeProto: name 1, ints 8, type 20 (7 = INTS)
    return text(5, text(1, name) + b"".join(number(8, v) for v in values) + number(20, 7))


def value_info(name, dims):  # ValueInfoProto: name 1, type 2 {tensor_type 1 {elem_type 1, shape 2 {dim 1}}}
    shape = b"".join(text(1, number(1, d) if isinstance(d, int) else text(2, d)) for d in dims)
    return text(1, name) + text(2, text(1, number(1, 1) + text(2, shape)))


def model(nodes, tensors, outputs):  # GraphProto: node 1, name 2, initializer 5, input 11, output 12
    graph = (b"".join(text(1, n) for n in nodes) + text(2, "test") + b"".join(text(5, t) for t in tensors)
             + text(11, value_info("pictures", ["N", 3, 4, 4])) + text(12, value_info("features", outputs)))
    # ModelProto: ir_version 1, opset_import 8 {version 2}, graph 7
    return number(1, 7) + text(8, number(2, 11)) + text(7, graph)


def main(folder):
    mean = model([node("Conv", "mix", ["pictures", "w", "b"], "mixed", ints("kernel_shape", [1, 1])),
                  node("GlobalAveragePool", "pool", ["mixed"], "pooled"),
                  node("Flatten", "flat", ["pooled"], "features")],
                 [tensor("w", [2, 3, 1, 1], [1, 2, 4, 0, -1, 0.5]), tensor("b", [2], [0.25, -0.5])], ["N", 2])
    pixels = model([node("Flatten", "flat", ["pictures"], "features")], [], ["N", 48])
    for name, content in (("mean", mean), ("pixels", pixels)):
        with open(f"{folder}/{name}.onnx", "wb") as file:
            file.write(content)


if __name__ == "__main__":
    main(sys.argv[1])
