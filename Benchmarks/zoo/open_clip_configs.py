"""open_clip's own configs against the library, with random weights:
    python open_clip_configs.py open [CONFIG…]     # at full size, with weights that take no room: does it open?
    python open_clip_configs.py image [CONFIG…]    # image towers at their widths, two blocks deep where the config has the depth
    python open_clip_configs.py text [CONFIG…]     # text towers, likewise
Vocabularies are those of the small tokenizers of Tests/Fixtures. MOST skips towers of more parameters (default 5e8)."""
import copy, glob
from zoo import *
import open_clip, transformers
from open_clip.hf_model import HFTextEncoder
from open_clip.coca_model import CoCa
from open_clip.transform import PreprocessCfg, image_transform_v2
import open_clip.hf_model as hf_model
CONFIGS = {os.path.basename(f)[:-5]: json.load(open(f)) for f in sorted(glob.glob(os.path.dirname(open_clip.__file__) + "/model_configs/*.json"))}
MOST = float(os.environ.get("MOST", "5e8"))
T = transformers
ROBERTA = dict(max_position_embeddings=514, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5)
LARGE = dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
# What open_clip downloads by these names.
HUGGING_FACE = {
    "roberta-base": T.RobertaConfig(vocab_size=50265, **ROBERTA),
    "xlm-roberta-base": T.XLMRobertaConfig(vocab_size=250002, **ROBERTA),
    "xlm-roberta-large": T.XLMRobertaConfig(vocab_size=250002, **ROBERTA, **LARGE),
    "google/mt5-base": T.MT5Config(vocab_size=250112, d_model=768, d_kv=64, d_ff=2048, num_layers=12, num_heads=12),
    "google/mt5-xl": T.MT5Config(vocab_size=250112, d_model=2048, d_kv=64, d_ff=5120, num_layers=24, num_heads=32),
    "facebook/nllb-200-distilled-600M": T.M2M100Config(vocab_size=256206, d_model=1024, encoder_layers=12, decoder_layers=12, encoder_ffn_dim=4096, decoder_ffn_dim=4096, scale_embedding=True),
    "facebook/nllb-200-distilled-1.3B": T.M2M100Config(vocab_size=256206, d_model=1024, encoder_layers=24, decoder_layers=24, encoder_ffn_dim=8192, decoder_ffn_dim=8192, scale_embedding=True),
}
given = dict(HUGGING_FACE)
hf_model.AutoConfig = type("AutoConfig", (), {"from_pretrained": staticmethod(lambda name, **k: copy.deepcopy(given[name]))})

def tokenizer_of(text):
    """The files of the folder, and the size of the vocabulary where it is not the config's own."""
    name = text.get("hf_tokenizer_name", "")
    for word, tokenizer in (("SigLIP2", gemma_tokenizer), ("SigLIP", t5_tokenizer), ("mt5", t5_tokenizer), ("xlm", xlm_tokenizer), ("nllb", xlm_tokenizer),
                            ("roberta", roberta_tokenizer)):
        if word in name: return tokenizer()
    if "bert" in name: return wordpiece, 30522
    return byte_pairs, None

def preprocess(name):
    return dict(mean=[.5] * 3, std=[.5] * 3, interpolation="bicubic", resize_mode="squash") if "SigLIP" in name or "siglip" in name else dict(mean=CLIP_MEAN, std=CLIP_STD)

def build(config):
    c = copy.deepcopy(config); custom = c.pop("custom_text", False) or "hf_model_name" in c["text_cfg"]
    c["vision_cfg"]["timm_model_pretrained"] = False
    if "hf_model_name" in c["text_cfg"]: c["text_cfg"]["hf_model_pretrained"] = False
    return (CoCa if "multimodal_cfg" in c else open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**c)

def without_values():
    """Modules that are made from here on keep what memory they get: names and shapes are all that counts."""
    import timm.layers.weight_init
    for name in ("uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"):
        setattr(torch.nn.init, name, lambda tensor, *a, **k: tensor)
    timm.layers.weight_init._trunc_normal_ = lambda tensor, *a: tensor

def describe(d, config, name):
    json.dump({"model_cfg": config, "preprocess_cfg": preprocess(name)}, open(d + "/open_clip_config.json", "w"))

def family(config):
    v, t = config["vision_cfg"], config["text_cfg"]
    image = v.get("timm_model_name", "").split("_patch")[0].split("_mci")[0] or ("ResNet" if isinstance(v.get("layers"), list) else "CoCa" if "multimodal_cfg" in config else "ViT")
    return image, t.get("hf_model_name") or t.get("hf_tokenizer_name") or "byte pairs"

def opens(name):
    without_values()
    config = CONFIGS[name]; d = folder("open-" + name)
    with torch.device("meta"): model = build(config)
    holes(d + "/open_clip_model.safetensors", {k: (tuple(v.shape), "I64" if v.dtype == torch.int64 else "F32") for k, v in model.state_dict().items()})
    describe(d, config, name); tokenizer_of(config["text_cfg"])[0](d)
    import clipcore
    message = ""
    # CLIP_OPEN_WITHOUT_WEIGHTS: names and shapes are checked, elements are not.
    try: clipcore.Model(d, flags=2)
    except RuntimeError as e: message = str(e).replace(d, "FOLDER")[:400]
    record("open", " + ".join(family(config)), name, "refused" if message else "exact", message=message, parameters=sum(v.numel() for v in model.state_dict().values()))
    shutil.rmtree(d)

@torch.no_grad()
def image(name, config=None):
    c = copy.deepcopy(config or CONFIGS[name]); v = c["vision_cfg"]
    if isinstance(v.get("layers"), list): v["layers"] = [1, 1, 1, 1]
    elif "layers" in v: v["layers"] = 2
    c["text_cfg"] = {"context_length": 8, "vocab_size": 64, "width": 64, "heads": 1, "layers": 1, "output_tokens": c["text_cfg"].get("output_tokens", False)}
    if "multimodal_cfg" in c: c["multimodal_cfg"] = {"context_length": 8, "vocab_size": 64, "width": 64, "heads": 1, "layers": 1, "dim_head": 64, "n_queries": 8}
    with torch.device("meta"): size = sum(p.numel() for p in build(c).parameters())
    if size > MOST: return record("open_clip", family(CONFIGS[name])[0], name, "skipped", parameters=size)
    model = randomise(build(c)); d = folder("image-" + name); describe(d, c, name)
    transform = image_transform_v2(PreprocessCfg(size=model.visual.image_size, **preprocess(name)), is_train=False)
    pixels = [transform(Image.open(path))[None] for path in IMAGES]
    if not isinstance(v.get("layers"), list): calibrate(model, lambda: model.encode_image(torch.cat(pixels)))
    save(model, d + "/open_clip_model.safetensors")
    want = torch.cat([model.encode_image(x) for x in pixels])
    del model
    check("open_clip image", family(CONFIGS[name])[0], name, d, image=want)

@torch.no_grad()
def text(name, config=None):
    c = copy.deepcopy(config or CONFIGS[name]); t = c["text_cfg"]; files, size = tokenizer_of(t)
    if "layers" in t: t["layers"] = 2
    c["vision_cfg"] = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 32, "output_tokens": c["vision_cfg"].get("output_tokens", False)}
    if "multimodal_cfg" in c: c["multimodal_cfg"] = {"context_length": 8, "vocab_size": 64, "width": 64, "heads": 1, "layers": 1, "dim_head": 64, "n_queries": 8}
    d = folder("text-" + name); files(d)
    hf = t.get("hf_model_name")
    if hf:
        g = copy.deepcopy(HUGGING_FACE[hf]); g.vocab_size = size
        for key in ("num_layers", "num_hidden_layers", "encoder_layers", "num_decoder_layers", "decoder_layers"):
            if hasattr(g, key): setattr(g, key, 2)
        given[hf] = g; g.save_pretrained(d)
    elif size: t["vocab_size"] = size
    model = randomise(build(c)); describe(d, c, name); save(model, d + "/open_clip_model.safetensors")
    tokenizer = open_clip.get_tokenizer("local-dir:" + d)
    want = torch.cat([model.encode_text(tokenizer([caption])) for caption in CAPTIONS])
    check("open_clip text", family(CONFIGS[name])[1], name, d, text=want)

if __name__ == "__main__":
    task, names = {"open": opens, "image": image, "text": text}[sys.argv[1]], sys.argv[2:] or list(CONFIGS)
    # Configs that differ in nothing the task reads are one.
    seen = set()
    for name in names:
        c = CONFIGS[name]
        key = json.dumps({"image": [c["vision_cfg"], c["embed_dim"], c.get("quick_gelu"), preprocess(name)], "text": [c["text_cfg"], c["embed_dim"], c.get("quick_gelu"), "multimodal_cfg" in c]}.get(sys.argv[1], name), sort_keys=True)
        if key in seen: continue
        seen.add(key)
        try: task(name)
        except Exception as e:
            import traceback; traceback.print_exc(limit=4)
            record(task.__name__, "", name, "script failed", message=f"{type(e).__name__}: {e}"[:300])
