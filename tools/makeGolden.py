"""Makes golden files for `npm run verify -- FILE`: one model, one batch, and what PyTorch computes from them.

An implementation of its own of FMAE and of the AU classifier with identity adversarial training, in PyTorch and as
plain as it can be written, against which the WebGPU engine is checked. It computes in float64 from float32 inputs.

  python3 tools/makeGolden.py --kind fmae --out fmae.safetensors
  python3 tools/makeGolden.py --kind classifier --lam 2 --steps 3 --out classifier.safetensors
  npm run verify -- fmae.safetensors classifier.safetensors

Needs PyTorch 1.13 or later and NumPy, nothing else (on Debian: the packages python3-torch and python3-numpy). All sizes
are flags, see --help. The two files in test/golden/ are the output of

  python3 tools/makeGolden.py --kind fmae --out test/golden/fmae.safetensors
  python3 tools/makeGolden.py --kind classifier --image-size 24 --heads 4 --out test/golden/classifier.safetensors

The file: metadata `kind`, `config` and `optimizer` (JSON); tensors `w.NAME` (weights at the start), `imgs`; for fmae
`noise`, `loss`, `pred`, `mask`; for classifier `au`, `ids`, `au_logits`, `id_logits`, `au_loss`, `id_loss`; `g.NAME`, the
gradients of the total loss; `losses` of n optimiser steps on the same batch, each before its update, and
`after.NAME`, the weights after them.
"""
import argparse
import json
import math
import struct

import numpy as np
import torch
import torch.nn.functional as F


# ---- the transformer, as functions of a dictionary of weights ----

def sin_cos_table(width, grid):
    """[1, 1 + grid², width]: row 0 zero; the first half of the columns encodes x, the second y."""
    quarter = width // 4
    frequency = 10000.0 ** (-np.arange(quarter) / quarter)
    y, x = np.divmod(np.arange(grid * grid), grid)

    def half(position):
        angle = position[:, None] * frequency[None, :]
        return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)

    table = np.concatenate([half(x), half(y)], axis=1)
    return np.concatenate([np.zeros((1, width)), table])[None].astype(np.float32)


def linear(w, name, x):
    return x @ w[name + ".weight"].T + w[name + ".bias"]


def layer_norm(w, name, x, eps):
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred ** 2).mean(-1, keepdim=True)
    return centred / torch.sqrt(variance + eps) * w[name + ".weight"] + w[name + ".bias"]


def gelu(x):
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def attention(w, name, x, heads):
    batch, tokens, width = x.shape
    q, k, v = linear(w, name + ".qkv", x).split(width, dim=-1)
    q, k, v = (part.reshape(batch, tokens, heads, width // heads).transpose(1, 2) for part in (q, k, v))
    weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(width // heads), dim=-1)
    return linear(w, name + ".proj", (weights @ v).transpose(1, 2).reshape(batch, tokens, width))


def block(w, name, x, heads, eps):
    x = x + attention(w, name + ".attn", layer_norm(w, name + ".norm1", x, eps), heads)
    hidden = gelu(linear(w, name + ".mlp.fc1", layer_norm(w, name + ".norm2", x, eps)))
    return x + linear(w, name + ".mlp.fc2", hidden)


def patches(images, size, order):
    """[B, 3, S, S] → [B, L, 3·size²]; `order` of the values in a patch: chw or hwc."""
    batch, channels, side, _ = images.shape
    grid = side // size
    cut = images.reshape(batch, channels, grid, size, grid, size)
    axes = (0, 2, 4, 1, 3, 5) if order == "chw" else (0, 2, 4, 3, 5, 1)
    return cut.permute(axes).reshape(batch, grid * grid, channels * size * size)


def embed(w, config, images):
    weight = w["patch_embed.proj.weight"].reshape(config["width"], -1)
    x = patches(images, config["patchSize"], "chw") @ weight.T + w["patch_embed.proj.bias"]
    return x + w["pos_embed"][:, 1:]


# ---- FMAE ----

def fmae(w, config, images, noise):
    batch, length = noise.shape
    eps = config["layerNormEps"]
    kept = int(length * (1 - config["maskRatio"]))
    shuffle = torch.argsort(noise, dim=1)
    restore = torch.argsort(shuffle, dim=1)
    mask = (restore >= kept).to(images.dtype)
    x = embed(w, config, images)
    x = torch.stack([x[b, shuffle[b, :kept]] for b in range(batch)])
    cls = (w["cls_token"] + w["pos_embed"][:, :1]).expand(batch, -1, -1)
    x = torch.cat([cls, x], dim=1)
    for i in range(config["depth"]):
        x = block(w, f"blocks.{i}", x, config["heads"], eps)
    x = linear(w, "decoder_embed", layer_norm(w, "norm", x, eps))
    holes = w["mask_token"].expand(batch, length - kept, -1)
    shuffled = torch.cat([x[:, 1:], holes], dim=1)
    ordered = torch.stack([shuffled[b, restore[b]] for b in range(batch)])
    x = torch.cat([x[:, :1], ordered], dim=1) + w["decoder_pos_embed"]
    for i in range(config["decoderDepth"]):
        x = block(w, f"decoder_blocks.{i}", x, config["decoderHeads"], eps)
    pred = linear(w, "decoder_pred", layer_norm(w, "decoder_norm", x, eps))[:, 1:]
    target = patches(images, config["patchSize"], "hwc")
    if config["normPix"]:
        mean = target.mean(-1, keepdim=True)
        target = (target - mean) / torch.sqrt(target.var(-1, keepdim=True, unbiased=True) + 1e-6)
    loss = (((pred - target) ** 2).mean(-1) * mask).sum() / mask.sum()
    return loss, {"loss": loss.reshape(1), "pred": pred, "mask": mask}


# ---- AU classifier with the identity head ----

class ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, lam):
        ctx.lam = lam
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.lam * gradient, None


def classifier(w, config, images, au, ids):
    x = embed(w, config, images)
    cls = (w["cls_token"] + w["pos_embed"][:, :1]).expand(len(x), -1, -1)
    x = torch.cat([cls, x], dim=1)
    for i in range(config["depth"]):
        x = block(w, f"blocks.{i}", x, config["heads"], config["layerNormEps"])
    z = layer_norm(w, "fc_norm", x[:, 1:].mean(1), config["layerNormEps"])
    au_logits = linear(w, "head", z)
    au_loss = F.binary_cross_entropy_with_logits(au_logits, au)
    out = {"au_logits": au_logits, "au_loss": au_loss.reshape(1)}
    if config["lambda"] == 0:
        return au_loss, out
    y = ReverseGradient.apply(z, config["lambda"])
    for i in range(config["idHeadLayers"]):
        y = linear(w, "ID_head" if i == 0 else f"ID_head{i + 1}", gelu(y) if i else y)
    if config["idLoss"] == "softmax":
        id_loss = F.cross_entropy(y, ids)
    else:
        id_loss = F.binary_cross_entropy_with_logits(y, F.one_hot(ids, config["subjects"]).to(y.dtype))
    return au_loss + id_loss, {**out, "id_logits": y, "id_loss": id_loss.reshape(1)}


# ---- weights: every tensor has values that show if it is forgotten or mixed up ----

def shapes(kind, config):
    """Names and shapes in the order of the state dict."""
    out = {}

    def norm(name, width):
        out[name + ".weight"] = out[name + ".bias"] = (width,)

    def lin(name, outputs, inputs):
        out[name + ".weight"] = (outputs, inputs)
        out[name + ".bias"] = (outputs,)

    def blocks(prefix, depth, width):
        for i in range(depth):
            norm(f"{prefix}.{i}.norm1", width)
            lin(f"{prefix}.{i}.attn.qkv", 3 * width, width)
            lin(f"{prefix}.{i}.attn.proj", width, width)
            norm(f"{prefix}.{i}.norm2", width)
            lin(f"{prefix}.{i}.mlp.fc1", config["mlpRatio"] * width, width)
            lin(f"{prefix}.{i}.mlp.fc2", width, config["mlpRatio"] * width)

    width, decoder, patch = config["width"], config["decoderWidth"], config["patchSize"]
    rows = 1 + (config["imageSize"] // patch) ** 2
    out["cls_token"] = (1, 1, width)
    out["pos_embed"] = (1, rows, width)
    if kind == "fmae":
        out["mask_token"] = (1, 1, decoder)
        out["decoder_pos_embed"] = (1, rows, decoder)
    out["patch_embed.proj.weight"] = (width, 3, patch, patch)
    out["patch_embed.proj.bias"] = (width,)
    blocks("blocks", config["depth"], width)
    if kind == "fmae":
        norm("norm", width)
        lin("decoder_embed", decoder, width)
        blocks("decoder_blocks", config["decoderDepth"], decoder)
        norm("decoder_norm", decoder)
        lin("decoder_pred", 3 * patch * patch, decoder)
    else:
        lin("head", config["aus"], width)
        norm("fc_norm", width)
        layers = config["idHeadLayers"] if config["lambda"] > 0 else 0
        for i in range(layers):
            inputs = width >> i
            outputs = config["subjects"] if i == layers - 1 else inputs // 2
            lin("ID_head" if i == 0 else f"ID_head{i + 1}", outputs, inputs)
    return out


def draw_weights(kind, config, rng):
    grid = config["imageSize"] // config["patchSize"]
    weights = {}
    for name, shape in shapes(kind, config).items():
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        values = rng.standard_normal(shape)
        if name.endswith("pos_embed"):
            table = sin_cos_table(shape[-1], grid)
            values = table if kind == "fmae" else table + 0.05 * values
        elif "norm" in name and name.endswith(".weight"):
            values = 1 + 0.1 * values
        elif len(shape) == 1 or name.endswith("_token"):
            values = 0.1 * values
        else:
            values = values / math.sqrt(fan_in)
        weights[name] = values.astype(np.float32)
    return weights


# ---- optimiser ----

def parameter_rule(name, tensor, kind, config, optimizer):
    """(factor on the learning rate, weight decay)."""
    plain = tensor.ndim <= 1 or name.endswith(".bias")
    if kind == "fmae":
        return 1.0, 0.0 if plain else optimizer["weightDecay"]
    top = config["depth"] + 1
    if name in ("cls_token", "pos_embed") or name.startswith("patch_embed"):
        layer = 0
    elif name.startswith("blocks."):
        layer = int(name.split(".")[1]) + 1
    else:
        layer = top
    plain = plain or name in ("cls_token", "pos_embed")
    return optimizer["layerDecay"] ** (top - layer), 0.0 if plain else optimizer["weightDecay"]


def train(w, forward, kind, config, optimizer):
    """Runs AdamW (Loshchilov & Hutter 2019) on one batch; changes w and returns the loss of every step."""
    trainable = {name: tensor for name, tensor in w.items() if tensor.requires_grad}
    moments = {name: (torch.zeros_like(t), torch.zeros_like(t)) for name, t in trainable.items()}
    beta1, beta2 = optimizer["betas"]
    losses = []
    for step, lr in enumerate(optimizer["lrs"], start=1):
        loss, _ = forward(w)
        gradients = torch.autograd.grad(loss, list(trainable.values()))
        losses.append(loss.item())
        with torch.no_grad():
            for (name, tensor), gradient in zip(trainable.items(), gradients):
                scale, decay = parameter_rule(name, tensor, kind, config, optimizer)
                first, second = moments[name]
                first.mul_(beta1).add_((1 - beta1) * gradient)
                second.mul_(beta2).add_((1 - beta2) * gradient ** 2)
                unbiased = first / (1 - beta1 ** step)
                deviation = torch.sqrt(second / (1 - beta2 ** step)) + optimizer["eps"]
                tensor.mul_(1 - lr * scale * decay).sub_(lr * scale * unbiased / deviation)
    return losses


# ---- file ----

def write_safetensors(path, tensors, metadata):
    types = {np.dtype(np.float32): "F32", np.dtype(np.int32): "I32"}
    header, start = {"__metadata__": metadata}, 0
    for name, array in tensors.items():
        end = start + array.nbytes
        header[name] = {"dtype": types[array.dtype], "shape": list(array.shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).tobytes())


def make(kind, config, optimizer, batch, seed):
    rng = np.random.default_rng(seed)
    w32 = draw_weights(kind, config, rng)
    frozen = ("pos_embed", "decoder_pos_embed") if kind == "fmae" else ()
    w = {k: torch.tensor(v, dtype=torch.float64, requires_grad=k not in frozen) for k, v in w32.items()}
    size = config["imageSize"]
    inputs = {"imgs": rng.standard_normal((batch, 3, size, size)).astype(np.float32)}
    if kind == "fmae":
        length = (size // config["patchSize"]) ** 2
        inputs["noise"] = rng.random((batch, length)).astype(np.float32)
    else:
        inputs["au"] = (rng.random((batch, config["aus"])) < 0.4).astype(np.float32)
        inputs["ids"] = rng.integers(0, config["subjects"], batch).astype(np.int32)
    as_torch = [torch.tensor(v, dtype=torch.int64 if k == "ids" else torch.float64) for k, v in inputs.items()]
    model = fmae if kind == "fmae" else classifier

    def forward(weights):
        return model(weights, config, *as_torch)

    loss, outputs = forward(w)
    trainable = [name for name in w if w[name].requires_grad]
    gradients = torch.autograd.grad(loss, [w[name] for name in trainable])
    tensors = {"w." + name: value for name, value in w32.items()}
    tensors.update(inputs)
    if kind == "classifier" and config["lambda"] == 0:
        del tensors["ids"]
    results = {**outputs, **{"g." + name: g for name, g in zip(trainable, gradients)}}
    if optimizer["lrs"]:
        results["losses"] = torch.tensor(train(w, forward, kind, config, optimizer))
        results.update({"after." + name: w[name] for name in trainable})
    tensors.update({name: value.detach().numpy().astype(np.float32) for name, value in results.items()})
    return tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=["fmae", "classifier"], required=True)
    parser.add_argument("--out", required=True, help="file to write")
    sizes = {"image-size": 16, "patch-size": 4, "width": 16, "depth": 2, "heads": 2, "mlp-ratio": 4,
             "decoder-width": 12, "decoder-depth": 1, "decoder-heads": 3, "batch": 3, "aus": 5, "subjects": 7,
             "id-head-layers": 1, "steps": 3, "seed": 0}
    for flag, value in sizes.items():
        parser.add_argument("--" + flag, type=int, default=value, help=f"default {value}")
    parser.add_argument("--mask-ratio", type=float, default=0.75, help="default 0.75")
    parser.add_argument("--raw-pixels", action="store_true", help="targets are not normalised per patch")
    parser.add_argument("--lam", type=float, default=2.0, help="gradient reversal, 0 for no identity head; default 2")
    parser.add_argument("--id-loss", choices=["bce", "softmax"], default="bce")
    parser.add_argument("--lr", type=float, default=1e-3, help="of the last step; it grows linearly; default 1e-3")
    parser.add_argument("--layer-decay", type=float, default=0.65, help="classifier only; default 0.65")
    a = parser.parse_args()
    config = {"imageSize": a.image_size, "patchSize": a.patch_size, "width": a.width, "depth": a.depth,
              "heads": a.heads, "mlpRatio": a.mlp_ratio, "decoderWidth": a.decoder_width,
              "decoderDepth": a.decoder_depth, "decoderHeads": a.decoder_heads, "maskRatio": a.mask_ratio,
              "normPix": not a.raw_pixels, "layerNormEps": 1e-6}
    if a.kind == "classifier":
        config.update(aus=a.aus, subjects=a.subjects, idLoss=a.id_loss, idHeadLayers=a.id_head_layers)
        config["lambda"] = a.lam
    optimizer = {"lrs": [a.lr * (i + 1) / a.steps for i in range(a.steps)], "eps": 1e-8, "weightDecay": 0.05,
                 "betas": [0.9, 0.95] if a.kind == "fmae" else [0.9, 0.999]}
    if a.kind == "classifier":
        optimizer["layerDecay"] = a.layer_decay
    metadata = {"kind": a.kind, "config": json.dumps(config)}
    if a.steps:
        metadata["optimizer"] = json.dumps(optimizer)
    write_safetensors(a.out, make(a.kind, config, optimizer, a.batch, a.seed), metadata)


if __name__ == "__main__":
    main()
