"""Which images are most alike?   embed_and_compare.py MODEL IMAGE IMAGE..."""

import sys

import clipcore


def main(folder: str, *images: str) -> None:
    model = clipcore.Model(folder)
    embeddings = model.encode_images(images)
    logits = model.similarity(embeddings, embeddings)
    info = model.info
    pairs = [(logits[i][j], a, images[j]) for i, a in enumerate(images) for j in range(i + 1, len(images))]
    for logit, a, b in sorted(pairs, reverse=True):
        print(f"{(logit - info.logit_bias) / info.logit_scale:.3f}  {a}  {b}")  # the cosine


main(*sys.argv[1:])
