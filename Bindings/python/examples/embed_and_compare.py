"""Which images are most alike?   embed_and_compare.py MODEL IMAGE IMAGE..."""

import sys

import clipcore


def main(folder: str, *images: str) -> None:
    model = clipcore.Model(folder)
    embeddings = model.encode_images(images)
    scale = model.info.logit_scale
    logits = model.similarity(embeddings, embeddings)  # scale times the cosine
    pairs = [((logits[i, j] - model.info.logit_bias) / scale, a, b) for i, a in enumerate(images) for j, b in enumerate(images) if i < j]
    for cosine, a, b in sorted(pairs, reverse=True):
        print(f"{cosine:.3f}  {a}  {b}")


main(*sys.argv[1:])
