#!/usr/bin/env python3
"""Check that exports of clipcore load in open_clip and transformers and have the same embeddings.

    pip install torch open_clip_torch transformers safetensors numpy pillow
    Benchmarks/training/exported.py MODEL... [--clip build/bin/clip] [--images Examples/images]

Each MODEL is exported with `clip export` to both layouts and all storages. The layout's library and
clipcore load the folder and embed the same PNG files and captions, each with its own preprocessing. Token ids come from
transformers' tokenizer of the folder. Prints the smallest cosine and the largest difference of an element.
"""
import argparse
import pathlib
import subprocess
import tempfile

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file

CAPTIONS = ["a cat", "two dogs on a red sofa", "a photo of a pizza, 12 inches", "Rainbow over the sea!", "火箭"]


def with_open_clip(folder, pictures, tokens):
    import open_clip

    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    pixels = torch.stack([preprocess(p) for p in pictures])
    return model.encode_image(pixels), model.encode_text(tokens)


def with_transformers(folder, pictures, tokens):
    from transformers import CLIPModel
    # The PIL processor: the other one resizes with torch, with small differences.
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    model = CLIPModel.from_pretrained(folder).float().eval()
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    pixels = processor(pictures, return_tensors="pt")["pixel_values"]
    features = model.get_image_features(pixel_values=pixels), model.get_text_features(input_ids=tokens)
    return [f if torch.is_tensor(f) else f.pooler_output for f in features]


def unit(rows):
    rows = rows.float().numpy()
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+")
    parser.add_argument("--clip", default="build/bin/clip")
    parser.add_argument("--images", default="Examples/images")
    options = parser.parse_args()
    files = sorted(pathlib.Path(options.images).glob("*.png"))
    pictures = [Image.open(f).convert("RGB") for f in files]
    from transformers import CLIPTokenizer

    for name in options.models:
        tokenizer = CLIPTokenizer.from_pretrained(name)
        for layout, library in ("open_clip", with_open_clip), ("huggingface", with_transformers):
            for storage in "f32", "f16", "bf16":
                with tempfile.TemporaryDirectory() as place:
                    folder = f"{place}/model"
                    done = subprocess.run(
                        [options.clip, "export", "--model", name, "--output", folder, "--layout", layout, "--storage", storage],
                        capture_output=True, text=True)
                    where = f"{pathlib.Path(name).name:18} {layout:11} {storage:4}"
                    if done.returncode:
                        print(where, done.stderr.strip())
                        break
                    subprocess.run(
                        [options.clip, "embed", "--model", folder, "--output", f"{place}/x.safetensors"]
                        + [w for f in files for w in ("--image", str(f))] + [w for c in CAPTIONS for w in ("--text", c)],
                        check=True, capture_output=True)
                    ours = load_file(f"{place}/x.safetensors")
                    length = tokenizer_length(folder)
                    rows = [tokenizer(c)["input_ids"] for c in CAPTIONS]
                    end = rows[0][-1]
                    # Tokens after the end token do not matter.
                    tokens = torch.tensor([r + [end if layout == "huggingface" else 0] * (length - len(r)) for r in rows])
                    with torch.no_grad():
                        theirs = [unit(x) for x in library(folder, pictures, tokens)]
                    report = []
                    for kind, rows in zip(("image_embeds", "text_embeds"), theirs):
                        cosine = (rows * ours[kind]).sum(1).min()
                        report.append(f"{kind} cosine {cosine:.7f} difference {np.abs(rows - ours[kind]).max():.1e}")
                    print(where, *report)


def tokenizer_length(folder):
    import json

    folder = pathlib.Path(folder)
    if (folder / "config.json").exists():
        return json.loads((folder / "config.json").read_text())["text_config"]["max_position_embeddings"]
    return json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]["text_cfg"]["context_length"]


if __name__ == "__main__":
    main()
