#!/usr/bin/python3
"""A discriminator's step against PyTorch: losses, gradients through spectral normalisation, pictures' gradients, Adam.

    tests/peer/discriminator_torch.py build/bin/discriminator_dump

torch.nn.utils.spectral_norm, conv2d, interpolate and Adam do what the program did, in double (the truth) and in float
(how far honest f32 arithmetic is from it). The program may be off by FACTOR times what float PyTorch is off by, in the
2-norm of each tensor. Exits with 77 where PyTorch is missing.
"""
import json
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError as missing:
    print(f"skipped: {missing} (Debian: python3-torch)")
    sys.exit(77)

# Two honest roundings of the same sum differ by little more than their size; single numbers (a bias) scatter.
FACTOR = 4
UNIT = 2.0**-24
SLOPE = 0.2


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    (n_header,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + n_header])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, info in header.items():
        begin, end = (8 + n_header + offset for offset in info["data_offsets"])
        tensors[name] = torch.from_numpy(np.frombuffer(data[begin:end], dtype="<f4").reshape(info["shape"]).copy())
    return tensors, metadata


class Network(torch.nn.Module):
    """Both scales, from the tensors of a state."""

    def __init__(self, state, dtype):
        super().__init__()
        self.scales = []
        self.named = {}
        for scale in range(2):
            layers = []
            n_layers = sum(name.startswith(f"scale{scale}.layers.") and name.endswith(".u") for name in state)
            for i in range(n_layers):
                prefix = f"scale{scale}.layers.{i}"
                weight = state[f"{prefix}.weight"].to(dtype)
                conv = torch.nn.Conv2d(weight.shape[1], weight.shape[0], 3, 2, 1).to(dtype)
                conv = torch.nn.utils.spectral_norm(conv, n_power_iterations=1, eps=1e-12)
                with torch.no_grad():
                    conv.weight_orig.copy_(weight)
                    conv.bias.copy_(state[f"{prefix}.bias"])
                    conv.weight_u.copy_(state[f"{prefix}.u"])
                    v = weight.flatten(1).t() @ conv.weight_u  # evaluation reads v: what the vector u alone gives
                    conv.weight_v.copy_(v / v.norm())
                self.named[f"{prefix}.weight"] = conv.weight_orig
                self.named[f"{prefix}.bias"] = conv.bias
                self.add_module(prefix.replace(".", "_"), conv)
                layers.append(conv)
            self.scales.append(layers)

    def forward(self, pictures):
        maps = []
        for layers in self.scales:
            x = pictures
            for i, conv in enumerate(layers):
                x = conv(x)
                x = F.leaky_relu(x, SLOPE) if i + 1 < len(layers) else x
            maps.append(x)
            pictures = F.interpolate(pictures, scale_factor=0.5, mode="bilinear", align_corners=True,
                                     recompute_scale_factor=True)
        return maps


def torch_step(tensors, t, dtype):
    """Everything the program wrote, computed again."""
    state = {name[7:]: tensor for name, tensor in tensors.items() if name.startswith("before.")}
    real, fake = tensors["real"].to(dtype), tensors["fake"].to(dtype)
    network = Network(state, dtype).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.999), eps=1e-8)
    for name, parameter in network.named.items():
        optimiser.state[parameter] = {"step": torch.tensor(float(t - 1)),
                                      "exp_avg": state[f"adam_m.{name}"].to(dtype).clone(),
                                      "exp_avg_sq": state[f"adam_v.{name}"].to(dtype).clone()}
    # One batch: a forward pass in training mode is one power iteration.
    maps = network(torch.cat([real, fake]))
    loss_d = sum(F.relu(1 - m[:len(real)]).mean() + F.relu(1 + m[len(real):]).mean() for m in maps) / 2
    loss_d.backward()
    result = {f"grads.{name}": parameter.grad.clone() for name, parameter in network.named.items()}
    optimiser.step()
    for name, parameter in network.named.items():
        result[f"after.{name}"] = parameter.detach()
        result[f"after.adam_m.{name}"] = optimiser.state[parameter]["exp_avg"]
        result[f"after.adam_v.{name}"] = optimiser.state[parameter]["exp_avg_sq"]
    for scale, layers in enumerate(network.scales):
        for i, conv in enumerate(layers):
            result[f"after.scale{scale}.layers.{i}.u"] = conv.weight_u

    after = {name[6:]: tensor for name, tensor in result.items() if name.startswith("after.")}
    fake = fake.clone().requires_grad_()
    loss_g = -sum(m.mean() for m in Network(after, dtype).eval()(fake)) / 2
    loss_g.backward()
    result.update(loss_d=loss_d.detach().reshape(1), loss_g=loss_g.detach().reshape(1), fake_grads=fake.grad)
    return result


def compare(program, height, width):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/step.safetensors"
        subprocess.run([program, path, str(height), str(width)], check=True)
        tensors, metadata = read_safetensors(path)
    truth = torch_step(tensors, int(metadata["t"]), torch.float64)
    single = torch_step(tensors, int(metadata["t"]), torch.float32)
    assert all(name in truth for name in tensors if not name.startswith("before.") and name not in ("real", "fake"))
    worst, failures = 0.0, 0
    for name, exact in truth.items():
        found = tensors[name].double()
        allowed = FACTOR * max((single[name].double() - exact).norm().item(), UNIT * exact.norm().item())
        error = (found - exact).norm().item()
        worst = max(worst, error / allowed)
        if not error <= allowed:
            failures += 1
            print(f"{name}: expected within {allowed:.3g} of norm {exact.norm().item():.3g}, found {error:.3g} away")
    print(f"{height} x {width}: {len(truth)} tensors, L_D {truth['loss_d'].item():.6f}, L_G "
          f"{truth['loss_g'].item():.6f}, at most {worst:.2f} of what is allowed")
    return failures


def main():
    torch.set_num_threads(1)
    failures = sum(compare(sys.argv[1], height, width) for height, width in ((32, 32), (23, 17)))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
