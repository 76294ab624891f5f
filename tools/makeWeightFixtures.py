"""Makes the PyTorch checkpoints in test/fixtures/weights/, and what PyTorch itself reads from them.

  python3 tools/makeWeightFixtures.py test/fixtures/weights

Needs PyTorch 1.13 or later and NumPy (on Debian: the packages python3-torch and python3-numpy). The committed files are
those of PyTorch 1.13 and Python 3.11. Values are the same in each run; the keys of storages in legacy.pth are not.

  fmae.pth         as the FMAE authors' programs save: model, optimizer, epoch, scaler, args; in a zip archive
  legacy.pth       the same in the format before PyTorch 1.6
  varied.pth       a bare state dict with names of DataParallel: types, views, shared storages, a parameter, NumPy scalars
  huggingFace.pth  the model of fmae.pth under the names of Hugging Face's ViTMAEForPreTraining
  torchScript.pth  a TorchScript program: no checkpoint
  zip64.pth        two small tensors in an archive all of whose sizes and positions are in zip64 records
  golden.tsv       a line for each tensor: file, name, shape, type, first value as float32, and the first 16 digits of the
                   SHA-256 of all values as little-endian float32; legacy.pth has the tensors of fmae.pth
  positions.safetensors  position tables, and bicubic resizes `FROM-TO` of their patch part, computed in float64; in
                   float32, PyTorch's own results differ from these by up to 1.2e-6
"""
import argparse
import hashlib
import io
import pathlib
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import torch
import torch.nn.functional as F

# No __pycache__ beside the tools.
sys.dont_write_bytecode = True

from makeGolden import draw_weights, sin_cos_table, write_safetensors

CONFIG = {"imageSize": 32, "patchSize": 8, "width": 16, "depth": 2, "heads": 2, "mlpRatio": 1, "decoderWidth": 8,
          "decoderDepth": 1, "decoderHeads": 2}


def tiny_model():
    weights = draw_weights("fmae", CONFIG, np.random.default_rng(7))
    return OrderedDict((name, torch.tensor(value)) for name, value in weights.items())


def optimizer_state(model):
    """AdamW after one step, with the two groups of the authors; of few parameters, as the file shall be small."""
    torch.manual_seed(7)
    names = ["cls_token", "mask_token", "norm.weight", "norm.bias"]
    parameters = {name: torch.nn.Parameter(model[name].clone()) for name in names}
    plain = [p for name, p in parameters.items() if p.ndim == 1]
    decayed = [p for name, p in parameters.items() if p.ndim > 1]
    groups = [{"params": plain, "weight_decay": 0.0}, {"params": decayed, "weight_decay": 0.05}]
    optimizer = torch.optim.AdamW(groups, lr=1.5e-4, betas=(0.9, 0.95))
    sum((p * torch.randn_like(p)).sum() for p in parameters.values()).backward()
    optimizer.step()
    return optimizer.state_dict()


def training_checkpoint(model):
    args = argparse.Namespace(
        model="mae_vit_tiny", output_dir=pathlib.PosixPath("runs"), input_size=32, mask_ratio=0.75, norm_pix_loss=True,
        batch_size=64, accum_iter=1, blr=1.5e-4, lr=None, weight_decay=0.05, warmup_epochs=40, seed=0, resume="",
        distributed=False, gpu=0, dist_url="env://")
    scaler = {"scale": 65536.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2000,
              "_growth_tracker": 50}
    return {"model": model, "optimizer": optimizer_state(model), "epoch": 49, "scaler": scaler, "args": args}


def varied():
    random = torch.Generator().manual_seed(3)
    base = torch.randn(6, 5, generator=random)
    double = torch.randn(3, 4, generator=random, dtype=torch.float64)
    tensors = {
        "half": base.half(),
        "half_limits": torch.tensor([65504.0, -65504.0, 2.0 ** -24, 6.1e-5, -0.0, float("inf")]).half(),
        "bfloat": base.bfloat16(),
        "double": double,
        "steps": torch.tensor([1, -2, 2 ** 31 - 1, -(2 ** 31)]),
        "int": torch.tensor([7, -8], dtype=torch.int32),
        "short": torch.tensor([7, -8], dtype=torch.int16),
        "char": torch.tensor([7, -8], dtype=torch.int8),
        "byte": torch.tensor([7, 255], dtype=torch.uint8),
        "flags": torch.tensor([True, False, True]),
        "scalar": torch.tensor(0.1),
        "empty": torch.zeros(0, 3),
        "transposed": torch.randn(4, 7, generator=random).t(),
        "permuted": torch.randn(2, 3, 4, generator=random).permute(2, 0, 1),
        "slice": torch.randn(10, 4, generator=random)[3:7, 1:3],
        "every_other": torch.randn(12, generator=random)[1::2],
        "shared_whole": base,
        "shared_rows": base[2:4],
        "parameter": torch.nn.Parameter(torch.randn(3, generator=random)),
    }
    scalars = {"best": np.float64(0.625), "samples": np.int64(12), "done": np.bool_(True), "curve": np.arange(3.0)}
    return OrderedDict(**{"module." + name: tensor for name, tensor in tensors.items()}, **scalars)


HF_LAYERS = {"norm1": "layernorm_before", "norm2": "layernorm_after", "attn.proj": "attention.output.dense",
             "mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense"}
HF_NAMES = {"cls_token": "vit.embeddings.cls_token", "pos_embed": "vit.embeddings.position_embeddings",
            "patch_embed.proj": "vit.embeddings.patch_embeddings.projection", "norm": "vit.layernorm"}


def hugging_face(model):
    out = OrderedDict()
    for name, tensor in model.items():
        stack, _, rest = name.partition(".")
        if stack in ("blocks", "decoder_blocks"):
            index, _, rest = rest.partition(".")
            layer, _, kind = rest.rpartition(".")
            prefix = ("vit.encoder.layer." if stack == "blocks" else "decoder.decoder_layers.") + index
            if layer == "attn.qkv":
                for part, third in zip(("query", "key", "value"), tensor.chunk(3)):
                    out[f"{prefix}.attention.attention.{part}.{kind}"] = third.clone()
            else:
                out[f"{prefix}.{HF_LAYERS[layer]}.{kind}"] = tensor
            continue
        known = next((key for key in HF_NAMES if name == key or name.startswith(key + ".")), None)
        out[HF_NAMES[known] + name[len(known):] if known else "decoder." + name] = tensor
    return out


class Scripted(torch.nn.Module):
    def forward(self, x):
        return x


def write_zip64(path, checkpoint):
    """What torch.save writes, in zip64 records: with a limit below zero, zipfile uses them for every number."""
    saved = io.BytesIO()
    torch.save(checkpoint, saved)
    zipfile.ZIP64_LIMIT = -1
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            with target.open(zipfile.ZipInfo(entry.filename), "w", force_zip64=True) as file:
                file.write(source.read(entry))


def golden(path):
    """The lines of golden.tsv about one file."""
    loaded = torch.load(path)
    for name, tensor in loaded.get("model", loaded).items():
        if not isinstance(tensor, torch.Tensor):
            continue
        values = tensor.detach().to(torch.float32).contiguous().numpy()
        first = str(values.flat[0]) if values.size else "none"
        shape = ",".join(map(str, tensor.shape))
        digest = hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()[:16]
        yield "\t".join([path.name, name, shape, str(tensor.dtype).removeprefix("torch."), first, digest]) + "\n"


def resized(table, to):
    """As in MAE's interpolate_pos_embed."""
    size = int((table.shape[1] - 1) ** 0.5)
    width = table.shape[-1]
    patches = table[:, 1:].reshape(1, size, size, width).permute(0, 3, 1, 2)
    patches = F.interpolate(patches, size=(to, to), mode="bicubic", align_corners=False)
    return torch.cat([table[:, :1], patches.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)


def write_positions(path):
    random = np.random.default_rng(11)
    tables = {grid: sin_cos_table(8, grid) + 0.1 * random.standard_normal((1, 1 + grid * grid, 8)) for grid in (8, 14)}
    tensors = {str(grid): table.astype(np.float32) for grid, table in tables.items()}
    for grid, to in ((8, 7), (8, 14), (14, 4)):
        table = torch.tensor(tensors[str(grid)], dtype=torch.float64)
        tensors[f"{grid}-{to}"] = resized(table, to).numpy().astype(np.float32)
    write_safetensors(path, tensors, {})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    model = tiny_model()
    checkpoint = training_checkpoint(model)
    torch.save(checkpoint, folder / "fmae.pth")
    torch.save(checkpoint, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(varied(), folder / "varied.pth")
    torch.save(hugging_face(model), folder / "huggingFace.pth")
    torch.jit.script(Scripted()).save(str(folder / "torchScript.pth"))
    write_zip64(folder / "zip64.pth", OrderedDict(a=torch.arange(3.0), b=torch.ones(2, 2)))
    names = ["fmae.pth", "varied.pth", "huggingFace.pth", "zip64.pth"]
    lines = [line for name in names for line in golden(folder / name)]
    (folder / "golden.tsv").write_text("".join(lines))
    write_positions(folder / "positions.safetensors")


if __name__ == "__main__":
    main()
