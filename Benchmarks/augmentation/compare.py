"""compare.py ROOT [ROUNDS]: time the default pipeline and normalisation of a 640 x 427 image, clipcore against torchvision
with Pillow, in turns, each on one thread. ROOT contains build/."""
import ctypes as c, json, os, statistics, sys, tempfile, time
import numpy as np, PIL, torch, torchvision
from PIL import Image
from safetensors.numpy import save_file
from torchvision import transforms as T

root, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 500
mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
photo = Image.open(f"{root}/Tests/Fixtures/images/china.jpg").convert("RGB")
torch.set_num_threads(1)

class View(c.Structure):
    _fields_ = [("pixels", c.c_void_p), ("width", c.c_uint32), ("height", c.c_uint32), ("stride", c.c_size_t), ("format", c.c_int)]

class Options(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("towers", c.c_uint32), ("storage", c.c_int), ("flags", c.c_uint32)]

core = c.CDLL(f"{root}/build/lib/libclipcore.so.1", c.RTLD_GLOBAL)
tools = c.CDLL(f"{root}/build/lib/libcliptools.so.1")
core.clip_last_error.restype = c.c_char_p

def call(name, *arguments):
    if getattr(tools, name)(*arguments): raise RuntimeError(core.clip_last_error().decode())

def make(name, *arguments):
    out = c.c_void_p()
    call(name, *arguments, c.byref(out))
    return out

def write_model(folder):
    """The smallest model folder for 224 x 224 pixels; clip_preprocess does not run the model."""
    config = dict(image_height=224, image_width=224, patch_size=224, width=4, layers=1, heads=1, mlp_width=4, embed_dim=4)
    shapes = {"conv1.weight": (4, 3, 224, 224), "class_embedding": 4, "positional_embedding": (2, 4), "proj.weight": (4, 4)}
    block = "transformer.resblocks.0."
    for norm in ("ln_pre", "ln_post", block + "ln_1", block + "ln_2"): shapes |= {norm + ".weight": 4, norm + ".bias": 4}
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        shapes |= {f"{block}attn.{part}.weight": (4, 4), f"{block}attn.{part}.bias": 4}
    for part in ("c_fc", "c_proj"): shapes |= {f"{block}mlp.{part}.weight": (4, 4), f"{block}mlp.{part}.bias": 4}
    save_file({name: np.zeros(shape, "f") for name, shape in shapes.items()}, f"{folder}/model.safetensors")
    image = dict(encoder="clipcore.encoder.clip-vit", config=config, preprocess=dict(size=224, mean=mean, std=std))
    with open(f"{folder}/clipcore.json", "w") as file: json.dump(dict(version=1, embed_dim=4, image=image), file)

runtime = make("clip_runtime_create", None)
pipeline = make("clip_pipeline_create", runtime, b'"default"')
with tempfile.TemporaryDirectory() as folder:
    write_model(folder)
    model = make("clip_model_open", runtime, folder.encode(), c.byref(Options(c.sizeof(Options), 1, 0, 0)))
pixels = np.ascontiguousarray(photo)
view = View(pixels.ctypes.data, photo.width, photo.height, 0, 1)
output = np.empty((3, 224, 224), "f")

def ours(index):
    picture = make("clip_augment_image", pipeline, c.byref(view), c.c_uint64(1), c.c_uint64(index))
    varied = View()
    call("clip_image_get_view", picture, c.byref(varied))
    call("clip_preprocess", model, c.byref(varied), c.c_size_t(1), None, output.ctypes.data_as(c.c_void_p), c.c_size_t(output.size))
    core.clip_image_release(picture)

theirs = T.Compose([
    T.RandomResizedCrop(224, scale=(0.9, 1.0), interpolation=T.InterpolationMode.BICUBIC), T.RandomHorizontalFlip(),
    T.ColorJitter(0.1, 0.1, 0.1, 0.1), T.RandomGrayscale(0.1), T.ToTensor(), T.Normalize(mean, std)])

times = {"clipcore": [], "torchvision": []}
for index in range(rounds):
    for name, run in (("clipcore", lambda: ours(index)), ("torchvision", lambda: theirs(photo))):
        begin = time.perf_counter()
        run()
        times[name].append(1e3 * (time.perf_counter() - begin))
medians = {name: statistics.median(values[rounds // 10:]) for name, values in times.items()}
print(f"torchvision {torchvision.__version__}, Pillow {PIL.__version__}, torch {torch.__version__}, {rounds} rounds")
for name, median in medians.items(): print(f"{name:12} {median:.3f} ms")
print(f"ratio {medians['torchvision'] / medians['clipcore']:.2f}")
