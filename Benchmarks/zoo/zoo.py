"""What the zoo's scripts share: random weights, model folders, and the comparison of libclipcore.so (see clipcore.py) with the
library a folder is from. ZOO is the folder for models and results.jsonl (build/zoo); SEED draws other weights."""
import json, math, os, pathlib, shutil, struct, sys
os.environ.setdefault("HF_HUB_OFFLINE", "1"); os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
import numpy as np, torch
from PIL import Image
from safetensors.torch import load_file, save_file
torch.set_num_threads(1)
ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "Tests/Fixtures"
ZOO = pathlib.Path(os.environ.get("ZOO", str(ROOT / "build/zoo")))
SEED = int(os.environ.get("SEED", "5"))
IMAGES = [str(FIXTURES / "images" / name) for name in ("astronaut.png", "chelsea.png", "china.jpg")]
CAPTIONS = ["a photo of a cat", "An astronaut's PORTRAIT, 1993!", "zwei Tassen Kaffee auf dem Tisch – schön", "🚀 rocket launch at night",
            "a very long caption " + "that goes on and on " * 40]
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]

@torch.no_grad()
def randomise(model, seed=None, gain=1.0):
    """No parameter is left at 0 or 1, and activations stay near 1."""
    g = torch.Generator().manual_seed(SEED if seed is None else seed)
    normal = lambda t: torch.randn(t.shape, generator=g)
    uniform = lambda t: torch.rand(t.shape, generator=g)
    for name, t in model.named_buffers():
        if name.endswith("running_mean"): t.copy_(0.1 * normal(t))
        elif name.endswith("running_var"): t.copy_(0.5 + uniform(t))
    for name, t in model.named_parameters():
        low = name.lower(); last = low.split(".")[-1]
        if "logit_scale" in low and t.numel() == 1: t.fill_(3.1)
        elif "logit_bias" in low: t.fill_(-4.2)
        elif last in ("gamma", "gamma_1", "gamma_2") or last.startswith("lambda") or any(x in low for x in ("layer_scale", "layerscale", ".ls1", ".ls2", ".ls_")):
            t.copy_(0.2 + 0.3 * uniform(t))
        elif t.ndim <= 1: t.copy_(1 + 0.2 * normal(t) if last in ("weight", "g", "scale") else 0.1 * normal(t))
        elif t.ndim < 4 and any(x in low for x in ("pos", "embed", "cls", "class", "probe", "token", "latent")) or t.ndim == 3 and "query" in low:
            t.copy_((0.5 if t.ndim == 3 else 0.3) * normal(t))
        else: t.copy_(gain * normal(t) / math.sqrt(t[0].numel()))
    return model.eval()

@torch.no_grad()
def calibrate(model, run):
    """Gives batch norms the statistics of `run`'s inputs. With random ones a deep network multiplies the last bit of its
    activations until the library differs from itself in float64 by 1e-3."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    for m in norms: m.momentum = None; m.reset_running_stats(); m.train()
    if norms: run()
    return model.eval()

def folder(name):
    """An empty folder for a model."""
    d = ZOO / "models" / name.replace("/", "_").replace(" ", "-"); shutil.rmtree(d, ignore_errors=True); d.mkdir(parents=True)
    return str(d)

def embed(d, images=None, texts=None):
    """The embeddings of the files or of the texts, or the message of what failed."""
    import clipcore
    try:
        m = clipcore.Model(d, towers=1 if images else 2)
        if texts: return None, torch.from_numpy(m.texts(texts))
        return None, torch.from_numpy(m.pixels(m.preprocess([np.asarray(Image.open(path).convert("RGB")) for path in images])))
    except RuntimeError as error: return str(error).replace(d, "FOLDER"), None

def unit(x): return torch.nn.functional.normalize(x.double(), dim=-1)

def compare(want, found):
    if want.shape != found.shape: return f"shape {list(found.shape)} for {list(want.shape)}", 0.0, 1.0
    want, found = unit(want), found.double()
    return None, (want * unit(found)).sum(-1).min().item(), (want - found).abs().max().item()

def record(task, family, name, verdict, **row):
    ZOO.mkdir(parents=True, exist_ok=True)
    row = dict(task=task, family=family, name=name, seed=SEED, verdict=verdict, **row)
    with open(ZOO / "results.jsonl", "a") as f: f.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(json.dumps(row, ensure_ascii=False)[:600], flush=True)

def check(task, family, name, d, image=None, text=None, images=None, texts=None):
    """Compares what the library makes of the folder with the reference's embeddings, records it, and removes the folder."""
    images, texts = IMAGES if images is None else images, CAPTIONS if texts is None else texts
    row, verdict = {}, "exact"
    for kind, want, options in (("image", image, dict(images=images)), ("text", text, dict(texts=texts))):
        if want is None: continue
        message, found = embed(d, **options)
        if message: verdict, row[kind] = "refused", message[:600]; continue
        message, cosine, worst = compare(want, found)
        row[kind] = message or dict(cosine=round(cosine, 9), worst=float(f"{worst:.2g}"))
        if not (cosine > 0.99999 and worst < 1e-4) and verdict == "exact": verdict = "WRONG"
    record(task, family, name, verdict, **row)
    if not os.environ.get("KEEP"): shutil.rmtree(d, ignore_errors=True)
    return verdict == "exact"

def holes(path, shapes):
    """A safetensors file with the names, shapes and element types of {name: (shape, type)}, whose elements take no room."""
    sizes, head, end = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8}, {}, 0
    for name, (shape, kind) in shapes.items():
        size = sizes[kind] * math.prod(shape)
        head[name] = dict(dtype=kind, shape=list(shape), data_offsets=[end, end + size]); end += size
    text = json.dumps(head).encode(); text += b" " * (-len(text) % 8)
    with open(path, "wb") as f: f.write(struct.pack("<Q", len(text)) + text); f.truncate(8 + len(text) + end)

def save(model, path, change=None):
    tensors = {k: v.detach().clone().contiguous() for k, v in model.state_dict().items()}
    save_file(change(tensors) if change else tensors, path)

# Tokenizer files, as the hub's folders have them.

def byte_pairs(d):
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"): shutil.copy(FIXTURES / "tokenizer" / name, d)

def wordpiece(d):
    import transformers
    transformers.BertTokenizerFast(vocab_file=str(FIXTURES / "tokenizer/wordpiece/vocab.txt")).save_pretrained(d)

def pipeline(part, kind, specials, single):
    """A small tokenizer.json of Tests/Fixtures under the class of a hub's folder: with its special tokens from id 0 on, and
    `single` around a text, such as "A </s>"."""
    file = json.load(open(FIXTURES / f"tokenizer/parts/{part}.json")); model = file["model"]; old = {a["content"] for a in file["added_tokens"]}
    if model["type"] == "Unigram":
        model["vocab"] = [[s, 0.0] for s in specials] + [x for x in model["vocab"] if x[0] not in old]; model["unk_id"] = specials.index("<unk>"); size = len(model["vocab"])
    else:
        rest = [k for k, _ in sorted(model["vocab"].items(), key=lambda x: x[1]) if k not in old]
        model["vocab"] = {k: i for i, k in enumerate(list(specials) + rest)}; size = len(model["vocab"])
    flags = dict(special=True, normalized=False, lstrip=False, rstrip=False, single_word=False)
    file["added_tokens"] = [dict(id=i, content=s, **flags) for i, s in enumerate(specials)]
    piece = lambda x: {"Sequence": {"id": x, "type_id": 0}} if x in "AB" else {"SpecialToken": {"id": x, "type_id": 0}}
    file["post_processor"] = {"type": "TemplateProcessing", "single": [piece(x) for x in single.split()], "pair": [piece("A"), piece("B")],
                              "special_tokens": {x: {"id": x, "ids": [specials.index(x)], "tokens": [x]} for x in single.split() if x != "A"}}
    names = dict(bos_token=("<s>", "<bos>"), eos_token=("</s>", "<eos>"), pad_token=("<pad>",), unk_token=("<unk>",))
    config = {key: next(x for x in found if x in specials) for key, found in names.items() if set(found) & set(specials)}
    def files(d):
        json.dump(file, open(d + "/tokenizer.json", "w"))
        json.dump(dict(tokenizer_class=kind, padding_side="right", clean_up_tokenization_spaces=False, **config), open(d + "/tokenizer_config.json", "w"))
    return files, size

def t5_tokenizer(): return pipeline("t5", "PreTrainedTokenizerFast", ["<pad>", "</s>", "<unk>"], "A </s>")
def gemma_tokenizer(): return pipeline("gemma", "PreTrainedTokenizerFast", ["<pad>", "<eos>", "<bos>", "<unk>"], "A <eos>")
def xlm_tokenizer(): return pipeline("xlmr", "PreTrainedTokenizerFast", ["<s>", "<pad>", "</s>", "<unk>"], "<s> A </s>")
def roberta_tokenizer(): return pipeline("roberta", "PreTrainedTokenizerFast", ["<s>", "<pad>", "</s>", "<unk>"], "<s> A </s>")
