#!/usr/bin/python3
"""PyTorch rival of `loe bench step`: the per-expert loop that one writes in PyTorch, with autograd and torch's Adam.

    bench/peer/torch_peer.py                                      # toy and pluto, f32
    bench/peer/torch_peer.py --compare --program build/bin/loe    # beside ours, taking turns, with the ratio

Needs PyTorch (Debian: python3-torch). Prints one JSON object per workload and precision.

The rival gets for free: encodings, routing and the index lists of the experts are computed once, outside the step, and
for random samples the same draw is used in every step. Two ways to put the experts' rows back are tried, index_copy
and concatenation followed by one index_select; the faster one counts.

Before anything is timed with --compare, the parameters, samples, loss and gradient of `loe bench dump` are read, and the
loss must agree to 1e-5 and the gradient to 1e-3 (relative); else the script stops.
"""
import argparse
import json
import math
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F

# batch: samples a step; the toy takes every pixel, pluto a quarter of our own batch, so that PyTorch's activations fit.
WORKLOADS = {
    "toy": dict(size=512, widths=[64] * 9, tile=2, resolutions=[2**i for i in range(1, 10)], n_frequencies=8,
                n_channels=1, batch=512 * 512),
    "pluto": dict(size=8192, widths=[512, 384] + [256] * 5, tile=4, resolutions=[4, 8, 32, 128, 512, 2048, 8192],
                  n_frequencies=13, n_channels=3, batch=16384),
}
SLOPE = 0.2


def read_safetensors(path):
    """Tensors (f32 only) and metadata of a file of `loe bench dump`."""
    with open(path, "rb") as file:
        data = file.read()
    (n_header,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + n_header])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, info in header.items():
        begin, end = (8 + n_header + offset for offset in info["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], dtype="<f4").reshape(info["shape"]).copy()
    return tensors, metadata


def layer_shapes(workload):
    """[(n_experts, n_out, n_in)], the head last."""
    n_in = 2 + 4 * workload["n_frequencies"]
    shapes = []
    for n_out in workload["widths"]:
        shapes.append((workload["tile"]**2, n_out, n_in))
        n_in = n_out
    return shapes + [(1, workload["n_channels"], n_in)]


def encode(coords, n_frequencies):
    p = coords.astype(np.float64)
    columns = [p]
    for d in range(2):
        for k in range(n_frequencies):
            angle = 2.0**k * math.pi * p[:, d:d + 1]
            columns += [np.sin(angle), np.cos(angle)]
    return torch.from_numpy(np.concatenate(columns, axis=1).astype(np.float32))


class Network:
    """Parameters and the index lists of one batch."""

    def __init__(self, workload, params, coords):
        self.weights, self.biases = [], []
        offset = 0
        for n_experts, n_out, n_in in layer_shapes(workload):
            n = n_experts * n_out * n_in
            weight = torch.from_numpy(params[offset:offset + n].reshape(n_experts, n_out, n_in).copy())
            bias = torch.from_numpy(params[offset + n:offset + n + n_out].copy())
            # One tensor per expert: a slice of a 3-D parameter would make autograd fill the whole gradient each time.
            self.weights.append([w.clone().requires_grad_() for w in weight])
            self.biases.append(bias.requires_grad_())
            offset += n + n_out
        assert offset == len(params), (offset, len(params))
        self.rows, self.inverse = [], []
        tile = workload["tile"]
        for resolution in workload["resolutions"]:
            cell = np.floor(coords.astype(np.float64) * resolution).astype(np.int64) % tile
            expert = torch.from_numpy(cell[:, 0] + tile * cell[:, 1])
            rows = [torch.nonzero(expert == e).flatten() for e in range(tile * tile)]
            self.rows.append(rows)
            self.inverse.append(torch.argsort(torch.cat(rows)))

    def parameters(self):
        return [w for layer in self.weights for w in layer] + self.biases

    def forward(self, x, variant):
        for layer, rows in enumerate(self.rows):
            parts = [F.linear(x.index_select(0, r), w) for r, w in zip(rows, self.weights[layer])]
            if variant == "cat":
                y = torch.cat(parts).index_select(0, self.inverse[layer])
            else:
                y = torch.zeros(len(x), parts[0].shape[1], dtype=parts[0].dtype)
                for r, part in zip(rows, parts):
                    y.index_copy_(0, r, part)
            x = F.leaky_relu(y + self.biases[layer], SLOPE)
        return F.linear(x, self.weights[-1][0], self.biases[-1])

    def flat_gradient(self):
        parts = []
        for weights, bias in zip(self.weights, self.biases):
            for w in weights:
                parts.append((torch.zeros_like(w) if w.grad is None else w.grad).flatten())
            parts.append(bias.grad.flatten())
        return torch.cat(parts).double().numpy()


def blas_library():
    """Path of the BLAS that PyTorch's f32 products run on."""
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "blas" in line or "libmkl" in line}
    return min(paths, key=lambda path: (not is_optimised(path), path), default="unknown")


def is_optimised(path):
    return any(name in path for name in ("openblas", "mkl", "blis", "atlas"))


class Step:
    """One training step, as a callable."""

    def __init__(self, workload, tensors, precision, variant):
        self.network = Network(workload, tensors["params"], tensors["coords"])
        self.inputs = encode(tensors["coords"], workload["n_frequencies"])
        self.targets = torch.from_numpy(tensors["targets"])
        self.precision = precision
        self.variant = variant
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3)

    def loss_and_gradient(self):
        self.optimizer.zero_grad(set_to_none=True)
        if self.precision == "bf16":
            with torch.cpu.amp.autocast(dtype=torch.bfloat16):
                outputs = self.network.forward(self.inputs, self.variant)
        else:
            outputs = self.network.forward(self.inputs, self.variant)
        # The presets' networks work in [-1, 1].
        loss = F.mse_loss(0.5 + 0.5 * outputs.float(), self.targets)
        loss.backward()
        return loss.item()

    def __call__(self):
        loss = self.loss_and_gradient()
        self.optimizer.step()
        return loss


def random_tensors(workload, batch):
    """Parameters and samples for runs without our program: speed does not depend on their values."""
    generator = np.random.default_rng(1)
    params = []
    for n_experts, n_out, n_in in layer_shapes(workload):
        bound = math.sqrt(2 / (1 + SLOPE**2)) * math.sqrt(3 / n_in)
        params += [generator.uniform(-bound, bound, n_experts * n_out * n_in), np.zeros(n_out)]
    size = workload["size"]
    if batch == size * size:
        y, x = np.divmod(np.arange(batch), size)
    else:
        x, y = generator.integers(0, size, (2, batch))
    coords = (np.stack([x, y], axis=1) + 0.5) / size
    targets = generator.uniform(0, 1, (batch, workload["n_channels"]))
    return {name: value.astype(np.float32)
            for name, value in (("params", np.concatenate(params)), ("coords", coords), ("targets", targets))}


def dumped_tensors(program, name, batch, threads):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "dump.safetensors")
        subprocess.run([program, "bench", "dump", "--workload", name, "--batch", str(batch), "--threads", str(threads),
                        "--out", path], check=True, stdout=subprocess.DEVNULL)
        return read_safetensors(path)


def check_agreement(name, workload, tensors, metadata):
    """Stops the script unless PyTorch's loss and gradient in f32 are ours."""
    step = Step(workload, tensors, "f32", "cat")
    loss = step.loss_and_gradient()
    ours = float(metadata["loss"])
    loss_error = abs(loss - ours) / abs(ours)
    gradient = step.network.flat_gradient()
    gradient_error = np.linalg.norm(gradient - tensors["grads"]) / np.linalg.norm(gradient)
    if not (loss_error <= 1e-5 and gradient_error <= 1e-3):
        sys.exit(f"torch_peer: {name}: expected the results of both to agree, found a loss of {loss} here and {ours} in "
                 f"loe (relative difference {loss_error:.2g}), gradients {gradient_error:.2g} apart; not timed")
    return {"loss_error": loss_error, "gradient_error": gradient_error}


def loe_seconds(args, name, precision, batch):
    command = [args.program, "bench", "step", "--workload", name, "--precision", precision, "--batch", str(batch),
               "--threads", str(args.threads), "--repeats", "3", "--no-rivals", "--no-plain", "--json"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[0])["seconds_per_step"]


def faster_variant(workload, tensors, precision):
    seconds = {}
    for variant in ("cat", "copy"):
        step = Step(workload, tensors, precision, variant)
        step()
        start = time.perf_counter()
        step()
        seconds[variant] = time.perf_counter() - start
    return min(seconds, key=seconds.get)


def measure(args, name, precision):
    workload = WORKLOADS[name]
    batch = args.batch or workload["batch"]
    record = {"workload": name, "precision": precision, "batch": batch, "threads": args.threads,
              "torch": torch.__version__, "blas": blas_library()}
    if args.compare:
        tensors, metadata = dumped_tensors(args.program, name, batch, args.threads)
        record.update(check_agreement(name, workload, tensors, metadata))
    else:
        tensors = random_tensors(workload, batch)
    record["variant"] = args.variant or faster_variant(workload, tensors, precision)
    step = Step(workload, tensors, precision, record["variant"])
    step()
    torch_times, loe_times = [], []
    for _ in range(args.repeats):
        start = time.perf_counter()
        step()
        torch_times.append(time.perf_counter() - start)
        if args.compare:
            loe_times.append(loe_seconds(args, name, precision, batch))
    record["seconds_per_step"] = statistics.median(torch_times)
    record["seconds_min"] = min(torch_times)
    record["seconds_max"] = max(torch_times)
    if args.compare:
        record["loe_seconds_per_step"] = statistics.median(loe_times)
        record["loe_speedup"] = record["seconds_per_step"] / record["loe_seconds_per_step"]
    print(json.dumps(record), flush=True)


def names(choices):
    def parse(text):
        words = text.split(",")
        for word in words:
            if word not in choices:
                raise argparse.ArgumentTypeError(f"expected some of {', '.join(choices)}, got {word!r}")
        return words

    return parse


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", type=names(WORKLOADS), default=["toy", "pluto"], help="toy, pluto or both")
    parser.add_argument("--precision", type=names(("f32", "bf16")), default=["f32"], help="f32, bf16 (autocast) or both")
    parser.add_argument("--batch", type=int, default=0, help="samples a step; default: 262144 (toy), 16384 (pluto)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--variant", choices=("cat", "copy"), help="default: the faster one")
    parser.add_argument("--compare", action="store_true", help="check against and time beside our program")
    parser.add_argument("--program", default="build/bin/loe")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if not is_optimised(blas_library()):
        print(f"torch_peer: {blas_library()} looks like the unoptimised reference BLAS: f32 times would flatter us; "
              "install an optimised one (Debian: libopenblas0-pthread)", file=sys.stderr)
    for name in args.workload:
        for precision in args.precision:
            measure(args, name, precision)


if __name__ == "__main__":
    main()
