"""Adds to Tests/Fixtures/zoo what images.py does not make: tiny timm towers that are no plain transformer, and text encoders of
transformers and open_clip, with random weights: python fixtures.py [NAME…]. zoo_test reads them."""
from zoo import *
import numpy as np, open_clip, timm, transformers as T
from timm.models import convnext, fastvit, swin_transformer, swin_transformer_v2, vision_transformer_relpos, vitamin
from timm.utils.model import reparameterize_model
OUT, SIDE = FIXTURES / "zoo", 16
PIXELS = torch.tensor([((i * 2654435761 % 2**32) >> 16 & 1023) / 512 - 1 for i in range(3 * SIDE * SIDE)]).view(1, 3, SIDE, SIDE)
CASES = {}

def halved(model):
    """Weights that F16 holds, so that the files are half as large."""
    for t in [*model.parameters(), *(b for n, b in model.named_buffers() if "running" in n)]: t.data.copy_(t.data.half().float())
    return model

def finish(d, model, rows, file="model.safetensors", keep=lambda name: True, tokens=None):
    save_file({k: v.half().contiguous() if v.is_floating_point() else v for k, v in model.state_dict().items() if keep(k)}, f"{d}/{file}")
    if tokens is not None: open(f"{d}/tokens.i32", "wb").write(np.asarray(tokens, "<i4").tobytes())
    open(f"{d}/embedding.f32", "wb").write(torch.cat([unit(row[None]) for row in rows]).float().numpy().astype("<f4").tobytes())

def new(name):
    d = OUT / name; shutil.rmtree(d, ignore_errors=True); d.mkdir(parents=True); return str(d)

@torch.no_grad()
def image(name, encoder, config, make, width, change=lambda m: m):
    """A tower of timm under clipcore.json, which gives the encoder its sizes."""
    d = new(name); model = randomise(make()); run = lambda: model.forward_head(model.forward_features(PIXELS), pre_logits=True)
    model = halved(change(model))
    json.dump({"version": 1, "embed_dim": width, "image": {"encoder": "clipcore.encoder." + encoder, "config": config, "preprocess": {"size": SIDE}}}, open(d + "/clipcore.json", "w"), indent=1)
    finish(d, model, run())

FAST = dict(layers=(1, 1, 1, 1), embed_dims=(4, 4, 8, 32), mlp_ratios=(1,) * 4, downsamples=(False, True, True, True), se_downsamples=(False, False, True, True), num_classes=0,
            pos_embs=(None, None, None, lambda *a, **k: fastvit.RepConditionalPosEnc(*a, spatial_shape=(7, 7), **k)), token_mixers=("repmixer",) * 3 + ("attention",), lkc_use_act=True)
FAST_CONFIG = dict(depths=[1, 1, 1, 1], widths=[4, 4, 8, 32], mlp_ratio=1, first_attention=3, first_squeeze=2, downsample_activation=1)
CASES["fastvit"] = lambda n: image(n, "fastvit", FAST_CONFIG, lambda: fastvit.FastVit(**FAST), 64)
CASES["fastvit-fused"] = lambda n: image(n, "fastvit", {**FAST_CONFIG, "fused": 1}, lambda: fastvit.FastVit(**FAST), 64, reparameterize_model)
CASES["convnext"] = lambda n: image(n, "convnext", dict(depths=[1, 1, 1, 1], widths=[4, 8, 8, 16], patch_size=1),
                                    lambda: convnext.ConvNeXt(depths=(1, 1, 1, 1), dims=(4, 8, 8, 16), patch_size=1, num_classes=0), 16)
CASES["swin"] = lambda n: image(n, "swin", dict(width=8, depths=[2, 2], heads=[2, 4], window=3, patch_size=2),
                                lambda: swin_transformer.SwinTransformer(img_size=SIDE, patch_size=2, embed_dim=8, depths=(2, 2), num_heads=(2, 4), window_size=3, num_classes=0), 16)

# ---------------------------------------------------------------- texts
VOCABULARY, CONTEXT = 24, 12
# Two texts, their ends, and padding, 0.
IDS = [[1, 9, 17, 5, 6, 7, 2, 0, 0, 0, 0, 0], [1, 4, 4, 23, 8, 11, 19, 20, 3, 5, 22, 2]]

def words(d, length=CONTEXT):
    """A tokenizer of words, which no test here calls."""
    vocabulary = {w: i for i, w in enumerate(["<pad>", "<s>", "</s>", "<unk>"] + [chr(97 + i) for i in range(VOCABULARY - 4)])}
    json.dump(dict(version="1.0", truncation=None, padding=None, added_tokens=[], normalizer=None, pre_tokenizer={"type": "Whitespace"}, post_processor=None, decoder=None,
                   model=dict(type="WordLevel", vocab=vocabulary, unk_token="<unk>")), open(d + "/tokenizer.json", "w"))
    json.dump(dict(tokenizer_class="PreTrainedTokenizerFast", model_max_length=length, pad_token="<pad>", unk_token="<unk>", eos_token="</s>", bos_token="<s>"), open(d + "/tokenizer_config.json", "w"))

@torch.no_grad()
def text(name, config, cls, read, body=lambda m: m, pool=None):
    d = new(name); model = halved(randomise(cls(config))); words(d)
    json.dump({k: v for k, v in config.to_dict().items() if v is not None}, open(d + "/config.json", "w"))
    if pool: os.makedirs(d + "/1_Pooling"); json.dump({"pooling_mode": pool}, open(d + "/1_Pooling/config.json", "w"))
    ids = torch.tensor(IDS); mask = (ids != 0).long(); out = body(model)(input_ids=ids, attention_mask=mask)
    h, m = out.last_hidden_state, mask[..., None]
    rows = {"mean": lambda: (h * m).sum(1) / m.sum(1), "first": lambda: h[:, 0], "last": lambda: h[torch.arange(2), mask.sum(1) - 1], "pooler": lambda: out.pooler_output}[read]()
    finish(d, model, rows, tokens=IDS)

S = dict(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=CONTEXT + 1, pad_token_id=0)
SPECIAL = dict(bos_token_id=1, eos_token_id=2)
CASES["roberta"] = lambda n: text(n, T.RobertaConfig(**S), T.RobertaModel, "pooler")
CASES["distilbert"] = lambda n: text(n, T.DistilBertConfig(vocab_size=VOCABULARY, dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=CONTEXT), T.DistilBertModel, "mean", pool="mean")
CASES["albert"] = lambda n: text(n, T.AlbertConfig(**S, embedding_size=8), T.AlbertModel, "pooler")
CASES["deberta"] = lambda n: text(n, T.DebertaV2Config(**S, relative_attention=True, position_buckets=4, pos_att_type=["p2c", "c2p"], norm_rel_ebd="layer_norm", share_att_key=True, position_biased_input=False, max_relative_positions=8), T.DebertaV2Model, "mean", pool="mean")
CASES["modernbert"] = lambda n: text(n, T.ModernBertConfig(**S, **SPECIAL, cls_token_id=1, sep_token_id=2, local_attention=4, global_attn_every_n_layers=2), T.ModernBertModel, "mean", pool="mean")
CASES["nomic-bert"] = lambda n: text(n, T.NomicBertConfig(**S), T.NomicBertModel, "mean", pool="mean")
CASES["t5"] = lambda n: text(n, T.T5Config(vocab_size=VOCABULARY, d_model=16, d_kv=6, d_ff=24, num_layers=2, num_heads=2, relative_attention_num_buckets=8, relative_attention_max_distance=10), T.T5EncoderModel, "mean", pool="mean")
CASES["m2m100"] = lambda n: text(n, T.M2M100Config(vocab_size=VOCABULARY, d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=8, decoder_attention_heads=2, pad_token_id=0, max_position_embeddings=CONTEXT), T.M2M100Model, "mean", body=lambda m: m.encoder, pool="mean")
CASES["gemma3"] = lambda n: text(n, T.Gemma3TextConfig(**S, head_dim=8, num_key_value_heads=1, sliding_window=4, query_pre_attn_scalar=12), T.Gemma3TextModel, "mean", pool="mean")
CASES["qwen3"] = lambda n: text(n, T.Qwen3Config(**S, **SPECIAL, head_dim=8, num_key_value_heads=1), T.Qwen3Model, "mean", pool="mean")

@torch.no_grad()
def native(name, options, ids):
    d = new(name); t = dict(context_length=CONTEXT, vocab_size=VOCABULARY, width=16, heads=2, layers=2, **options); v = dict(image_size=16, layers=1, width=64, patch_size=16)
    model = halved(randomise(open_clip.CustomTextCLIP(embed_dim=12, vision_cfg=v, text_cfg=t))); words(d)
    json.dump({"model_cfg": {"embed_dim": 12, "vision_cfg": v, "text_cfg": {**t, "hf_tokenizer_name": "words"}, "custom_text": True}, "preprocess_cfg": {}}, open(d + "/open_clip_config.json", "w"), indent=1)
    rows = model.encode_text(torch.tensor(ids))
    finish(d, model, rows, "open_clip_model.safetensors", lambda k: not k.startswith("visual."), ids)

CASES["coca-text"] = lambda n: native(n, dict(embed_cls=True, pad_id=0), IDS)
CASES["open-clip-text-last"] = lambda n: native(n, dict(pool_type="last", no_causal_mask=True, proj_bias=True, norm_kwargs={"eps": 1e-6}, act_kwargs={"approximate": "tanh"}), IDS)
CASES["open-clip-text-eos"] = lambda n: native(n, dict(pool_type="eos", eos_id=2, ls_init_value=0.1), IDS)
# ---------------------------------------------------------------- models of two towers, and sentence-transformers
V = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, image_size=SIDE, patch_size=8)
E = dict(width_coefficient=0.125, depth_coefficient=0.5, in_channels=[32, 16, 24], out_channels=[16, 24, 40], kernel_sizes=[3, 3, 5], strides=[1, 2, 2], num_block_repeats=[1, 2, 3], expand_ratios=[1, 2, 3],
         hidden_dim=160, depthwise_padding=[2], image_size=SIDE)
feature = lambda x: x if torch.is_tensor(x) else x.pooler_output

@torch.no_grad()
def tower(name, model, processor, image=None, text=None, more=lambda d: None):
    """One tower of a model: what `image` or `text` gives."""
    d = new(name); model = halved(randomise(model)); words(d); model.config.save_pretrained(d)
    json.dump(dict(image_processor_type=processor, size={"height": SIDE, "width": SIDE}, crop_size={"height": SIDE, "width": SIDE}), open(d + "/preprocessor_config.json", "w")); more(d)
    ids = torch.tensor(IDS); e = dict(input_ids=ids, attention_mask=(ids != 0).long())
    model.save_pretrained(d + "/saved"); state = load_file(d + "/saved/model.safetensors"); shutil.rmtree(d + "/saved")
    # The names of the file, and the numbers in halves.
    save_file({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, d + "/model.safetensors")
    if text: open(d + "/tokens.i32", "wb").write(np.asarray(IDS, "<i4").tobytes())
    rows = text(model, e) if text else image(model)
    open(f"{d}/embedding.f32", "wb").write(unit(rows).float().numpy().astype("<f4").tobytes())
images = dict(image=lambda m: feature(m.get_image_features(PIXELS))); texts = dict(text=lambda m, e: feature(m.get_text_features(**e)))
CASES["efficientnet"] = lambda n: tower(n, T.EfficientNetModel(T.EfficientNetConfig(**E)), "EfficientNetImageProcessor", image=lambda m: m(PIXELS).pooler_output)
CASES["mobilevit"] = lambda n: tower(n, T.MobileViTModel(T.MobileViTConfig(hidden_sizes=[8, 8, 12], neck_hidden_sizes=[4, 4, 4, 8, 8, 8, 16], num_attention_heads=2, expand_ratio=2.0, image_size=SIDE)), "MobileViTImageProcessor", image=lambda m: m(PIXELS).pooler_output)
CASES["align"] = lambda n: tower(n, T.AlignModel(T.AlignConfig(text_config=S, vision_config=E, projection_dim=8)), "EfficientNetImageProcessor", **images)
CASES["align-text"] = lambda n: tower(n, T.AlignModel(T.AlignConfig(text_config=S, vision_config=E, projection_dim=8)), "EfficientNetImageProcessor", **texts)
CASES["chinese-clip-text"] = lambda n: tower(n, T.ChineseCLIPModel(T.ChineseCLIPConfig(text_config=S, vision_config=V, projection_dim=12)), "ChineseCLIPImageProcessor", **texts)
CASES["altclip"] = lambda n: tower(n, T.AltCLIPModel(T.AltCLIPConfig(text_config={**S, "project_dim": 20}, vision_config=V, projection_dim=12)), "CLIPImageProcessor", **images)
CASES["altclip-text"] = lambda n: tower(n, T.AltCLIPModel(T.AltCLIPConfig(text_config={**S, "project_dim": 20}, vision_config=V, projection_dim=12)), "CLIPImageProcessor", **texts)
CASES["metaclip2-text"] = lambda n: tower(n, T.MetaClip2Model(T.MetaClip2Config(text_config={**S, "eos_token_id": 2, "max_position_embeddings": CONTEXT}, vision_config=V, projection_dim=12)), "CLIPImageProcessor", **texts)
CASES["dual-encoder"] = lambda n: tower(n, T.VisionTextDualEncoderModel(T.VisionTextDualEncoderConfig.from_vision_text_configs(T.ViTConfig(**V), T.BertConfig(**S), projection_dim=12)), "ViTImageProcessor", **images)
CASES["dual-encoder-text"] = lambda n: tower(n, T.VisionTextDualEncoderModel(T.VisionTextDualEncoderConfig.from_vision_text_configs(T.ViTConfig(**V), T.BertConfig(**S), projection_dim=12)), "ViTImageProcessor", **texts)
BLIP = lambda: T.BlipForImageTextRetrieval(T.BlipConfig(text_config=S, vision_config=V, image_text_hidden_size=12))
CASES["blip"] = lambda n: tower(n, BLIP(), "BlipImageProcessor", image=lambda m: m.vision_proj(m.vision_model(PIXELS).last_hidden_state[:, 0]))
CASES["blip-text"] = lambda n: tower(n, BLIP(), "BlipImageProcessor", text=lambda m, e: m.text_proj(m.text_encoder(**e).last_hidden_state[:, 0]))

@torch.no_grad()
def sentence(name):
    """Two layers and a norm over BERT's mean, a folder down; prompts, with which sentence_test embeds a text of words."""
    d = new(name); os.makedirs(d + "/0_Transformer"); g = torch.Generator().manual_seed(SEED); put = lambda f, v: (os.makedirs(os.path.dirname(f"{d}/{f}"), exist_ok=True), json.dump(v, open(f"{d}/{f}", "w")))
    model = halved(randomise(T.BertModel(T.BertConfig(**S), add_pooling_layer=False))); inner = d + "/0_Transformer"; words(inner); model.config.save_pretrained(inner)
    save_file({k: v.half() for k, v in model.state_dict().items() if v.is_floating_point()}, inner + "/model.safetensors")
    listed = [("Transformer", "0_Transformer"), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"), ("Dense", "3_Dense"), ("LayerNorm", "4_LayerNorm"), ("Dense", "5_Dense")]
    put("modules.json", [dict(idx=i, name=str(i), path=p, type="sentence_transformers.models." + k) for i, (k, p) in enumerate(listed)])
    put("1_Pooling/config.json", dict(word_embedding_dimension=16, pooling_mode_mean_tokens=True, pooling_mode_cls_token=False))
    for path, i, o, bias, act in (("3_Dense", 16, 24, True, "activation.Tanh"), ("5_Dense", 24, 10, False, "linear.Identity")):
        put(path + "/config.json", dict(in_features=i, out_features=o, bias=bias, activation_function="torch.nn.modules." + act))
        t = {"linear.weight": torch.randn(o, i, generator=g).half() / 4}; t.update({"linear.bias": torch.randn(o, generator=g).half() / 4} if bias else {}); save_file(t, f"{d}/{path}/model.safetensors")
    put("4_LayerNorm/config.json", dict(dimension=24)); save_file({"norm.weight": 1 + torch.randn(24, generator=g).half() / 8, "norm.bias": torch.randn(24, generator=g).half() / 8}, d + "/4_LayerNorm/model.safetensors")
    put("config_sentence_transformers.json", {"__version__": {}, "prompts": {"query": "a b ", "plain": ""}, "default_prompt_name": "query"})
    from sentence_transformers import SentenceTransformer
    found = SentenceTransformer(d, device="cpu").float(); rows = torch.tensor(found.encode(["c d e", "c d e", "x"], prompt_name=None)); plain = torch.tensor(found.encode(["c d e"], prompt_name="plain"))
    open(d + "/texts.f32", "wb").write(unit(torch.cat([rows[:1], plain])).float().numpy().astype("<f4").tobytes())
CASES["sentence"] = sentence

# ---------------------------------------------------------------- images of another size than trained
@torch.no_grad()
def native_size(name, size, table):
    """A config of images of `size` with positions for `table`, whose embedding is of images of SIDE."""
    d = new(name); vision = lambda side: dict(image_size=side, layers=1, width=16, head_width=8, patch_size=4, mlp_ratio=1.5)
    t = dict(context_length=4, vocab_size=8, width=8, heads=1, layers=1); build = lambda side: open_clip.CLIP(embed_dim=12, vision_cfg=vision(side), text_cfg=t)
    model = halved(randomise(build(table))); small = build(SIDE).eval()
    json.dump({"model_cfg": {"embed_dim": 12, "vision_cfg": vision(size), "text_cfg": t}, "preprocess_cfg": {}}, open(d + "/open_clip_config.json", "w"))
    weights = model.state_dict(); open_clip.factory.resize_pos_embed(weights, small); small.load_state_dict(weights)
    finish(d, model, small.encode_image(PIXELS), "open_clip_model.safetensors", lambda k: k.startswith("visual.") or k.startswith("logit"))

@torch.no_grad()
def hf_size(name, config, cls, size):
    d = new(name); model = halved(randomise(cls(config(hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, image_size=size, patch_size=4))))
    json.dump({k: v for k, v in model.config.to_dict().items() if v is not None}, open(d + "/config.json", "w"))
    json.dump(dict(image_processor_type="CLIPImageProcessor", size={"height": size, "width": size}, do_center_crop=False), open(d + "/preprocessor_config.json", "w"))
    finish(d, model, model(PIXELS, interpolate_pos_encoding=True).pooler_output)

CASES["open-clip-other-size"] = lambda n: native_size(n, 24, 24)
CASES["open-clip-fitted-size"] = lambda n: native_size(n, SIDE, 28)
CASES["clip-other-size"] = lambda n: hf_size(n, T.CLIPVisionConfig, T.CLIPVisionModel, 24)
CASES["siglip-other-size"] = lambda n: hf_size(n, T.SiglipVisionConfig, T.SiglipVisionModel, 24)
for name in sys.argv[1:] or CASES: CASES[name](name)
