"""Prints the rows of Sources/ClipCore/Models/Timm/TimmTransformerTable.swift: timm's vision transformers as their modules are."""
import collections, math, re, sys
import torch, timm, timm.layers as L
from timm.models import beit, deit, eva, vision_transformer as vit, vision_transformer_relpos as relpos, vision_transformer_hybrid as hybrid
from torch import nn

def act(m):
    if isinstance(m, L.GELUTanh) or isinstance(m, nn.GELU) and m.approximate == "tanh": return "tanh"
    if isinstance(m, (nn.GELU, L.GELU)): return "gelu"
    if isinstance(m, L.QuickGELU): return "quick"
    if isinstance(m, (nn.SiLU, L.Swish)): return "silu"
    raise ValueError(f"activation {type(m).__name__}")

def norm(m, want):
    """Whether there is a norm; its kind and epsilon go to `want`."""
    if m is None or isinstance(m, nn.Identity): return False
    kind = "rms" if isinstance(m, L.RmsNorm) else "layer" if isinstance(m, nn.LayerNorm) else None
    if kind is None: raise ValueError(f"norm {type(m).__name__}")
    want.add((kind, m.eps)); return True

def row(name):
    with torch.device("meta"): m = timm.create_model(name)
    words, eps = [], set()
    if type(m) not in (vit.VisionTransformer, eva.Eva, beit.Beit, deit.VisionTransformerDistilled, relpos.VisionTransformerRelPos): raise ValueError(type(m).__name__)
    p = m.patch_embed
    stem = getattr(p, "backbone", None)
    if isinstance(stem, hybrid.ConvStem):
        if len(stem) != 3 or not isinstance(p.proj, nn.Identity): raise ValueError("stem")
        words.append("convolutions"); patch = math.prod(getattr(x, "conv", x).stride[0] for x in stem)
    elif type(p) is L.PatchEmbed and isinstance(p.norm, nn.Identity): patch = p.proj.kernel_size[0]
    else: raise ValueError("patch embedding")
    width = m.embed_dim; blocks = list(m.blocks); b = blocks[0]; a = b.attn
    if getattr(p.proj, "bias", 0) is None: words.append("nobias")
    cls = getattr(m, "cls_token", None) is not None; reg = getattr(m, "reg_token", None); regs = 0 if reg is None else reg.shape[1]
    dist = type(m) is deit.VisionTransformerDistilled
    if not cls: words.append("noclass")
    if regs: words.append(f"registers={regs}")
    if dist: words.append("distilled")
    pos = getattr(m, "pos_embed", None); n = p.num_patches
    if pos is None: words.append("nopositions")
    elif pos.shape[1] == n: words += ["patchpositions"] if cls or regs else []
    elif pos.shape[1] != n + cls + regs + dist: raise ValueError("positions")
    if norm(getattr(m, "norm_pre", None), eps): words.append("prenorm")
    post = type(b) in (eva.EvaBlockPostNorm, relpos.ResPostRelPosBlock)
    if type(b) not in (vit.Block, eva.EvaBlock, eva.EvaBlockPostNorm, beit.Block, relpos.RelPosBlock, relpos.ResPostRelPosBlock): raise ValueError(type(b).__name__)
    if post: words.append("postnorm")
    scale = any(isinstance(x, L.LayerScale) or x is not None and isinstance(x, nn.Parameter) for x in (getattr(b, "ls1", None), getattr(b, "gamma_1", None)))
    if scale: words.append("scale")
    g2 = getattr(b, "gamma_2", None) if hasattr(b, "gamma_1") else getattr(b, "ls2", None)
    if scale and (g2 is None or isinstance(g2, nn.Identity)): raise ValueError("scale of attention alone")
    heads = a.num_heads
    if a.head_dim * heads != width if hasattr(a, "head_dim") else False: raise ValueError("head width")
    if getattr(a, "num_kv_heads", heads) not in (None, heads): raise ValueError("grouped heads")
    if getattr(a, "gate", None) is not None: raise ValueError("gate")
    if norm(getattr(a, "q_norm", None), eps): words.append("qknorm")
    if norm(getattr(a, "norm", None), eps): words.append("attnorm")
    fused = a.qkv is not None
    if fused:
        if getattr(a, "q_bias", None) is not None: words.append("nokeybias")
        elif a.qkv.bias is None: words.append("noqkvbias")
    else:
        words.append("apart")
        if a.k_proj.bias is None: words.append("nokeybias" if a.q_proj.bias is not None else "noqkvbias")
    if a.proj.bias is None: words.append("nooutbias")
    if scale is False: pass
    f = b.mlp
    if type(f) is L.Mlp:
        hidden = f.fc1.out_features; kind = act(f.act)
        if f.fc1.bias is None: raise ValueError("mlp bias")
        if norm(f.norm, eps): words.append("mlpnorm")
    elif type(f) is L.GluMlp:
        hidden = f.fc1.out_features // 2; kind = act(f.act); words.append("gatefirst" if not f.gate_last else "gatelast")
        if f.fc1.bias is None: words.append("nomlpbias")
        if norm(f.norm, eps): words.append("mlpnorm")
    elif type(f) is L.SwiGLU:
        hidden = f.fc1_g.out_features; kind = act(f.act); words.append("gateapart")
        if f.fc1_g.bias is None: words.append("nomlpbias")
        if norm(f.norm, eps): words.append("mlpnorm")
    else: raise ValueError(f"mlp {type(f).__name__}")
    if kind != "gelu": words.append(kind)
    norm(b.norm1, eps); norm(b.norm2, eps)
    pool = m.global_pool
    final, fc = norm(m.norm, eps), norm(m.fc_norm, eps)
    if pool == "map":
        h = m.attn_pool
        norm(h.norm, eps)
        words.append("map")
        if h.num_heads != heads: words.append(f"poolheads={h.num_heads}")
        if h.mlp.fc1.out_features != hidden: words.append(f"poolmlp={h.mlp.fc1.out_features}")
        if act(h.mlp.act) != kind: words.append("poolact=" + act(h.mlp.act))
    elif pool == "avg": words.append("avg")
    elif pool not in ("token", ""): raise ValueError("pool " + pool)
    elif pool == "": words.append("nopool")
    if getattr(m, "pool_include_prefix", False): words.append("poolall")
    # Does another pool move the norm?
    try:
        other = "avg" if pool != "avg" else "token" if cls else "map" if isinstance(m, (vit.VisionTransformer, eva.Eva)) else ""
        with torch.device("meta"): o = timm.create_model(name, global_pool=other)
        f2, c2 = norm(o.norm, set()), norm(o.fc_norm, set()); moves = (f2, c2) != (final, fc)
    except Exception: moves = False
    if not moves:
        if final and fc: words.append("twonorms")
        elif not final and not fc: words.append("nonorm")
        elif fc and pool != "avg": words.append("fcnorm")
        elif fc: words.append("fcnorm")
        elif pool == "avg": words.append("norm")
        else: words.append("norm")
    else:
        assert fc == (pool == "avg") and final == (not fc), (final, fc, pool)
    rope = getattr(m, "rope", None)
    if rope is not None:
        t = type(rope).__name__
        if t == "RotaryEmbeddingCat":
            words.append("rotary")
            if rope.in_pixels: raise ValueError("pixel frequencies")
            if rope.temperature != 10000: words.append(f"base={rope.temperature:g}")
            if rope.ref_feat_shape: assert rope.ref_feat_shape[0] == rope.ref_feat_shape[1]; words.append(f"reference={rope.ref_feat_shape[0]}")
            if rope.grid_offset: words.append(f"offset={rope.grid_offset:g}")
            if rope.grid_indexing != "ij": words.append("xy")
            if getattr(a, "rotate_half", False) or getattr(rope, "rotate_half", False): words.append("halves")
        elif t == "RotaryEmbeddingDinoV3":
            words.append("dinov3")
            if rope.temperature != 100: words.append(f"base={rope.temperature:g}")
            if not (getattr(a, "rotate_half", False)): raise ValueError("dinov3 without halves")
            if rope.grid_indexing != "ij" or rope.normalize_coords != "separate" or rope.grid_offset: words.append(f"?{rope.grid_indexing},{rope.normalize_coords},{rope.grid_offset}")
        else: raise ValueError(t)
    if type(m) is beit.Beit:
        if a.relative_position_bias_table is not None: words.append("beitbias")
    if type(m) is relpos.VisionTransformerRelPos:
        r = m.shared_rel_pos if m.shared_rel_pos is not None else a.rel_pos
        if type(r).__name__ != "RelPosMlp" or r.mode != "cr": raise ValueError(type(r).__name__)
        words += ["sharedmlpbias" if m.shared_rel_pos is not None else "mlpbias", f"biaswidth={r.mlp.fc1.out_features}"]
    if len(eps) != 1: raise ValueError(f"norms {eps}")
    kind, e = eps.pop()
    if kind == "rms": words.append("rms")
    if e != 1e-6: words.append(f"epsilon={e:g}")
    return (patch, width, len(blocks), heads, hidden, " ".join(words))

groups, skipped = collections.OrderedDict(), {}
# A pattern limits the architectures.
for module in (vit, deit, eva, beit, relpos, hybrid):
    for name in timm.list_models(*sys.argv[1:2], module=module.__name__.split(".")[-1]):
        try: r = row(name)
        except Exception as e: skipped[name] = f"{type(e).__name__}: {e}"; continue
        found = re.fullmatch(r"(.*?)(\d{3})", name); stem, size = found.groups() if found else (name, "")
        groups.setdefault((stem, r), []).append(size)
for (stem, r), sizes in groups.items(): print(stem + ("[" + ",".join(sizes) + "]" if sizes != [""] else ""), *r)
for n, why in skipped.items(): print("#", n, why, file=sys.stderr)
