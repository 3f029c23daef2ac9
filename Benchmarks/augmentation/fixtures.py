"""Write Tests/Fixtures/reference/expected/augmentations.safetensors: torchvision's results for two small images. A
tensor's name is its pipeline."""
import itertools, json, sys
from unittest import mock
import numpy as np, torch, torchvision
from PIL import Image
from safetensors.numpy import save_file
from torchvision.transforms import InterpolationMode as I, autoaugment, functional as F
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F2

root = sys.argv[1]
photo = Image.open(f"{root}/Tests/Fixtures/images/coffee.png").convert("RGB")
source = photo.resize((53, 37), Image.LANCZOS, (100, 20, 500, 300))
middle = photo.resize((29, 23), Image.LANCZOS, (120, 40, 420, 280))
small = photo.resize((17, 11), Image.LANCZOS, (150, 60, 400, 260))
out = {"source": source, "middle": middle, "small": small}

def case(op, picture, **settings):
    out[json.dumps([dict(op=op, p=1, **settings)])] = picture

def pair(v): return [v, v]
for v in (0.7, 1.6): case("color_jitter", F.adjust_brightness(source, v), brightness=pair(v))
for v in (0.4, 1.8): case("color_jitter", F.adjust_contrast(source, v), contrast=pair(v))
for v in (0.3, 2.2): case("color_jitter", F.adjust_saturation(source, v), saturation=pair(v))
for v in (0.1, -0.35, 0.5): case("color_jitter", F.adjust_hue(source, v), hue=pair(v))
case("random_grayscale", F.to_grayscale(source, 3))
case("random_horizontal_flip", F.hflip(source))
for k, s in ((5, 1.25), ([9, 3], 0.5), (23, 4.0)):
    case("gaussian_blur", F.gaussian_blur(source, k, s), kernel_size=k, sigma=s)

modes = {"nearest": I.NEAREST, "bilinear": I.BILINEAR, "bicubic": I.BICUBIC}
for angle, mode, more in ((30, "nearest", {}), (-22.5, "bilinear", {"expand": True}), (75, "bicubic", {"fill": [10, 200, 30]}),
                          (90, "bilinear", {}), (180, "bilinear", {}), (90, "bicubic", {"expand": True}),
                          (45, "nearest", {"center": [5, 7]}), (45, "nearest", {"expand": True, "fill": [99]})):
    fill = more.get("fill", [0])
    turned = F.rotate(source, angle, modes[mode], more.get("expand", False), more.get("center"), fill * (3 // len(fill)))
    case("random_rotation", turned, degrees=pair(angle), interpolation=mode, **more)
for angle, scale, shear, mode, fill in ((15, 1.25, [10, 0], "nearest", [0]), (0, 0.5, [5, -8], "bilinear", [1, 2, 250]),
                                       (-40, 1.5, [0, 20], "bicubic", [128]), (0, 2, [0, 0], "nearest", [7])):
    case("random_affine", F.affine(source, angle, [0, 0], scale, shear, modes[mode], fill * (3 // len(fill))),
         degrees=pair(angle), scale=pair(scale), shear=[shear[0], shear[0], shear[1], shear[1]], interpolation=mode, fill=fill)
for tx in (-1, 0, 1):
    out[f"translate {tx}"] = F.affine(small, 0, [tx, 0], 1.0, [0, 0], I.BILINEAR, [0, 0, 0])

def crop(size, ratio, box, mode):
    top, left, height, width = box
    case("random_resized_crop", F.resized_crop(source, top, left, height, width, size, modes[mode]), size=size,
         scale=[1, 1], ratio=pair(ratio), interpolation=mode)
crop([24, 40], 53 / 37, (0, 0, 37, 53), "bicubic")
crop([31, 31], 2, (5, 0, 26, 53), "bilinear")
crop([20, 70], 1, (0, 8, 37, 37), "bicubic")
crop([17, 23], 53 / 37, (0, 0, 37, 53), "nearest")

for quality in (10, 60, 95):
    case("jpeg", F.to_pil_image(F2.jpeg(F.pil_to_tensor(source), quality)), quality=quality)

class Philox:
    """The random stream of seed 1, index 0 and the first step of a pipeline (docs/augmentation.md)."""
    def __init__(self):
        self.block, self.left = 0, []
        self.bits(), self.bits()  # decide whether the step is applied

    def bits(self):
        if not self.left:
            (a, b, c, d), key = (self.block, 1 << 24 | 1, 0, 0), (1, 0)
            for _ in range(10):
                first, second = a * 0xD2511F53, c * 0xCD9E8D57
                a, b, c, d = second >> 32 ^ b ^ key[0], second & 0xFFFFFFFF, first >> 32 ^ d ^ key[1], first & 0xFFFFFFFF
                key = (key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF
            self.left, self.block = [a, b, c, d], self.block + 1
        return self.left.pop(0)

    def rand(self, *size):
        return torch.tensor([(self.bits() >> 8) / 2**24 for _ in range(int(np.prod(size)))]).reshape(size)

    def randint(self, low, high, size):
        return torch.tensor([low + (self.bits() * (high - low) >> 32)])  # no rejection for so few values

def drawn(transform, picture):
    stream = Philox()
    with mock.patch("torch.rand", stream.rand), mock.patch("torch.randint", stream.randint):
        params = transform.make_params([picture])
    return transform.transform(picture, params)

for alpha, sigma, mode, fill in ((50, 5, "bilinear", 0), ([100, 30], [2, 4], "bilinear", [10, 200, 30]), (8, 0, "bilinear", 77),
                                 (90, 2, "nearest", 255)):
    transform = v2.ElasticTransform(alpha, sigma, modes[mode], fill)
    # torchvision requires more than half a kernel.
    case("elastic_transform", drawn(transform, source), alpha=alpha, sigma=sigma, interpolation=mode, fill=fill)
for distortion, mode, fill in ((0.5, "bilinear", 0), (1.0, "nearest", [10, 200, 30]), (0.3, "bicubic", 99), (0.0, "bilinear", 0)):
    transform = v2.RandomPerspective(distortion, 1, modes[mode], fill)
    case("random_perspective", drawn(transform, source), distortion_scale=distortion, interpolation=mode, fill=fill)

# Every order of the four jitters.
steps = [lambda p: F.adjust_brightness(p, 0.6), lambda p: F.adjust_contrast(p, 1.5),
         lambda p: F.adjust_saturation(p, 1.75), lambda p: F.adjust_hue(p, 0.125)]
for order in itertools.permutations(range(4)):
    picture = small
    for step in order: picture = steps[step](picture)
    out["jitter " + "".join(map(str, order))] = picture

# Every op of RandAugment, at magnitude 9 of 31.
space = autoaugment.RandAugment()._augmentation_space(31, (middle.height, middle.width))
for name, (magnitudes, signed) in space.items():
    for sign in ((1, -1) if signed else (1,)):
        m = float(magnitudes[9]) * sign if magnitudes.ndim else 0.0
        out[f"rand_augment {name}{'-' if sign < 0 else ''}"] = autoaugment._apply_op(middle, name, m, I.NEAREST, None)

save_file({k: np.ascontiguousarray(np.asarray(v, dtype=np.uint8)) for k, v in out.items()},
          f"{root}/Tests/Fixtures/reference/expected/augmentations.safetensors")
print(len(out), torchvision.__version__)
