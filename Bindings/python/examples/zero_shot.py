"""Which of some labels fits each image?   zero_shot.py MODEL LABEL,LABEL... IMAGE..."""

import sys

import clipcore


def main(folder: str, labels: str, *images: str) -> None:
    names = labels.split(",")
    model = clipcore.Model(folder)
    texts = model.encode_texts([f"a photo of a {name}" for name in names])
    probabilities = model.classify(model.encode_images(images), texts)
    for i, image in enumerate(images):
        best = max(range(len(names)), key=lambda j: probabilities[i][j])
        print(f"{100 * probabilities[i][best]:5.1f} %  {names[best]}  {image}")


main(*sys.argv[1:])
