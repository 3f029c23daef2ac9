"""Families of transformers, sentence-transformers, timm and torchvision with random weights against the library:
SEED=1 python families.py [CASE…]. A line for each: the largest difference and the least cosine. Words and comparison are
those of clipcore.py; models are small."""
import json, math, os, shutil, sys, tempfile
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import numpy as np, torch, transformers as T
from safetensors.torch import save_file, load_file
import clipcore
T.logging.set_verbosity_error(); T.logging.disable_progress_bar(); torch.set_num_threads(1)
SEED = int(os.environ.get("SEED", "1"))
TOKENIZERS = os.environ.get("TOKENIZERS", "/work/shared/tokenizer")
TEXTS = ["a photo of a cat", "Zwei Hunde, 3.5 km from the sea!", "", "a", "red panda climbing a tree in the rain while it snows elsewhere"]
S = dict(vocab_size=30522, hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, max_position_embeddings=64)
V = dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, image_size=32, patch_size=8)
failures = []

@torch.no_grad()
def randomise(model, scale=1.0):
    """No parameter or statistic is left at 0 or 1."""
    g = torch.Generator().manual_seed(SEED)
    for name, p in list(model.named_parameters()) + [b for b in model.named_buffers() if "running" in b[0]]:
        r = torch.randn(p.shape, generator=g)
        if "running_var" in name: p.copy_(0.5 + torch.rand(p.shape, generator=g))
        elif "logit_scale" in name or "temperature" in name: p.copy_(torch.full_like(p, 0.7))
        elif p.ndim > 1 and p.shape[0] != 1: p.copy_(scale * r / math.sqrt(p[0].numel()))
        else: p.copy_(0.3 * r + (1 if p.ndim == 1 and name.endswith("weight") else 0))
    return model.eval()

def folder(): return tempfile.mkdtemp(prefix="zoo-")
def write(d, name, value):
    os.makedirs(os.path.dirname(f"{d}/{name}"), exist_ok=True); json.dump(value, open(f"{d}/{name}", "w"))
def wordpiece(d):
    for n in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"): shutil.copy(f"{TOKENIZERS}/wordpiece/{n}", d)
def unit(x): x = np.asarray(x, np.float64); return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)

def compare(name, want, got):
    want, got = unit(want), np.asarray(got, np.float64)
    if want.shape != got.shape: failures.append(name); print(f"{name:36} WRONG SHAPE {want.shape} {got.shape}"); return
    worst, cosine = np.abs(want - got).max(), (want * unit(got)).sum(-1).min()
    fine = worst < 1e-4 and cosine > 0.99999
    if not fine: failures.append(name)
    print(f"{name:36} {'exact' if fine else 'WRONG'} {worst:.1e} {cosine:.7f}", flush=True)

def refuses(name, d, words, use=lambda m: None):
    try: use(clipcore.Model(d))
    except RuntimeError as e:
        if words in str(e): print(f"{name:36} refused: {str(e).replace(d, 'DIR')[:110]}")
        else: failures.append(name); print(f"{name:36} WRONG MESSAGE {e}")
    else: failures.append(name); print(f"{name:36} OPENS")

CASES = {}
def case(f): CASES[f.__name__] = f; return f

# ---------------------------------------------------------------- sentence-transformers
def sentence(name, modules=(), sub="", config={}, files={}, prompt=None, transformer=lambda: T.BertModel(T.BertConfig(**S))):
    from sentence_transformers import SentenceTransformer
    d = folder(); place = f"{d}/{sub}" if sub else d; os.makedirs(place, exist_ok=True)
    m = randomise(transformer()); m.save_pretrained(place); wordpiece(place)
    write(place, "tokenizer_config.json", {**json.load(open(f"{place}/tokenizer_config.json")), "model_max_length": 40})
    listed = [("Transformer", sub)] + [(k, p) for k, p, *_ in modules]
    write(d, "modules.json", [dict(idx=i, name=str(i), path=p, type="sentence_transformers.models." + k) for i, (k, p) in enumerate(listed)])
    for kind, path, options, *tensors in modules:
        write(d, f"{path}/config.json", options)
        for t in tensors: save_file(t, f"{d}/{path}/model.safetensors") if path[0] != "p" else torch.save(t, f"{d}/{path}/pytorch_model.bin")
    write(d, "config_sentence_transformers.json", {"__version__": {}, **config})
    for f, v in files.items(): write(d, f, v)
    st = SentenceTransformer(d, device="cpu")
    want = st.encode(TEXTS, prompt_name=prompt)
    compare(name, want, clipcore.Model(d).texts(TEXTS, prompt=prompt)); return d
MEAN = ("Pooling", "1_Pooling", {"word_embedding_dimension": 48, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False})
def dense(path, i, o, act, bias=True):
    g = torch.Generator().manual_seed(SEED + i)
    t = {"linear.weight": torch.randn(o, i, generator=g) / math.sqrt(i)}
    if bias: t["linear.bias"] = 0.3 * torch.randn(o, generator=g)
    return ("Dense", path, dict(in_features=i, out_features=o, bias=bias, activation_function="torch.nn.modules." + act), t)

@case
def sentence_transformers():
    tanh = dense("2_Dense", 48, 32, "activation.Tanh")
    sentence("st: dense tanh", [MEAN, tanh, ("Normalize", "3_Normalize", {})])
    sentence("st: pickled dense, two", [MEAN, dense("p_Dense", 48, 96, "linear.Identity", False), dense("3_Dense", 96, 40, "activation.GELU")])
    sentence("st: normalize before dense", [MEAN, ("Normalize", "2_Normalize", {}), dense("3_Dense", 48, 20, "activation.ReLU")])
    sentence("st: layer norm, dropout", [MEAN, ("Dropout", "2_Dropout", {"dropout": 0.2}), ("LayerNorm", "3_LN", {"dimension": 48}, {"norm.weight": torch.randn(48), "norm.bias": torch.randn(48)})])
    sentence("st: 0_Transformer", [MEAN, tanh], sub="0_Transformer", files={"0_Transformer/sentence_bert_config.json": {"max_seq_length": 10, "do_lower_case": False}})
    sentence("st: length of the tokenizer", [MEAN])
    sentence("st: max_seq_length null", [MEAN], files={"sentence_bert_config.json": {"max_seq_length": None}})
    sentence("st: pooling_mode word", [("Pooling", "1_Pooling", {"embedding_dimension": 48, "pooling_mode": "cls", "include_prompt": True}), tanh])
    prompts = {"prompts": {"query": "query: ", "passage": "passage  text: ", "none": ""}}
    for name in ("query", "passage", "none"): sentence("st: prompt " + name, [MEAN], config=prompts, prompt=name)
    d = sentence("st: default prompt", [MEAN], config={**prompts, "default_prompt_name": "passage"})
    sentence("st: prompt over the default", [MEAN], config={**prompts, "default_prompt_name": "passage"}, prompt="query")
    refuses("st: unknown prompt", d, "options.prompt", lambda m: m.texts(["a"], prompt="nobody"))
    write(d, "1_Pooling/config.json", {**MEAN[2], "include_prompt": False}); refuses("st: excluded prompt", d, "include_prompt")
    d = sentence("st: mpnet", [MEAN, tanh], transformer=lambda: T.MPNetModel(T.MPNetConfig(**S, pad_token_id=0)))
    for key, value, words in [("activation_function", "torch.nn.modules.activation.Hardswish", "activation_function"), ("use_residual", True, "use_residual"), ("in_features", 32, "in_features"), ("module_input_name", "token_embeddings", "module_input_name")]:
        write(d, "2_Dense/config.json", {**tanh[2], key: value}); refuses("st: dense " + key, d, words)
    write(d, "2_Dense/config.json", tanh[2]); os.remove(d + "/2_Dense/model.safetensors"); refuses("st: dense without weights", d, "2_Dense")

# ---------------------------------------------------------------- two towers
G = torch.Generator().manual_seed(SEED)
def tokens(d, texts=TEXTS):
    return T.BertTokenizerFast.from_pretrained(d)(texts, padding=True, truncation=True, max_length=40, return_tensors="pt")
def processor(d, kind="CLIPImageProcessor", side=32, **kw):
    write(d, "preprocessor_config.json", {**dict(image_processor_type=kind, size={"height": side, "width": side}, crop_size={"height": side, "width": side}, do_center_crop=True), **kw})
def feature(x): return x if torch.is_tensor(x) else x.pooler_output

@torch.no_grad()
def pair(name, model, kind="CLIPImageProcessor", side=32, scale=lambda m: m.logit_scale.exp(), image=lambda m, x: feature(m.get_image_features(x)), text=lambda m, e: feature(m.get_text_features(**e)), edit=None, **kw):
    d = folder(); m = randomise(model); m.save_pretrained(d); wordpiece(d); processor(d, kind, side, **kw)
    if edit: edit(d)
    c = json.load(open(d + "/tokenizer_config.json")); c["model_max_length"] = 40; write(d, "tokenizer_config.json", c)
    x = torch.randn(3, 3, side, side, generator=G)
    e = tokens(d); e = {k: e[k] for k in ("input_ids", "attention_mask")}
    try: found = clipcore.Model(d)
    except RuntimeError as error: failures.append(name); print(f"{name:36} {str(error)[:1500]}"); return d
    compare(name + ", image", image(m, x), found.pixels(x)); compare(name + ", text", text(m, e), found.texts(TEXTS))
    if abs(found.info.scale / float(scale(m)) - 1) > 1e-5: failures.append(name); print(name, "SCALE", found.info.scale, float(scale(m)))
    return d

@case
def pairs():
    pair("chinese_clip", T.ChineseCLIPModel(T.ChineseCLIPConfig(text_config=S, vision_config=V, projection_dim=20)), "ChineseCLIPImageProcessor")
    A = {**S, "pad_token_id": 0, "type_vocab_size": 1, "project_dim": 28}
    pair("altclip", T.AltCLIPModel(T.AltCLIPConfig(text_config=A, vision_config=V, projection_dim=20)))
    pair("metaclip_2 clip tokens", T.MetaClip2Model(T.MetaClip2Config(text_config={**S, "eos_token_id": 102, "bos_token_id": 101, "pad_token_id": 0}, vision_config=V, projection_dim=20)), text=lambda m, e: feature(m.get_text_features(**e)))
    ids = np.full((2, 64), 1); ids[0, :6] = [0, 900, 2, 30000, 5, 2]; ids[1, :4] = [0, 9, 8, 2]
    d = folder(); m = randomise(T.MetaClip2Model(T.MetaClip2Config(text_config={**S, "eos_token_id": 2, "bos_token_id": 0, "pad_token_id": 1}, vision_config=V, projection_dim=20))); m.save_pretrained(d); processor(d); wordpiece(d)
    with torch.no_grad(): compare("metaclip_2 eos 2", feature(m.get_text_features(torch.tensor(ids))), clipcore.Model(d).tokens(ids))
    def dual(v, t): return T.VisionTextDualEncoderModel(vision_model=v, text_model=t)
    pair("dual: vit, bert", dual(T.ViTModel(T.ViTConfig(**V)), T.BertModel(T.BertConfig(**S))), "ViTImageProcessor", do_center_crop=False)
    pair("dual: clip, roberta", dual(T.CLIPVisionModel(T.CLIPVisionConfig(**V)), T.RobertaModel(T.RobertaConfig(**S, pad_token_id=0))))
    pair("dual: deit, bert", dual(T.DeiTModel(T.DeiTConfig(**V)), T.BertModel(T.BertConfig(**S))), "DeiTImageProcessor")
    pair("dual: dinov2, mpnet", dual(T.Dinov2Model(T.Dinov2Config(**{k: v for k, v in V.items() if k != "intermediate_size"})), T.MPNetModel(T.MPNetConfig(**S, pad_token_id=0))), "BitImageProcessor")
    E = dict(width_coefficient=0.5, depth_coefficient=1.0, hidden_dim=640, image_size=64, num_block_repeats=[1, 2, 1, 1, 2, 1, 1])
    pair("align", T.AlignModel(T.AlignConfig(text_config={**S}, vision_config=E, projection_dim=160)), "EfficientNetImageProcessor", side=64, scale=lambda m: 1 / m.temperature)
    pair("align odd", T.AlignModel(T.AlignConfig(text_config={**S}, vision_config={**E, "depthwise_padding": [1, 4]}, projection_dim=160)), "EfficientNetImageProcessor", side=75, scale=lambda m: 1 / m.temperature)
    blip = T.BlipForImageTextRetrieval(T.BlipConfig(text_config={**S}, vision_config={k: v for k, v in V.items()}, image_text_hidden_size=20))
    pair("blip retrieval", blip, "BlipImageProcessor", do_center_crop=False, scale=lambda m: 1, image=lambda m, x: m.vision_proj(m.vision_model(x).last_hidden_state[:, 0]), text=lambda m, e: m.text_proj(m.text_encoder(**e).last_hidden_state[:, 0]))

@case
@torch.no_grad()
def mclip():
    d = folder(); config = T.XLMRobertaConfig(vocab_size=250002, hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5)
    m = randomise(T.XLMRobertaModel(config)); head = randomise(torch.nn.Linear(768, 32))
    torch.save({**{"transformer." + k: v for k, v in m.state_dict().items()}, **{"LinearTransformation." + k: v for k, v in head.state_dict().items()}}, d + "/pytorch_model.bin")
    write(d, "config.json", dict(architectures=["MultilingualCLIP"], modelBase="xlm-roberta-base", model_type="M-CLIP", numDims=32, transformerDimensions=768)); wordpiece(d)
    ids = np.full((2, 514 - 2), 1, np.int32); ids[0, :5] = [0, 77, 249000, 5, 2]; ids[1, :9] = [0, 7, 8, 9, 10, 11, 12, 13, 2]
    x = torch.tensor(ids[:, :9].astype(np.int64)); mask = (x != 1).long(); h = m(x, attention_mask=mask).last_hidden_state * mask[..., None]
    want = head(h.sum(1) / mask.sum(1)[:, None])
    write(d, "tokenizer.json", {"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}, "unk_token": "<unk>"}}); write(d, "tokenizer_config.json", {"pad_token": "<pad>"}); os.remove(d + "/vocab.txt")
    compare("M-CLIP", want, clipcore.Model(d).tokens(ids))

# ---------------------------------------------------------------- images alone
@torch.no_grad()
def image(name, model, reads, side=64, kind="EfficientNetImageProcessor", config=None, save=None, **kw):
    d = folder(); m = randomise(model)
    if save: save(m, d)
    else: m.save_pretrained(d)
    if kind: processor(d, kind, side, **kw)
    if config: write(d, "config.json", config)
    x = torch.randn(2, 3, side, side, generator=G)
    try: compare(name, reads(m, x), clipcore.Model(d).pixels(x))
    except RuntimeError as error: failures.append(name); print(f"{name:36} {str(error)[:1500]}")
    return d

@case
def efficientnet():
    E = dict(width_coefficient=0.5, depth_coefficient=1.0, hidden_dim=640, image_size=64)
    pooled = lambda m, x: m(x).pooler_output
    image("efficientnet", T.EfficientNetModel(T.EfficientNetConfig(**E)), pooled)
    image("efficientnet head", T.EfficientNetForImageClassification(T.EfficientNetConfig(**E)), lambda m, x: m.efficientnet(x).pooler_output)
    image("efficientnet options", T.EfficientNetModel(T.EfficientNetConfig(**{**E, "depth_coefficient": 1.4, "squeeze_expansion_ratio": 0.2, "hidden_act": "relu", "batch_norm_eps": 1e-2, "pooling_type": "max", "depthwise_padding": [3], "depth_divisor": 4})), pooled, side=53)

@case
def mobilevit():
    C = dict(hidden_sizes=[24, 32, 40], neck_hidden_sizes=[8, 8, 16, 16, 24, 32, 48])
    pooled = lambda m, x: m(x).pooler_output
    image("mobilevit", T.MobileViTModel(T.MobileViTConfig(**C)), pooled, side=64, kind="MobileViTImageProcessor")
    image("mobilevit, odd grids", T.MobileViTModel(T.MobileViTConfig(**C, qkv_bias=False, mlp_ratio=1.5, layer_norm_eps=1e-3, hidden_act="relu", expand_ratio=2.3)), pooled, side=75, kind="MobileViTImageProcessor")
    image("mobilevit head", T.MobileViTForImageClassification(T.MobileViTConfig(**C)), lambda m, x: m.mobilevit(x).pooler_output, side=96, kind="MobileViTImageProcessor")

@case
def torchvision():
    import torchvision as V_; torch.manual_seed(0)
    def read(m, x):
        n = m.__class__.__name__
        if n == "ResNet": m.fc = torch.nn.Identity(); return m(x)
        if n == "VisionTransformer": m.heads = torch.nn.Identity(); return m(x)
        if n == "SwinTransformer": m.head = torch.nn.Identity(); return m(x)
        if n == "ConvNeXt": return m.classifier[1](m.classifier[0](m.avgpool(m.features(x))))
        return m.avgpool(m.features(x)).flatten(1)
    for name, file in [("resnet18", "resnet18-f37072fd"), ("resnet50", "resnet50-11ad3fa6"), ("resnext50_32x4d", "resnext50_32x4d-1a0047aa"), ("wide_resnet50_2", "wide_resnet50_2-95faca4d"), ("efficientnet_b0", "efficientnet_b0_rwightman-7f5810bc"), ("efficientnet_b1", "efficientnet_b1-c27df63c"), ("efficientnet_v2_s", "efficientnet_v2_s-dd5fe13b"),
                       ("convnext_tiny", "convnext_tiny-983f1562"), ("swin_t", "swin_t-704ceda3"), ("swin_v2_t", "swin_v2_t-b137f0e2"), ("vit_b_16", "vit_b_16-c867db91"), ("vit_b_32", "vit_b_32-d86f8d99")]:
        if SEED == 1 and len(sys.argv) > 2 and name not in sys.argv: continue
        model = getattr(V_.models, name)(); side = next(w.transforms().crop_size[0] for w in V_.models.get_model_weights(name) if file in w.url)
        image("torchvision " + name, model, read, side, kind=None, save=lambda m, d: torch.save(m.state_dict(), f"{d}/{file}.pth"))
    d = folder(); save_file({"a": torch.zeros(1)}, d + "/resnet50.safetensors"); refuses("torchvision without a hash", d, "hash")

@case
def timm():
    import timm as M
    for name, side in [("resnet18", 64), ("resnet50", 64), ("resnet50d", 64), ("resnet34d", 64), ("resnext50_32x4d", 64), ("wide_resnet50_2", 64), ("efficientnet_b0", 64), ("efficientnet_b2", 64), ("tf_efficientnet_b0", 75), ("tf_efficientnet_b3", 64), ("efficientnetv2_s", 64), ("tf_efficientnetv2_b0", 97), ("tf_efficientnetv2_b3", 64), ("tf_efficientnetv2_m", 64)]:
        model = M.create_model(name)
        image("timm " + name, model, lambda m, x: m.forward_head(m.forward_features(x), pre_logits=True), side, kind=None, save=lambda m, d: save_file({k: v.contiguous() for k, v in m.state_dict().items()}, d + "/model.safetensors"), config=dict(architecture=name, pretrained_cfg=dict(input_size=[3, side, side])))

if __name__ == "__main__":
    for name in sys.argv[1:2] or CASES: CASES[name]()
    print(f"{len(failures)} failures", *failures); sys.exit(bool(failures))
