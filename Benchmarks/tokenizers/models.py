"""SentencePiece models of every kind, and folders with a slow tokenizer alone, with the ids of the original libraries.

    python models.py OUT TEXTS

TEXTS has a hexadecimal text in each line. OUT/<name>.model is what <name>.ids, a line for each text, was made of:
`sentencepiece` itself, or for a class of transformers the tokenizer of a folder with that file alone. Tests/Fixtures/tokenizer/models
is the output for Tests/Fixtures/tokenizer/parts/texts. Needs `sentencepiece`, `transformers` and `protobuf`."""
import json, os, random, shutil, sys, tempfile
import sentencepiece, transformers

out, texts = sys.argv[1], [bytes.fromhex(line.strip()).decode() for line in open(sys.argv[2])]
os.makedirs(out, exist_ok=True)
random.seed(5)
words = "a photo of the cat dog in on with and is it's we're don't 2024 hello world naïve café 猫 犬 и кот ﬁne ½ <sym> ▁".split()
corpus = [" ".join(random.choice(words) for _ in range(random.randint(2, 9))) for _ in range(400)]
rules = tempfile.mktemp()
with open(rules, "w") as file:
    for old, new in [("\t", " "), ("\n", " "), ("\u3000", " "), ("ﬁ", "fi"), ("½", "1⁄2"), ("e\u0301", "é"), ("Ａ", "A"), ("\u200b", " "), ("Ⅷ", "VIII")]:
        file.write("\t".join(" ".join(f"{ord(c):X}" for c in text) for text in (old, new)) + "\n")
identity = dict(normalization_rule_name="identity")
models = {
    "unigram": {},
    "unigram-bytes": dict(byte_fallback=True, vocab_size=400),
    "unigram-user": dict(user_defined_symbols=["<sym>", "ca", "▁do"], control_symbols=["<c>"]),
    "unigram-raw": dict(add_dummy_prefix=False, remove_extra_whitespaces=False, **identity),
    "unigram-suffix": dict(treat_whitespace_as_suffix=True),
    "unigram-joined": dict(split_by_whitespace=False),
    "bpe": dict(model_type="bpe", vocab_size=150),
    "bpe-bytes": dict(model_type="bpe", vocab_size=420, byte_fallback=True, user_defined_symbols=["<sym>", "\n", "▁▁"], remove_extra_whitespaces=False, **identity),
    "char": dict(model_type="char"),
    "word": dict(model_type="word"),
}
own = dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
deberta = dict(pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]")
classes = {
    "t5": ("T5Tokenizer", "spiece.model", own, {}),
    "xlmr": ("XLMRobertaTokenizer", "sentencepiece.bpe.model", {}, {}),
    "albert": ("AlbertTokenizer", "spiece.model", dict(pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]", "[MASK]"]), {}),
    "deberta": ("DebertaV2Tokenizer", "spm.model", deberta, {}),
    "deberta-lower": ("DebertaV2Tokenizer", "spm.model", deberta, {"do_lower_case": True, "split_by_punct": True}),
    "nllb": ("NllbTokenizer", "sentencepiece.bpe.model", dict(model_type="bpe", vocab_size=150), {"additional_special_tokens": ["eng_Latn", "fra_Latn"], "src_lang": "fra_Latn"}),
}


def train(name, **options):
    options = {"vocab_size": 200, "normalization_rule_tsv": rules, "bos_id": 1, "eos_id": 2, "unk_id": 0, **options}
    if "normalization_rule_name" in options:
        del options["normalization_rule_tsv"]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_prefix=f"{out}/{name}", hard_vocab_limit=False, minloglevel=2, num_threads=1, **options)
    os.remove(f"{out}/{name}.vocab")


def write(name, ids):
    with open(f"{out}/{name}.ids", "w") as file:
        file.writelines(" ".join(map(str, line)) + "\n" for line in ids)


for name, options in models.items():
    train(name, **options)
    processor = sentencepiece.SentencePieceProcessor(model_file=f"{out}/{name}.model")
    write(name, (processor.encode(text) + [2] for text in texts))
for name, (kind, file, options, config) in classes.items():
    train(name, **options)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(f"{out}/{name}.model", f"{folder}/{file}")
        json.dump({"tokenizer_class": kind, **config}, open(f"{folder}/tokenizer_config.json", "w"))
        tokenizer = getattr(transformers, kind).from_pretrained(folder)
        write(name, (tokenizer(text)["input_ids"] for text in texts))
# The vocabulary of parts/roberta.json in the two files of RoBERTa.
model = json.load(open(os.path.join(os.path.dirname(sys.argv[2]), "roberta.json")))["model"]
with tempfile.TemporaryDirectory() as folder:
    json.dump(model["vocab"], open(f"{folder}/vocab.json", "w"))
    with open(f"{folder}/merges.txt", "w") as file:
        file.writelines(["#version: 0.2\n", *(" ".join(merge) + "\n" for merge in model["merges"])])
    tokenizer = transformers.RobertaTokenizer.from_pretrained(folder)
    write("roberta", (tokenizer(text)["input_ids"] for text in texts))
