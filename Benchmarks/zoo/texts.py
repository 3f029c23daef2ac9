"""Text encoders of transformers with random weights against the library: python texts.py [FAMILY…]; see zoo.py."""
from zoo import *
import transformers as T
T.logging.set_verbosity_error()
S = dict(vocab_size=30522, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=160, max_position_embeddings=160)
R = dict(pad_token_id=0)

def modes(h, mask, kind):
    m = mask[..., None].float()
    if kind == "mean": return (h * m).sum(1) / m.sum(1)
    if kind == "first": return h[:, 0]
    if kind == "last": return h[torch.arange(len(h)), mask.sum(1) - 1]

@torch.no_grad()
def text(name, config, cls, kind="mean", body=lambda m: m, pool=None, maxlen=128, edit=None, clean=None):
    d = folder("texts-" + name); m = randomise(cls(config))
    m.save_pretrained(d); wordpiece(d)
    c = json.load(open(d + "/tokenizer_config.json")); c["model_max_length"] = maxlen; json.dump(c, open(d + "/tokenizer_config.json", "w"))
    if edit: edit(d)
    e = T.BertTokenizerFast.from_pretrained(d)(CAPTIONS, padding=True, truncation=True, max_length=maxlen, return_tensors="pt")
    o = body(m)(input_ids=e["input_ids"], attention_mask=e["attention_mask"])
    r = o.pooler_output if kind == "pooler" else modes(o.last_hidden_state, e["attention_mask"], kind)
    if pool: os.makedirs(d + "/1_Pooling", exist_ok=True); json.dump({"pooling_mode": pool}, open(d + "/1_Pooling/config.json", "w"))
    check("transformers text", name.split()[0], name, d, text=r)

def pooled(pool): return dict(pool=pool, kind={"mean": "mean", "cls": "first", "lasttoken": "last"}[pool])
CASES = {
    "bert": lambda n: text(n, T.BertConfig(**S), T.BertModel, "pooler"),
    "roberta": lambda n: text(n, T.RobertaConfig(**S, pad_token_id=0), T.RobertaModel, "pooler"),
    "xlm-roberta": lambda n: text(n, T.XLMRobertaConfig(**S, pad_token_id=0, type_vocab_size=1, layer_norm_eps=1e-5), T.XLMRobertaModel, **pooled("mean")),
    "xlm-roberta masked": lambda n: text(n, T.XLMRobertaConfig(**S, pad_token_id=0, type_vocab_size=1), T.XLMRobertaForMaskedLM, body=lambda m: m.roberta),
    "camembert": lambda n: text(n, T.CamembertConfig(**S, pad_token_id=0), T.CamembertModel, "pooler"),
    "mpnet": lambda n: text(n, T.MPNetConfig(**S, pad_token_id=0), T.MPNetModel, "pooler"),
    "mpnet mean": lambda n: text(n, T.MPNetConfig(**S, pad_token_id=0), T.MPNetModel, **pooled("mean")),
    "distilbert": lambda n: text(n, T.DistilBertConfig(vocab_size=30522, dim=64, n_layers=2, n_heads=4, hidden_dim=96, max_position_embeddings=160), T.DistilBertModel),
    "albert": lambda n: text(n, T.AlbertConfig(**{**S, "num_hidden_layers": 4, "num_hidden_groups": 2, "embedding_size": 24}), T.AlbertModel, "pooler"),
    "electra": lambda n: text(n, T.ElectraConfig(**S, embedding_size=24), T.ElectraModel),
    "electra discriminator": lambda n: text(n, T.ElectraConfig(**S, embedding_size=64), T.ElectraForPreTraining, body=lambda m: m.electra),
    "deberta-v3": lambda n: text(n, T.DebertaV2Config(**S, relative_attention=True, position_buckets=16, pos_att_type=["p2c", "c2p"], norm_rel_ebd="layer_norm", share_att_key=True, position_biased_input=False), T.DebertaV2Model),
    "deberta-v2 apart": lambda n: text(n, T.DebertaV2Config(**S, relative_attention=True, pos_att_type="c2p", type_vocab_size=2, max_relative_positions=20), T.DebertaV2Model),
    "deberta-v2 absolute": lambda n: text(n, T.DebertaV2Config(**S), T.DebertaV2Model),
    "modernbert": lambda n: text(n, T.ModernBertConfig(**S, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2, local_attention=16), T.ModernBertModel),
    "modernbert masked": lambda n: text(n, T.ModernBertConfig(**{**S, "num_hidden_layers": 4}, norm_bias=True, attention_bias=True, mlp_bias=True, global_attn_every_n_layers=2, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2), T.ModernBertForMaskedLM, body=lambda m: m.model),
    "nomic_bert": lambda n: text(n, T.NomicBertConfig(**S), T.NomicBertModel),
    "t5": lambda n: text(n, T.T5Config(vocab_size=30522, d_model=64, d_kv=24, d_ff=96, num_layers=3, num_heads=4), T.T5EncoderModel),
    "t5 whole": lambda n: text(n, T.T5Config(vocab_size=30522, d_model=64, d_kv=16, d_ff=96, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu", relative_attention_num_buckets=16, relative_attention_max_distance=40), T.T5Model, body=lambda m: m.encoder),
    "mt5": lambda n: text(n, T.MT5Config(vocab_size=30522, d_model=64, d_kv=16, d_ff=96, num_layers=3, num_heads=4), T.MT5EncoderModel),
    "m2m_100": lambda n: text(n, T.M2M100Config(vocab_size=30522, d_model=64, encoder_layers=3, decoder_layers=1, encoder_attention_heads=4, encoder_ffn_dim=96, decoder_ffn_dim=32, decoder_attention_heads=2, pad_token_id=0, max_position_embeddings=160), T.M2M100Model, body=lambda m: m.encoder),
    "gemma3": lambda n: text(n, T.Gemma3TextConfig(**{**S, "num_hidden_layers": 7}, head_dim=24, num_key_value_heads=2, sliding_window=12, pad_token_id=0, query_pre_attn_scalar=20), T.Gemma3TextModel, "last"),
    "embeddinggemma": lambda n: text(n, T.Gemma3TextConfig(**{**S, "num_hidden_layers": 7}, head_dim=16, num_key_value_heads=1, sliding_window=12, pad_token_id=0, use_bidirectional_attention=True), T.Gemma3TextModel, **pooled("mean")),
    "qwen3": lambda n: text(n, T.Qwen3Config(**S, head_dim=24, num_key_value_heads=2, pad_token_id=102, eos_token_id=102), T.Qwen3Model, "last"),
    "qwen3 mean": lambda n: text(n, T.Qwen3Config(**S, head_dim=16, num_key_value_heads=1, pad_token_id=0, eos_token_id=102, use_sliding_window=True, sliding_window=9, max_window_layers=1), T.Qwen3Model, **pooled("mean")),
    "qwen2": lambda n: text(n, T.Qwen2Config(**S, num_key_value_heads=2, pad_token_id=102, eos_token_id=102), T.Qwen2Model, "last"),
    "qwen2 wide": lambda n: text(n, T.Qwen2Config(**S, num_key_value_heads=4, pad_token_id=0, eos_token_id=102), T.Qwen2Model, "last"),
    "mistral": lambda n: text(n, T.MistralConfig(**S, num_key_value_heads=2, sliding_window=None, pad_token_id=102, eos_token_id=102), T.MistralModel, "last"),
}
for name in sys.argv[1:] or CASES: CASES[name](name)
