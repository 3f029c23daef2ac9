"""libclipcore.so by ctypes, for the scripts here: LIB=path/to/libclipcore.so, or the one of this tree's build."""
import ctypes as C, os
import numpy as np

lib = C.CDLL(os.environ.get("LIB", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/lib/libclipcore.so.1")))
lib.clip_last_error.restype = C.c_char_p

class Progress(C.Structure): _fields_ = [("fn", C.c_void_p), ("user", C.c_void_p)]
class ModelOptions(C.Structure): _fields_ = [("size", C.c_uint32), ("towers", C.c_uint32), ("storage", C.c_int), ("flags", C.c_uint32), ("progress", Progress), ("image_width", C.c_uint32), ("image_height", C.c_uint32)]
class Info(C.Structure):
    _fields_ = [(n, C.c_uint32) for n in ("size", "towers", "width", "image_width", "image_height", "context", "vocabulary", "has_bias")] + [("scale", C.c_float), ("bias", C.c_float), ("storage", C.c_int), ("layout", C.c_char_p)] + [(n, C.c_uint64) for n in ("image_parameters", "text_parameters", "memory")]
class EncodeOptions(C.Structure): _fields_ = [(n, C.c_uint32) for n in ("size", "flags", "background", "image_width", "image_height", "context")] + [("progress", Progress), ("prompt", C.c_char_p)]
class View(C.Structure): _fields_ = [("pixels", C.c_void_p), ("width", C.c_uint32), ("height", C.c_uint32), ("stride", C.c_size_t), ("format", C.c_int), ("orientation", C.c_uint32), ("full_width", C.c_uint32), ("full_height", C.c_uint32)]

def check(status):
    if status: raise RuntimeError(f"{status}: " + lib.clip_last_error().decode())

runtime = C.c_void_p(); check(lib.clip_runtime_create(None, C.byref(runtime)))

class Model:
    """Embeddings as rows of float32, of unit length unless `raw`."""
    def __init__(self, folder, towers=0, image_size=(0, 0), flags=0):
        """image_size: width and height; 0: the folder's."""
        self.handle = C.c_void_p(); options = ModelOptions(size=C.sizeof(ModelOptions), towers=towers, flags=flags, image_width=image_size[0], image_height=image_size[1])
        check(lib.clip_model_open(runtime, folder.encode(), C.byref(options), C.byref(self.handle)))
        self.info = Info(size=C.sizeof(Info)); check(lib.clip_model_describe(self.handle, C.byref(self.info)))
    def __del__(self): lib.clip_model_release(self.handle)
    def _options(self, raw, prompt):
        return EncodeOptions(size=C.sizeof(EncodeOptions), flags=2 | (1 if raw else 0), prompt=None if prompt is None else prompt.encode())
    def _rows(self, n): return np.zeros((n, self.info.width), np.float32)
    def texts(self, texts, raw=False, prompt=None):
        out = self._rows(len(texts)); list_ = (C.c_char_p * len(texts))(*[t.encode() for t in texts])
        check(lib.clip_encode_text(self.handle, list_, C.c_size_t(len(texts)), C.byref(self._options(raw, prompt)), out.ctypes.data_as(C.c_void_p), C.c_size_t(out.size))); return out
    def tokens(self, ids, raw=False):
        ids = np.ascontiguousarray(ids, np.int32); out = self._rows(len(ids))
        check(lib.clip_encode_tokens(self.handle, ids.ctypes.data_as(C.c_void_p), C.c_size_t(len(ids)), C.byref(self._options(raw, None)), out.ctypes.data_as(C.c_void_p), C.c_size_t(out.size))); return out
    def pixels(self, x, raw=False):
        x = np.ascontiguousarray(x, np.float32); out = self._rows(len(x))
        check(lib.clip_encode_pixels(self.handle, x.ctypes.data_as(C.c_void_p), C.c_size_t(len(x)), C.byref(self._options(raw, None)), out.ctypes.data_as(C.c_void_p), C.c_size_t(out.size))); return out
    def preprocess(self, images):
        """images: arrays [height, width, 3] of uint8."""
        out = np.zeros((len(images), 3, self.info.image_height, self.info.image_width), np.float32)
        images = [np.ascontiguousarray(i) for i in images]
        views = (View * len(images))(*[View(i.ctypes.data_as(C.c_void_p), i.shape[1], i.shape[0], 0, 1, 0, 0, 0) for i in images])
        check(lib.clip_preprocess(self.handle, views, C.c_size_t(len(images)), C.byref(self._options(False, None)), out.ctypes.data_as(C.c_void_p), C.c_size_t(out.size))); return out
