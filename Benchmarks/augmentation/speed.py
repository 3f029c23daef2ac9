"""Times the default pipeline on a 640 x 427 picture against torchvision with Pillow, one thread each, in one run.

    python speed.py ROOT    (ROOT has build/lib; needs torchvision and Pillow)"""
import ctypes as C, os, sys, time
os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np, torch
from PIL import Image
from torchvision import transforms as T

class View(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("format", C.c_uint32), ("width", C.c_uint32), ("height", C.c_uint32),
                ("stride", C.c_size_t), ("pixels", C.c_void_p)]

root = sys.argv[1]
torch.set_num_threads(1)
picture = Image.open(f"{root}/Tests/Fixtures/images/china.jpg").convert("RGB").resize((640, 427))
pixels = np.ascontiguousarray(np.asarray(picture))
library = C.CDLL(f"{root}/build/lib/libclipcore.so.1")
runtime, pipeline = C.c_void_p(), C.c_void_p()
assert library.clip_runtime_create(None, C.byref(runtime)) == 0
assert library.clip_pipeline_create(runtime, b'"default"', C.byref(pipeline)) == 0
view = View(C.sizeof(View), 1, 640, 427, 640 * 3, pixels.ctypes.data)

def ours(index):
    image = C.c_void_p()
    assert library.clip_augment_image(pipeline, C.byref(view), C.c_uint64(1), C.c_uint64(index), C.byref(image)) == 0
    library.clip_image_free(image)

theirs = T.Compose([T.RandomResizedCrop(224, scale=(0.9, 1.0), interpolation=T.InterpolationMode.BICUBIC),
                    T.RandomHorizontalFlip(), T.ColorJitter(0.1, 0.1, 0.1, 0.1), T.RandomGrayscale(0.1)])

def timed(work, count=40):
    start = time.process_time()
    for index in range(count): work(index)
    return (time.process_time() - start) / count * 1e3

rounds = [(timed(ours), timed(lambda _: theirs(picture))) for _ in range(12)]
mine, other = (sorted(r[i] for r in rounds) for i in (0, 1))
print(f"clipcore {mine[0]:.2f} ms (median {mine[6]:.2f}), torchvision {other[0]:.2f} ms (median {other[6]:.2f}), "
      f"ratio {other[0] / mine[0]:.2f} (median {sorted(b / a for a, b in rounds)[6]:.2f})")
