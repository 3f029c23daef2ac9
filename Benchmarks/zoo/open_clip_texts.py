"""open_clip's HFTextEncoder with small random models against the library, as texts.py does for transformers."""
from zoo import *
import transformers as T
from open_clip.hf_model import HFTextEncoder
import open_clip
S = dict(vocab_size=30522, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, max_position_embeddings=160, pad_token_id=0)
CONFIGS = {
    "roberta": T.RobertaConfig(**S), "xlm-roberta": T.XLMRobertaConfig(**S, type_vocab_size=1, layer_norm_eps=1e-5), "bert": T.BertConfig(**S),
    "mt5": T.MT5Config(vocab_size=30522, d_model=64, d_kv=16, d_ff=96, num_layers=2, num_heads=4),
    "m2m_100": T.M2M100Config(vocab_size=30522, d_model=64, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4, encoder_ffn_dim=96, decoder_ffn_dim=32, decoder_attention_heads=2, pad_token_id=0, max_position_embeddings=160),
}
@torch.no_grad()
def case(name, pool="mean_pooler", proj="mlp", dim=48):
    d = folder("open-clip-text-" + name); CONFIGS[name].save_pretrained(d); wordpiece(d)
    text = {"hf_model_name": d, "hf_tokenizer_name": d, "hf_model_pretrained": False, "hf_proj_type": proj, "hf_pooler_type": pool}
    cfg = {"embed_dim": dim, "vision_cfg": {"image_size": 64, "layers": 1, "width": 64, "patch_size": 32}, "text_cfg": text}
    m = randomise(open_clip.CustomTextCLIP(**{k: dict(v) if isinstance(v, dict) else v for k, v in cfg.items()}))
    save(m, d + "/open_clip_model.safetensors")
    json.dump({"model_cfg": cfg, "preprocess_cfg": {}}, open(d + "/open_clip_config.json", "w"))
    e = T.BertTokenizerFast.from_pretrained(d)(CAPTIONS, padding="max_length", truncation=True, max_length=77, return_tensors="pt")
    check("open_clip text", name, f"{name} {pool} {proj} {dim}", d, text=m.encode_text(e["input_ids"]))
for name in CONFIGS: case(name)
case("roberta", "cls_pooler", "linear"); case("bert", "cls_last_hidden_state_pooler"); case("m2m_100", "cls_pooler", "linear"); case("bert", None, None, 64)
