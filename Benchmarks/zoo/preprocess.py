"""Pixels of each image processor over random sizes from 300 to 999: COUNT=300 SEED=1 python preprocess.py [FAMILY…]. For
each: the part of all values that differ from the reference library's, and the largest difference in steps of a byte.
The reference is transformers' Pillow backend, for DINOv3 its torchvision backend, and timm's and torchvision's own
transforms; the torchvision backend of the others, which resizes bytes otherwise than Pillow, is measured beside it."""
import sys
from families import *
import torchvision as V_, timm as M
from PIL import Image
COUNT = int(os.environ.get("COUNT", "300"))
rng = np.random.default_rng(SEED)

def picture():
    """Smooth shapes with noise, so that rounding matters everywhere."""
    h, w = rng.integers(300, 1000, 2); y, x = np.mgrid[0:h, 0:w]
    base = 128 + 100 * np.sin(x[..., None] / rng.uniform(3, 60, 3) + y[..., None] / rng.uniform(3, 60, 3))
    return np.clip(base + rng.normal(0, 20, (h, w, 3)), 0, 255).astype(np.uint8)

def measure(name, d, reference, step, counts=True):
    """step: a byte's step after normalisation, for each channel."""
    model = clipcore.Model(d); off = total = 0; worst = 0.0
    for _ in range(COUNT):
        p = picture(); want = np.asarray(reference(p), np.float32); got = model.preprocess([p])[0]
        if want.shape != got.shape: failures.append(name); print(f"{name:36} WRONG SHAPE {want.shape} {got.shape}"); return
        steps = np.abs(want - got) / np.asarray(step, np.float32).reshape(3, 1, 1)
        off += (steps > 0.5).sum(); total += steps.size; worst = max(worst, steps.max())
    fine = off / total <= 1e-3 and worst < 1.01
    if not fine and counts: failures.append(name)
    print(f"{name:36} {'fine ' if fine else 'WRONG' if counts else 'other'} {100 * off / total:.4f} % off, at most {worst:.3f}", flush=True)

def hugging_face(name, config, model, kind, **options):
    d = folder(); randomise(model(config)).save_pretrained(d); write(d, "preprocessor_config.json", {"image_processor_type": kind, **options})
    for backend in ("pil", "torchvision"):
        try: p = T.AutoImageProcessor.from_pretrained(d, backend=backend)
        except Exception: continue
        if backend == "torchvision" and "Fast" not in type(p).__name__ and "Pil" in type(p).__name__: continue
        std = np.asarray(p.image_std if p.do_normalize else [1.0] * 3) * (np.asarray(p.image_std) if getattr(p, "include_top", False) else 1)
        measure(f"{name} ({backend})", d, lambda x: p(images=Image.fromarray(x), return_tensors="np")["pixel_values"][0], p.rescale_factor / std, counts=backend == "pil" or "DINOv3" in kind)
L = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
CNN = dict(hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1])
FAMILIES = {
    "clip": lambda n: hugging_face(n, T.CLIPVisionConfig(**L, image_size=224, patch_size=32), T.CLIPVisionModel, "CLIPImageProcessor"),
    "bit": lambda n: hugging_face(n, T.Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=224, patch_size=14), T.Dinov2Model, "BitImageProcessor", size={"shortest_edge": 256}),
    "siglip": lambda n: hugging_face(n, T.SiglipVisionConfig(**L, image_size=224, patch_size=32), T.SiglipVisionModel, "SiglipImageProcessor"),
    "vit": lambda n: hugging_face(n, T.ViTConfig(**L, image_size=224, patch_size=32), T.ViTModel, "ViTImageProcessor"),
    "deit": lambda n: hugging_face(n, T.DeiTConfig(**L, image_size=224, patch_size=32), T.DeiTModel, "DeiTImageProcessor"),
    "beit": lambda n: hugging_face(n, T.BeitConfig(**L, image_size=224, patch_size=32), T.BeitModel, "BeitImageProcessor"),
    "dinov3": lambda n: hugging_face(n, T.DINOv3ViTConfig(**L, image_size=224, patch_size=32, num_register_tokens=1), T.DINOv3ViTModel, "DINOv3ViTImageProcessor"),
    "convnext 384": lambda n: hugging_face(n, T.ConvNextConfig(**CNN), T.ConvNextModel, "ConvNextImageProcessor"),
    "convnext 224": lambda n: hugging_face(n, T.ConvNextConfig(**CNN), T.ConvNextModel, "ConvNextImageProcessor", size={"shortest_edge": 224}),
    "mobilevit": lambda n: hugging_face(n, T.MobileViTConfig(hidden_sizes=[8, 8, 8], neck_hidden_sizes=[8] * 7), T.MobileViTModel, "MobileViTImageProcessor", size={"shortest_edge": 288}),
    "blip": lambda n: hugging_face(n, T.ViTConfig(**L, image_size=384, patch_size=32), T.ViTModel, "BlipImageProcessor"),
    "efficientnet": lambda n: hugging_face(n, T.EfficientNetConfig(width_coefficient=0.2, depth_coefficient=0.1, hidden_dim=256), T.EfficientNetModel, "EfficientNetImageProcessor"),
    "efficientnet crop": lambda n: hugging_face(n, T.EfficientNetConfig(width_coefficient=0.2, depth_coefficient=0.1, hidden_dim=256), T.EfficientNetModel, "EfficientNetImageProcessor", do_center_crop=True, crop_size={"height": 289, "width": 289}, rescale_offset=True, rescale_factor=1 / 127.5, do_normalize=False, include_top=False, resample=2),
}

def timm(n, **c):
    d = folder(); m = randomise(M.create_model("test_vit", img_size=c["input_size"][1])); save_file(m.state_dict(), d + "/model.safetensors")
    c = {**dict(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225], interpolation="bicubic", crop_pct=0.9, crop_mode="center"), **c}; write(d, "config.json", dict(architecture="test_vit", pretrained_cfg=c))
    t = M.data.create_transform(**M.data.resolve_data_config({}, pretrained_cfg={**c, "input_size": tuple(c["input_size"])}))
    measure(n, d, lambda x: t(Image.fromarray(x)), 1 / 255 / np.asarray(c["std"]))
FAMILIES["timm center"] = lambda n: timm(n, input_size=[3, 224, 224])
FAMILIES["timm bilinear 0.875"] = lambda n: timm(n, input_size=[3, 224, 224], interpolation="bilinear", crop_pct=0.875)
FAMILIES["timm squash"] = lambda n: timm(n, input_size=[3, 240, 240], crop_mode="squash", crop_pct=1.0)
FAMILIES["timm squash, crop"] = lambda n: timm(n, input_size=[3, 224, 224], crop_mode="squash", crop_pct=0.95)

def torchvision_file(n, arch, file):
    d = folder(); torch.save(randomise(getattr(V_.models, arch)()).state_dict(), f"{d}/{file}.pth")
    t = next(w.transforms() for w in V_.models.get_model_weights(arch) if file in w.url); measure(n, d, lambda x: t(Image.fromarray(x)), 1 / 255 / np.asarray(t.std))
FAMILIES["torchvision resnet18"] = lambda n: torchvision_file(n, "resnet18", "resnet18-f37072fd")
FAMILIES["torchvision efficientnet_b1"] = lambda n: torchvision_file(n, "efficientnet_b1", "efficientnet_b1-c27df63c")
FAMILIES["torchvision swin_t"] = lambda n: torchvision_file(n, "swin_t", "swin_t-704ceda3")

if __name__ == "__main__":
    for name in sys.argv[1:] or FAMILIES: FAMILIES[name](name)
    print(f"{len(failures)} failures", *failures); sys.exit(bool(failures))
