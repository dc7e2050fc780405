#!/usr/bin/python3
"""PyTorch rival of `loe bench step`: the layers of experts that one writes in PyTorch, with autograd and torch's Adam.

    bench/peer/torch_peer.py                                      # toy and pluto, f32
    bench/peer/torch_peer.py --compare --program build/bin/loe    # beside ours, taking turns, with the ratio
    bench/peer/torch_peer.py --device cuda --compare --variant each --precision tf32,bf16

Needs PyTorch (Debian: python3-torch). Prints one JSON object per workload, precision and variant. Exit code 77: there
is no PyTorch, or --device cuda and none that sees a GPU; the line says which.

Variants, of which the fastest counts unless --variant says otherwise:
  cat, copy  a loop over experts: index_select, linear, then rows put back by one index_select of all, or by index_copy
  bmm        rows of every expert padded to the largest number, one bmm
  grouped    torch.nn.functional.grouped_mm, where this PyTorch has it; bf16 only

The rival gets for free: encodings, routing and the index lists of the experts are computed once, outside the step, and
for random samples the same draw is used in every step. Neither torch.compile nor CUDA graphs are tried.

Before anything is timed with --compare, the parameters, samples, loss and gradient of `loe bench dump` are read. Of
every variant the loss must agree to 1e-5 and the gradient to 1e-3 (relative) in f32, to 2e-2 and 0.15 in tf32 and bf16;
else the script stops.
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

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError as missing:
    print(f"skipped: {missing} (Debian: python3-torch)")
    sys.exit(77)

# batch: samples a step; the toy takes every pixel, the others a quarter of our own batch, so that PyTorch's activations
# fit. tiles: of each level; size: of the lattice along each axis; values: offset and scale from outputs to the signal.
WORKLOADS = {
    "toy": dict(size=[512] * 2, widths=[64] * 9, tiles=[2] * 9, resolutions=[2**i for i in range(1, 10)],
                n_frequencies=8, n_channels=1, batch=512 * 512, values=(0.5, 0.5)),
    "pluto": dict(size=[8192] * 2, widths=[512, 384] + [256] * 5, tiles=[4] * 7,
                  resolutions=[4, 8, 32, 128, 512, 2048, 8192], n_frequencies=13, n_channels=3, batch=16384,
                  values=(0.5, 0.5)),
    "video": dict(size=[512, 512, 300], widths=[256] * 5, tiles=[2] + [4] * 4, resolutions=[2, 8, 32, 128, 512],
                  n_frequencies=9, n_channels=3, batch=16384, values=(0, 1)),
}
VARIANTS = ("cat", "copy", "bmm", "grouped")
# Relative errors of loss and gradient; in bf16 every rounding differs.
TOLERANCES = {"f32": (1e-5, 1e-3), "tf32": (2e-2, 0.15), "bf16": (2e-2, 0.15)}
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
    n_dims = len(workload["size"])
    n_in = n_dims + 2 * n_dims * workload["n_frequencies"]
    shapes = []
    for n_out, tile in zip(workload["widths"], workload["tiles"]):
        shapes.append((tile**n_dims, n_out, n_in))
        n_in = n_out
    return shapes + [(1, workload["n_channels"], n_in)]


def encode(coords, n_frequencies):
    p = coords.astype(np.float64)
    columns = [p]
    for d in range(p.shape[1]):
        for k in range(n_frequencies):
            angle = 2.0**k * math.pi * p[:, d:d + 1]
            columns += [np.sin(angle), np.cos(angle)]
    return torch.from_numpy(np.concatenate(columns, axis=1).astype(np.float32))


def why_not(variant, precision):
    """Why a variant cannot run here, or ""."""
    if variant != "grouped":
        return ""
    if not hasattr(F, "grouped_mm"):
        return f"PyTorch {torch.__version__} has no torch.nn.functional.grouped_mm"
    return "" if precision == "bf16" else "grouped_mm takes bf16 only"


class Rows:
    """Which samples each expert of a layer gets, for all variants."""

    def __init__(self, expert, n_experts, device):
        counts = np.bincount(expert, minlength=n_experts)
        order = np.argsort(expert, kind="stable")
        begins = np.concatenate([[0], np.cumsum(counts)])
        inverse = np.empty_like(order)
        inverse[order] = np.arange(len(order))

        def tensor(values, dtype=torch.int64):
            return torch.as_tensor(values).to(device=device, dtype=dtype)

        self.order = tensor(order)
        self.inverse = tensor(inverse)
        self.of_expert = [self.order[begins[e]:begins[e + 1]] for e in range(n_experts)]
        self.ends = tensor(begins[1:], torch.int32)
        # Padded to the largest expert: unused places repeat sample 0, and nothing reads what comes of them.
        self.largest = max(1, int(counts.max()))
        padded = np.zeros((n_experts, self.largest), dtype=np.int64)
        for e in range(n_experts):
            padded[e, :counts[e]] = order[begins[e]:begins[e + 1]]
        self.padded = tensor(padded.reshape(-1))
        place = np.arange(len(order)) - begins[expert[order]]
        self.padded_inverse = tensor((expert[order] * self.largest + place)[inverse])


class Network:
    """Parameters and the index lists of one batch."""

    def __init__(self, workload, params, coords, variant, device):
        self.variant = variant
        self.weights, self.biases = [], []
        offset = 0
        for n_experts, n_out, n_in in layer_shapes(workload):
            n = n_experts * n_out * n_in
            weight = torch.from_numpy(params[offset:offset + n].reshape(n_experts, n_out, n_in).copy()).to(device)
            bias = torch.from_numpy(params[offset + n:offset + n + n_out].copy()).to(device)
            # For the loops one tensor per expert: a slice of a 3-D parameter would make autograd fill the whole gradient
            # each time.
            parts = [weight] if variant in ("bmm", "grouped") else list(weight)
            self.weights.append([w.clone().requires_grad_() for w in parts])
            self.biases.append(bias.requires_grad_())
            offset += n + n_out
        assert offset == len(params), (offset, len(params))
        self.rows = []
        for resolution, tile in zip(workload["resolutions"], workload["tiles"]):
            cell = np.floor(coords.astype(np.float64) * resolution).astype(np.int64) % tile
            expert = sum(cell[:, d] * tile**d for d in range(cell.shape[1]))
            self.rows.append(Rows(expert, tile**cell.shape[1], device))

    def parameters(self):
        return [w for layer in self.weights for w in layer] + self.biases

    def level(self, layer, x):
        """W(p) x of a level, [B, n_out]."""
        rows, weights = self.rows[layer], self.weights[layer]
        if self.variant == "bmm":
            wide = x.index_select(0, rows.padded).view(len(weights[0]), rows.largest, -1)
            y = torch.bmm(wide, weights[0].transpose(1, 2))
            return y.flatten(0, 1).index_select(0, rows.padded_inverse)
        if self.variant == "grouped":
            # Rows of whole 16 bytes.
            padding = -x.shape[1] % 8
            sorted_rows = F.pad(x, (0, padding)).to(torch.bfloat16).index_select(0, rows.order)
            weight = F.pad(weights[0], (0, padding)).to(torch.bfloat16)
            y = F.grouped_mm(sorted_rows, weight.transpose(1, 2), offs=rows.ends)
            return y.index_select(0, rows.inverse)
        parts = [F.linear(x.index_select(0, r), w) for r, w in zip(rows.of_expert, weights)]
        if self.variant == "cat":
            return torch.cat(parts).index_select(0, rows.inverse)
        y = torch.zeros(len(x), parts[0].shape[1], dtype=parts[0].dtype, device=x.device)
        for r, part in zip(rows.of_expert, parts):
            y.index_copy_(0, r, part)
        return y

    def forward(self, x):
        for layer in range(len(self.rows)):
            x = F.leaky_relu(self.level(layer, x) + self.biases[layer], SLOPE)
        head = self.weights[-1][0]
        return F.linear(x, head[0] if head.dim() == 3 else head, self.biases[-1])

    def flat_gradient(self):
        parts = []
        for weights, bias in zip(self.weights, self.biases):
            for w in weights:
                parts.append((torch.zeros_like(w) if w.grad is None else w.grad).flatten())
            parts.append(bias.grad.flatten())
        return torch.cat(parts).double().cpu().numpy()


def blas_library():
    """Path of the BLAS that PyTorch's f32 products run on."""
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "blas" in line or "libmkl" in line}
    return min(paths, key=lambda path: (not is_optimised(path), path), default="unknown")


def is_optimised(path):
    return any(name in path for name in ("openblas", "mkl", "blis", "atlas"))


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def adam(parameters, device):
    try:
        return torch.optim.Adam(parameters, lr=1e-3, **({"fused": True} if device == "cuda" else {}))
    except (TypeError, RuntimeError):  # a PyTorch without fused updates
        return torch.optim.Adam(parameters, lr=1e-3)


class Step:
    """One training step, as a callable."""

    def __init__(self, workload, tensors, precision, variant, device):
        self.network = Network(workload, tensors["params"], tensors["coords"], variant, device)
        self.inputs = encode(tensors["coords"], workload["n_frequencies"]).to(device)
        self.targets = torch.from_numpy(tensors["targets"]).to(device)
        self.values = workload["values"]
        self.precision = precision
        self.device = device
        self.optimizer = adam(self.network.parameters(), device)

    def loss_and_gradient(self):
        self.optimizer.zero_grad(set_to_none=True)
        torch.backends.cuda.matmul.allow_tf32 = self.precision == "tf32"
        if self.precision == "bf16":
            with torch.autocast(self.device, dtype=torch.bfloat16):
                outputs = self.network.forward(self.inputs)
        else:
            outputs = self.network.forward(self.inputs)
        offset, scale = self.values
        loss = F.mse_loss(offset + scale * outputs.float(), self.targets)
        loss.backward()
        return loss

    def __call__(self):
        loss = self.loss_and_gradient()
        self.optimizer.step()
        return loss

    def seconds(self):
        wait(self.device)
        start = time.perf_counter()
        self()
        wait(self.device)
        return time.perf_counter() - start


def random_tensors(workload, batch):
    """Parameters and samples for runs without our program: speed does not depend on their values."""
    generator = np.random.default_rng(1)
    params = []
    for n_experts, n_out, n_in in layer_shapes(workload):
        bound = math.sqrt(2 / (1 + SLOPE**2)) * math.sqrt(3 / n_in)
        params += [generator.uniform(-bound, bound, n_experts * n_out * n_in), np.zeros(n_out)]
    size = workload["size"]
    if batch == math.prod(size):
        pixels = np.stack(np.unravel_index(np.arange(batch), size[::-1])[::-1], axis=1)
    else:
        pixels = np.stack([generator.integers(0, n, batch) for n in size], axis=1)
    coords = (pixels + 0.5) / np.array(size)
    targets = generator.uniform(0, 1, (batch, workload["n_channels"]))
    return {name: value.astype(np.float32)
            for name, value in (("params", np.concatenate(params)), ("coords", coords), ("targets", targets))}


def dumped_tensors(args, name, batch):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "dump.safetensors")
        subprocess.run([args.program, "bench", "dump", "--workload", name, "--batch", str(batch), "--threads",
                        str(args.threads), "--device", args.device, "--out", path],
                       check=True, stdout=subprocess.DEVNULL)
        return read_safetensors(path)


def check_agreement(name, step, tensors, metadata):
    """Stops the script unless PyTorch's loss and gradient are ours."""
    loss = step.loss_and_gradient().item()
    ours = float(metadata["loss"])
    loss_error = abs(loss - ours) / abs(ours)
    gradient = step.network.flat_gradient()
    gradient_error = np.linalg.norm(gradient - tensors["grads"]) / np.linalg.norm(gradient)
    most = TOLERANCES[step.precision]
    if not (loss_error <= most[0] and gradient_error <= most[1]):
        sys.exit(f"torch_peer: {name} {step.precision} {step.network.variant}: expected the results of both to agree, "
                 f"found a loss of {loss} here and {ours} in loe (relative difference {loss_error:.2g}), gradients "
                 f"{gradient_error:.2g} apart; not timed")
    return {"loss_error": loss_error, "gradient_error": gradient_error}


def loe_seconds(args, name, precision, batch):
    command = [args.program, "bench", "step", "--workload", name, "--precision", precision, "--batch", str(batch),
               "--threads", str(args.threads), "--device", args.device, "--repeats", "3", "--no-rivals", "--no-plain",
               "--json"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[0])["seconds_per_step"]


def measure_variant(args, name, precision, tensors, metadata, variant):
    """The record of one variant; "error" in place of times where it cannot run."""
    workload = WORKLOADS[name]
    batch = len(tensors["coords"])
    record = {"workload": name, "precision": precision, "variant": variant, "batch": batch, "device": args.device,
              "threads": args.threads, "torch": torch.__version__}
    if args.device == "cpu":
        record["blas"] = blas_library()
    else:
        record["gpu"] = torch.cuda.get_device_name()
    obstacle = why_not(variant, precision)
    if obstacle:
        return {**record, "error": obstacle}
    try:
        step = Step(workload, tensors, precision, variant, args.device)
        if args.compare:
            record.update(check_agreement(name, step, tensors, metadata))
        step.seconds()
        times = [step.seconds() for _ in range(args.repeats)]
    except (RuntimeError, MemoryError) as failure:  # no room, or PyTorch has no kernel for it here
        return {**record, "error": str(failure).split("\n", maxsplit=1)[0]}
    record.update(seconds_per_step=statistics.median(times), seconds_min=min(times), seconds_max=max(times))
    return record


def measure(args, name, precision):
    batch = args.batch or WORKLOADS[name]["batch"]
    metadata = {}
    if args.compare:
        tensors, metadata = dumped_tensors(args, name, batch)
    else:
        tensors = random_tensors(WORKLOADS[name], batch)
    variants = VARIANTS if args.variant in ("fastest", "each") else [args.variant]
    records = []
    loe_times = []
    for variant in variants:
        records.append(measure_variant(args, name, precision, tensors, metadata, variant))
        if args.device == "cuda":
            torch.cuda.empty_cache()
        if args.compare:
            loe_times.append(loe_seconds(args, name, precision, batch))
    timed = [record for record in records if "error" not in record]
    if args.compare:
        for record in timed:
            record["loe_seconds_per_step"] = statistics.median(loe_times)
            record["loe_speedup"] = record["seconds_per_step"] / record["loe_seconds_per_step"]
    if args.variant == "fastest" and timed:
        fastest = min(timed, key=lambda record: record["seconds_per_step"])
        fastest["others"] = {record["variant"]: record.get("seconds_per_step", record.get("error"))
                             for record in records if record is not fastest}
        records = [fastest]
    for record in records:
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
    parser.add_argument("--workload", type=names(WORKLOADS), default=["toy", "pluto"], help="some of toy, pluto, video")
    parser.add_argument("--precision", type=names(TOLERANCES), default=["f32"],
                        help="some of f32, tf32 (GPUs), bf16 (autocast)")
    parser.add_argument("--batch", type=int, default=0, help="samples a step; default: 262144 (toy), 16384 (others)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--variant", choices=("fastest", "each", *VARIANTS), default="fastest")
    parser.add_argument("--compare", action="store_true", help="check against and time beside our program")
    parser.add_argument("--program", default="build/bin/loe")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        print(f"skipped: PyTorch {torch.__version__} sees no GPU (torch.version.cuda: {torch.version.cuda})")
        sys.exit(77)
    if args.device == "cpu" and "tf32" in args.precision:
        parser.error("--precision tf32: expected --device cuda, the CPU has no tf32")
    torch.set_num_threads(args.threads)
    if args.device == "cpu" and not is_optimised(blas_library()):
        print(f"torch_peer: {blas_library()} looks like the unoptimised reference BLAS: f32 times would flatter us; "
              "install an optimised one (Debian: libopenblas0-pthread)", file=sys.stderr)
    for name in args.workload:
        for precision in args.precision:
            measure(args, name, precision)


if __name__ == "__main__":
    main()
