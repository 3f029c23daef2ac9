"""Writes Tests/Fixtures/weights: one tiny ViT, its weights in each form that the library reads. Run from the repository's
root in an environment with torch, transformers and safetensors."""
import json, os, pathlib, shutil, warnings
import torch
from safetensors.torch import save_file
from transformers import ViTConfig, ViTModel

warnings.filterwarnings("ignore")
ROOT = pathlib.Path("Tests/Fixtures/weights")
torch.manual_seed(7)
model = ViTModel(ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, image_size=16,
                           patch_size=8), add_pooling_layer=False).eval()
with torch.no_grad():
    for parameter in model.parameters():
        parameter.normal_(0, 0.3)
weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}


def form(name, write):
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = {"model_type": "vit", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24,
              "image_size": 16, "patch_size": 8, "hidden_act": "gelu"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(
        {"do_resize": True, "size": {"height": 16, "width": 16}, "resample": 2, "do_rescale": True, "do_normalize": True,
         "image_mean": [0.5] * 3, "image_std": [0.5] * 3}))
    write(folder)


def script(folder):
    class Node(torch.nn.Module):
        def forward(self, x):
            return x
    root = Node()
    for name, tensor in weights.items():
        node = root
        *path, last = name.split(".")
        for part in path:
            if part not in node._modules:
                node.add_module(part, Node())
            node = node._modules[part]
        node.register_parameter(last, torch.nn.Parameter(tensor, requires_grad=False))
    torch.jit.save(torch.jit.script(root), folder / "model.pt")


def eight(kind, write):
    def both(folder):
        save = {name: tensor.to(kind) for name, tensor in weights.items()}
        write(save, folder)
    return both


bin_ = "pytorch_model.bin"
form("safetensors", lambda d: save_file(weights, d / "model.safetensors"))
form("zip", lambda d: torch.save(weights, d / bin_))
form("legacy", lambda d: torch.save(weights, d / bin_, _use_new_zipfile_serialization=False))
form("script", script)
form("strided", lambda d: torch.save({k: v.t().contiguous().t() if v.dim() == 2 else v for k, v in weights.items()}, d / bin_))
form("parameters", lambda d: torch.save({k: torch.nn.Parameter(v) for k, v in weights.items()}, d / bin_))
form("checkpoint", lambda d: torch.save({"epoch": 3, "state_dict": {"module." + k: v for k, v in weights.items()},
                                         "optimizer": {"lr": 0.1}}, d / "epoch_3.pt"))
form("prefixed", lambda d: save_file({"_orig_mod.module." + k: v for k, v in weights.items()}, d / "model.fp16.safetensors"))
half = sorted(weights)[: len(weights) // 2]
def sharded(d):
    parts = {"a.bin": {k: weights[k] for k in half}, "b.bin": {k: v for k, v in weights.items() if k not in half}}
    for name, part in parts.items():
        torch.save(part, d / name)
    (d / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {k: n for n, p in parts.items() for k in p}}))
form("sharded", sharded)
# 8-bit floats, and what they are as float32.
for name, kind in (("e4m3", torch.float8_e4m3fn), ("e5m2", torch.float8_e5m2), ("e4m3fnuz", torch.float8_e4m3fnuz),
                   ("e5m2fnuz", torch.float8_e5m2fnuz)):
    form(name, eight(kind, lambda w, d: torch.save(w, d / bin_)))
    form(name + "-wide", eight(kind, lambda w, d: save_file({k: v.float() for k, v in w.items()}, d / "model.safetensors")))
