"""PyTorch on the CPU behind the benchmark's protocol: the same work and inputs as peers/inputs.mjs, JSON lines on stdin,
answers on file descriptor 3."""

import json
import math
import os
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

EPS = 1e-6


def hashed(tensor, length):
    """Floats in [-1, 1): the same hash of (tensor, index) as in inputs.mjs."""
    with np.errstate(over="ignore"):
        h = np.arange(length, dtype=np.uint32) + np.uint32(((tensor + 1) * 0x9E3779B1) & 0xFFFFFFFF)
        h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        h = (h ^ (h >> np.uint32(16))) >> np.uint32(8)
    return (h.astype(np.float64) - 2**23) / 2**23


def norm(name, width):
    return [(f"{name}.weight", [width], 0.1, 1), (f"{name}.bias", [width], 0.1, 0)]


def linear(name, out, inputs):
    return [(f"{name}.weight", [out, inputs], math.sqrt(6 / (inputs + out)), 0), (f"{name}.bias", [out], 0.1, 0)]


def block_specs(i, s):
    return [
        *norm(f"blocks.{i}.norm1", s["width"]),
        *linear(f"blocks.{i}.attn.qkv", 3 * s["width"], s["width"]),
        *linear(f"blocks.{i}.attn.proj", s["width"], s["width"]),
        *norm(f"blocks.{i}.norm2", s["width"]),
        *linear(f"blocks.{i}.mlp.fc1", s["mlp"], s["width"]),
        *linear(f"blocks.{i}.mlp.fc2", s["width"], s["mlp"]),
    ]


def specs(work, s):
    if work == "matmul":
        return [("a", [s["m"], s["k"]], 1, 0), ("b", [s["k"], s["n"]], 1, 0)]
    if work == "linear":
        return [("x", [s["m"], s["k"]], 1, 0), ("weight", [s["n"], s["k"]], 1, 0)]
    if work == "attention":
        rows, width = [s["batch"], s["tokens"]], s["heads"] * s["headDim"]
        return [("qkv", [*rows, 3 * width], 2, 0), ("dOut", [*rows, width], 1, 0)]
    if work == "layerNorm":
        shape = [s["rows"], s["width"]]
        return [("x", shape, 2, 0), *norm("norm", s["width"]), ("dy", shape, 1, 0)]
    shape = [s["batch"], s["tokens"], s["width"]]
    blocks = [spec for i in range(s["depth"]) for spec in block_specs(i, s)]
    return [("x", shape, 1.7, 0), ("target", shape, 1.7, 0), *blocks]


def inputs(work, shape):
    tensors = {}
    for i, (name, size, bound, centre) in enumerate(specs(work, shape)):
        values = (centre + bound * hashed(i, math.prod(size))).astype(np.float32)
        tensors[name] = torch.from_numpy(values.reshape(size))
    return tensors


def attention(qkv, heads):
    batch, tokens, width = qkv.shape
    head_dim = width // (3 * heads)
    q, k, v = qkv.reshape(batch, tokens, 3, heads, head_dim).permute(2, 0, 3, 1, 4)
    weights = (q @ k.transpose(-2, -1) / math.sqrt(head_dim)).softmax(-1)
    return (weights @ v).transpose(1, 2).reshape(batch, tokens, heads * head_dim)


def block(x, p, name, heads):
    def layer(y, part):
        return F.linear(y, p[f"{name}.{part}.weight"], p[f"{name}.{part}.bias"])

    def normed(y, part):
        return F.layer_norm(y, y.shape[-1:], p[f"{name}.{part}.weight"], p[f"{name}.{part}.bias"], EPS)

    x = x + layer(attention(layer(normed(x, "norm1"), "attn.qkv"), heads), "attn.proj")
    return x + layer(F.gelu(layer(normed(x, "norm2"), "mlp.fc1")), "mlp.fc2")


def load(work, shape):
    """Returns a function that does the work once and gives named outputs."""
    t = inputs(work, shape)
    if work == "matmul":
        return lambda: {"y": t["a"] @ t["b"]}
    if work == "linear":
        return lambda: {"y": F.linear(t["x"], t["weight"])}
    if work == "attention":
        qkv = t["qkv"].requires_grad_()

        def run_attention():
            out = attention(qkv, shape["heads"])
            return {"out": out, "dqkv": torch.autograd.grad(out, qkv, t["dOut"])[0]}

        return run_attention
    if work == "layerNorm":
        leaves = [t[name].requires_grad_() for name in ("x", "norm.weight", "norm.bias")]

        def run_norm():
            y = F.layer_norm(leaves[0], leaves[0].shape[-1:], leaves[1], leaves[2], EPS)
            return dict(zip(("y", "dx", "dWeight", "dBias"), (y, *torch.autograd.grad(y, leaves, t["dy"]))))

        return run_norm
    parameters = {name: value.requires_grad_() for name, value in t.items() if name.startswith("blocks.")}

    def run_step():
        y = t["x"]
        for i in range(shape["depth"]):
            y = block(y, parameters, f"blocks.{i}", shape["heads"])
        loss = F.mse_loss(y, t["target"])
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        return {"loss": loss.reshape(1), **dict(zip(parameters, gradients))}

    return run_step


def answer(message):
    os.write(3, (json.dumps(message) + "\n").encode())


def main():
    job = None
    answer({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if order["do"] == "load":
                job = load(order["work"], order["shape"])
                answer({})
            elif order["do"] == "time":
                start = time.perf_counter()
                for _ in range(order["repeats"]):
                    job()
                answer({"ms": 1000 * (time.perf_counter() - start) / order["repeats"]})
            elif order["do"] == "save":
                outputs = {name: value.detach().contiguous().numpy() for name, value in job().items()}
                with open(order["file"], "wb") as file:
                    for value in outputs.values():
                        file.write(value.tobytes())
                answer({"outputs": [{"name": name, "length": value.size} for name, value in outputs.items()]})
            else:
                job = None
                answer({})
        except Exception as error:  # Whatever it is, it belongs to this piece of work.
            answer({"error": str(error)})


main()
