"""Writes photographs of 4000 x 3000 pixels for `clip index`: python photos.py FOLDER [COUNT]      needs numpy and pillow

Crops of the photographs in Tests/Fixtures/images, enlarged, some mirrored, with the noise of a sensor, so that a JPEG
has the 2 to 4 MB of a telephone's."""

import concurrent.futures
import os
import pathlib
import sys

import numpy as np
from PIL import Image

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "Tests/Fixtures/images"
NAMES = ["astronaut.png", "chelsea.png", "china.jpg", "coffee.png", "flower.jpg", "rocket.jpg"]
SIZE = (4000, 3000)


def write(folder, name, count, first, step):
    """Photographs first, first + step, ... below count, all of one source."""
    rng = np.random.default_rng(first)
    photo = Image.open(SOURCES / name).convert("RGB")
    scale = 1.15 * max(SIZE[0] / photo.width, SIZE[1] / photo.height)
    large = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.BICUBIC)
    noise = np.clip(rng.normal(0, 5, (SIZE[1], SIZE[0] + 512, 3)).round(), -128, 127).astype(np.int16)
    for number in range(first, count, step):
        x, y = (int(rng.integers(a - b + 1)) for a, b in zip(large.size, SIZE))
        crop = np.asarray(large.crop((x, y, x + SIZE[0], y + SIZE[1])), np.int16)
        shift = int(rng.integers(512))
        pixels = np.clip(crop + noise[:, shift : shift + SIZE[0]], 0, 255).astype(np.uint8)
        image = Image.fromarray(pixels[:, ::-1] if number % 2 else pixels)
        image.save(os.path.join(folder, f"{number:05}.jpg"), quality=int(rng.integers(86, 94)))


if __name__ == "__main__":
    folder, count = sys.argv[1], int((sys.argv[2:] or ["500"])[0])
    os.makedirs(folder, exist_ok=True)
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        list(pool.map(write, *zip(*((folder, name, count, i, len(NAMES)) for i, name in enumerate(NAMES)))))
