"""Makes Tests/Fixtures/zoo: tiny vision transformers with random weights as transformers and open_clip save them, and their
embeddings of one picture. python images.py [FOLDER]; SEED draws other weights. zoo_test reads them."""
import json, math, os, shutil, struct, sys
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np, torch, transformers as T, open_clip.model as O
from safetensors.torch import save_file, load_file
T.logging.set_verbosity_error(); torch.set_num_threads(1)
OUT = sys.argv[1] if sys.argv[1:] else os.path.join(os.path.dirname(__file__), "../../Tests/Fixtures/zoo")
SEED, SIDE = int(os.environ.get("SEED", "1")), 16
N = 3 * SIDE * SIDE
# The picture of zoo_test.c.
PIXELS = torch.tensor([((i * 2654435761 % 2**32) >> 16 & 1023) / 512 - 1 for i in range(N)], dtype=torch.float32).view(1, 3, SIDE, SIDE)
V = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE, patch_size=4)

@torch.no_grad()
def randomise(model):
    """No parameter is left at 0 or 1."""
    g = torch.Generator().manual_seed(SEED)
    for name, p in model.named_parameters():
        scale = 1 / math.sqrt(p[0].numel()) if p.ndim > 1 else 0.3
        p.copy_(scale * torch.randn(p.shape, generator=g) + (1 if p.ndim == 1 and name.endswith("weight") else 0))
    return model.eval()

def finish(d, row):
    row = torch.nn.functional.normalize(row[0].double(), dim=-1).float()
    open(d + "/embedding.f32", "wb").write(row.numpy().astype("<f4").tobytes())

def folder(name):
    d = f"{OUT}/{name}"; shutil.rmtree(d, ignore_errors=True); os.makedirs(d); return d

@torch.no_grad()
def hf(name, config, model, read, processor, **options):
    d = folder(name); m = randomise(model(config(**{**V, **options})))
    m.save_pretrained(d)
    json.dump(dict(image_processor_type=processor, size={"height": SIDE, "width": SIDE}, do_center_crop=False), open(d + "/preprocessor_config.json", "w"))
    finish(d, read(m))

@torch.no_grad()
def native(name, **options):
    d = folder(name); v = dict(image_size=SIDE, layers=2, width=16, head_width=8, patch_size=4, mlp_ratio=1.5, **options)
    t = dict(context_length=4, vocab_size=8, width=8, heads=1, layers=1)
    m = randomise(O.CLIP(embed_dim=12, vision_cfg=v, text_cfg=t))
    save_file({k: x.clone() for k, x in m.state_dict().items() if k.startswith("visual.") or k.startswith("logit")}, d + "/open_clip_model.safetensors")
    json.dump({"model_cfg": {"embed_dim": 12, "vision_cfg": v, "text_cfg": t}, "preprocess_cfg": {}}, open(d + "/open_clip_config.json", "w"))
    finish(d, m.encode_image(PIXELS))

first = lambda m: m(PIXELS).last_hidden_state[:, 0]
mean = lambda m: m(PIXELS).last_hidden_state.mean(1)
pooled = lambda m: m(PIXELS).pooler_output
hf("vit-no-bias", T.ViTConfig, T.ViTModel, first, "ViTImageProcessor", qkv_bias=False)
hf("deit", T.DeiTConfig, T.DeiTModel, first, "DeiTImageProcessor")
hf("beit", T.BeitConfig, T.BeitModel, pooled, "BeitImageProcessor", use_relative_position_bias=True)
hf("beit-shared", T.BeitConfig, T.BeitModel, pooled, "BeitImageProcessor", use_shared_relative_position_bias=True, use_mean_pooling=False)
hf("mae", T.ViTMAEConfig, T.ViTMAEModel, first, "ViTImageProcessor", mask_ratio=0.0)
hf("msn", T.ViTMSNConfig, T.ViTMSNModel, first, "ViTImageProcessor")
hf("ijepa", T.IJepaConfig, T.IJepaModel, mean, "ViTImageProcessor")
hf("dinov2-larger", T.Dinov2Config, T.Dinov2Model, pooled, "BitImageProcessor", image_size=24, mlp_ratio=2)
hf("dinov2-swiglu", T.Dinov2Config, T.Dinov2Model, pooled, "BitImageProcessor", use_swiglu_ffn=True, mlp_ratio=2)
hf("dinov2-registers", T.Dinov2WithRegistersConfig, T.Dinov2WithRegistersModel, pooled, "BitImageProcessor", image_size=28, mlp_ratio=2)
hf("dinov3", T.DINOv3ViTConfig, T.DINOv3ViTModel, pooled, "DINOv3ViTImageProcessor", num_register_tokens=2, use_gated_mlp=True)
hf("clip-vision", T.CLIPVisionConfig, T.CLIPVisionModel, pooled, "CLIPImageProcessor")
hf("clip-vision-projection", T.CLIPVisionConfig, T.CLIPVisionModelWithProjection, lambda m: m(PIXELS).image_embeds, "CLIPImageProcessor", projection_dim=12)
hf("siglip-vision", T.SiglipVisionConfig, T.SiglipVisionModel, pooled, "SiglipImageProcessor")
native("open-clip-layer-scale", ls_init_value=0.1, no_ln_pre=True)
native("open-clip-average", pool_type="avg", final_ln_after_pool=True)
native("open-clip-norms", qk_norm=True, scale_attn_inner=True, scale_attn=True, scale_fc=True)
native("open-clip-attentional-pool", attentional_pool=True, attn_pooler_queries=3, attn_pooler_heads=2)
