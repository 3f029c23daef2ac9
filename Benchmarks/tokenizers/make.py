"""Tokenizers of every kind that tokenizer.json has, trained on made-up text in 35 scripts, and their ids.

    python make.py OUT [TEXTS [SEED [SIZE]]]

OUT/<name>/ has tokenizer.json, a clipcore.json for `clip` and the C test, and `expected`: the ids of each line of OUT/texts,
which is hexadecimal. Tests/Fixtures/tokenizer/parts is the output for 60 texts, seed 3 and SIZE 0.1. Needs `tokenizers`,
`sentencepiece`."""
import os, sys, json, random, shutil
os.environ["TOKENIZERS_PARALLELISM"]="false"
from tokenizers import *
from tokenizers import models as M, normalizers as N, pre_tokenizers as P, processors as X, trainers as T, Regex, AddedToken
OUT=sys.argv[1]; os.makedirs(OUT,exist_ok=True); SIZE=float(sys.argv[4]) if len(sys.argv)>4 else 1; random.seed(7)
BLOCKS=[(0x61,0x7a),(0x41,0x5a),(0xc0,0x24f),(0x370,0x3ff),(0x400,0x4ff),(0x531,0x587),(0x5d0,0x5ea),(0x620,0x6ff),(0x900,0x97f),(0x980,0x9ff),(0xa00,0xa7f),(0xb80,0xbff),(0xc00,0xc7f),(0xd00,0xd7f),(0xe00,0xe5b),(0xe80,0xeff),(0xf00,0xfbc),(0x1000,0x109f),(0x10a0,0x10ff),(0x1100,0x11ff),(0x1200,0x137f),(0x13a0,0x13ff),(0x1780,0x17ff),(0x1e00,0x1eff),(0x1f00,0x1fff),(0x3040,0x309f),(0x30a0,0x30ff),(0x4e00,0x4fff),(0xac00,0xad00),(0xff01,0xff5e),(0x1f300,0x1f64f),(0x300,0x36f),(0x2000,0x206f),(0x20a0,0x20bf),(0x2190,0x22ff),(0x10400,0x1044f)]
def word():
    a,b=random.choice(BLOCKS[:2]*12+BLOCKS); return "".join(chr(random.randint(a,b)) for _ in range(random.randint(1,7)))
WORDS=[word() for _ in range(int(900*SIZE))]+"the a of photo cat dog in on with and is it's we're don't 2024 100 3.14 hello world".split()*6
def line(): return " ".join(random.choice(WORDS) for _ in range(random.randint(3,12)))+random.choice(["",".","!"," ?","\n"])
V=lambda n: int(n*(SIZE if SIZE==1 else max(SIZE*1.6,300/n)))
TEXT=[line() for _ in range(int(3000*SIZE))]
def odd():
    r=random.random()
    if r<0.35: return line()
    out=[]
    for _ in range(random.randint(0,14)):
        k=random.random()
        if k<0.3: out.append(random.choice(WORDS))
        elif k<0.5: out.append(word())
        elif k<0.62: out.append(random.choice([" ","  ","   ","\t","\n","\r\n"," \n ","\u00a0","\u3000","\u2028","\u200b","\u200d","\u2581","\x1c","\x85"]))
        elif k<0.72: out.append(random.choice(["'s","'S","'ll","’s","n't","...","!!","?!","--","&amp;","#1","@x","$5","1,000.5","½","Ⅷ","²","e\u0301","ﬁ","ß","İ","ſ","Σς","👩‍👩‍👧","🇩🇪","👍🏽","각","अ\u094d"]))
        elif k<0.8: out.append(random.choice(["<s>","</s>","<pad>","<unk>","[CLS]","[SEP]","[MASK]","<mask>","<|endoftext|>","<|startoftext|>","<extra>"," <extra> ","<Norm>","<norm>","WORDTOK","aWORDTOKb","x WORDTOK y"]))
        elif k<0.9:
            c=random.randint(1,0x10ffff)
            if 0xd800<=c<=0xdfff: c=0x41
            out.append(chr(c))
        else: out.append(chr(random.randint(1,0x7f))*random.randint(1,6))
        if random.random()<0.4: out.append(" ")
    return "".join(out)
GPT2=r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA=r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN=LLAMA.replace("{1,3}","")
O200=r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CLIP=r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
import base64
import io, sentencepiece
def fields(b):
    at=0
    def var():
        nonlocal at; v=s=0
        while True:
            c=b[at]; at+=1; v|=(c&127)<<s; s+=7
            if c<128: return v
    while at<len(b):
        k=var()
        if k&7==0: yield k>>3,var()
        elif k&7==2: n=var(); yield k>>3,b[at:at+n]; at+=n
        elif k&7==5: at+=4
        else: at+=8
# The whole of nmt_nfkc takes 240 KB; these rules are of each kind.
if SIZE<1:
    with open(OUT+"/rules.tsv","w") as f:
        f.write("".join("\t".join(" ".join(f"{ord(c):X}" for c in x) for x in p)+"\n" for p in [("\t"," "),("\n"," "),("\r"," "),("\u3000"," "),("\u00a0"," "),("ﬁ","fi"),("½","1⁄2"),("e\u0301","é"),("Ａ","A"),("㌢","センチ"),("\u200b"," "),("²","2"),("\u0345",""),("Ⅷ","VIII")]))
    kw=dict(normalization_rule_tsv=OUT+"/rules.tsv")
else: kw=dict(normalization_rule_name="nmt_nfkc")
model=io.BytesIO(); sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(t for t in TEXT[:300]),model_writer=model,vocab_size=1200,hard_vocab_limit=False,minloglevel=2,**kw)
CHARSMAP=dict(fields(dict(fields(model.getvalue()))[3])).get(2,b"")
ADD=[AddedToken("<extra>",lstrip=True,rstrip=False,normalized=False,special=True),AddedToken("<Norm>",normalized=True,special=False),AddedToken("WORDTOK",single_word=True,normalized=False),AddedToken("<mask>",lstrip=True,special=True,normalized=False)]
def tmpl(t,single,specials): 
    t.post_processor=X.TemplateProcessing(single=single,special_tokens=[(s,t.token_to_id(s)) for s in specials])
def bl(regex=None,prefix=False,norm=None,model={},split_behavior="isolated",trim=True):
    t=Tokenizer(M.BPE(**model)); 
    if norm is not None: t.normalizer=norm
    t.pre_tokenizer=P.ByteLevel(add_prefix_space=prefix) if regex is None else P.Sequence([P.Split(Regex(regex),split_behavior),P.ByteLevel(add_prefix_space=prefix,use_regex=False)])
    t.train_from_iterator(TEXT,T.BpeTrainer(vocab_size=V(1500),special_tokens=["<s>","<pad>","</s>","<unk>","<|endoftext|>"],initial_alphabet=P.ByteLevel.alphabet(),show_progress=False)); return t
def uni(norm,pre,**kw):
    t=Tokenizer(M.Unigram()); t.normalizer=norm; t.pre_tokenizer=pre
    t.train_from_iterator(TEXT,T.UnigramTrainer(vocab_size=6000 if SIZE==1 else 900,special_tokens=["<s>","<pad>","</s>","<unk>"],unk_token="<unk>",show_progress=False)); 
    return t
K={}
t=bl(); t.post_processor=X.RobertaProcessing(("</s>",2),("<s>",0),trim_offsets=True,add_prefix_space=False); K["roberta"]=t
t=bl(prefix=True); tmpl(t,"<s> $A </s>",["<s>","</s>"]); K["gpt2-prefix"]=t
t=bl(LLAMA,model=dict(ignore_merges=True)); tmpl(t,"<s> $A",["<s>"]); t.post_processor=X.Sequence([X.ByteLevel(trim_offsets=False),t.post_processor]); K["llama3"]=t
t=bl(QWEN,norm=N.NFC()); tmpl(t,"$A <|endoftext|>",["<|endoftext|>"]); K["qwen"]=t
t=bl(O200); K["o200k"]=t
t=bl(prefix=False,norm=N.Sequence([N.NFKD(),N.StripAccents(),N.Lowercase()])); K["nfkd-bl"]=t
t=bl(r"[\p{L}\p{M}]++|\p{N}{2,3}|[^\s\w]{1,2}|\s+",split_behavior="removed"); K["possessive"]=t
for b in ["contiguous","merged_with_previous","merged_with_next"]:
    t=bl(r"\p{N}| |[aeiou]",split_behavior=b); K["split-"+b]=t
# gemma-like
t=Tokenizer(M.BPE(unk_token="<unk>",fuse_unk=True,byte_fallback=True)); t.normalizer=N.Replace(" ","▁"); t.pre_tokenizer=P.Split(" ","merged_with_previous")
tr=T.BpeTrainer(vocab_size=V(1600),special_tokens=["<pad>","<eos>","<bos>","<unk>"]+["<0x%02X>"%i for i in range(256)],show_progress=False,limit_alphabet=V(400))
t2=Tokenizer(M.BPE(unk_token="<unk>",fuse_unk=True,byte_fallback=True)); t2.normalizer=t.normalizer; t2.pre_tokenizer=P.Split(Regex("▁+"),"merged_with_next"); t2.train_from_iterator(TEXT,tr)
j=json.loads(t2.to_str()); 
j["added_tokens"]=[a for a in j["added_tokens"] if not a["content"].startswith("<0x")]
j["pre_tokenizer"]=json.loads(t.to_str())["pre_tokenizer"]; t=Tokenizer.from_str(json.dumps(j)); tmpl(t,"<bos> $A <eos>",["<bos>","<eos>"]); K["gemma"]=t
for nm,kw in [("fuse",dict(unk_token="<unk>",fuse_unk=True)),("nofuse",dict(unk_token="<unk>",fuse_unk=False)),("nounk",{})]:
    t=Tokenizer(M.BPE(**kw)); t.pre_tokenizer=P.Metaspace(); t.train_from_iterator(TEXT,T.BpeTrainer(vocab_size=V(900),limit_alphabet=150,special_tokens=["<s>","<pad>","</s>","<unk>"],show_progress=False)); K["bpe-meta-"+nm]=t
t=Tokenizer(M.BPE(unk_token="<unk>",continuing_subword_prefix="##",end_of_word_suffix="</w>")); t.pre_tokenizer=P.Whitespace(); t.train_from_iterator(TEXT,T.BpeTrainer(vocab_size=V(1800),special_tokens=["<unk>"],continuing_subword_prefix="##",end_of_word_suffix="</w>",show_progress=False)); K["bpe-prefix-suffix"]=t
# CLIP
t=Tokenizer(M.BPE(unk_token="<|endoftext|>",end_of_word_suffix="</w>",continuing_subword_prefix="")); t.normalizer=N.Sequence([N.NFC(),N.Replace(Regex(r"\s+")," "),N.Lowercase()]); t.pre_tokenizer=P.Sequence([P.Split(Regex(CLIP),"removed",invert=True),P.ByteLevel(add_prefix_space=False)])
t.train_from_iterator(TEXT,T.BpeTrainer(vocab_size=V(1500),special_tokens=["<|startoftext|>","<|endoftext|>"],initial_alphabet=P.ByteLevel.alphabet(),end_of_word_suffix="</w>",show_progress=False))
j=json.loads(t.to_str()); v=j["model"]["vocab"]; n=max(v.values())+1
for c in sorted(P.ByteLevel.alphabet()):
    if c+"</w>" not in v: v[c+"</w>"]=n; n+=1
t=Tokenizer.from_str(json.dumps(j)); t.post_processor=X.RobertaProcessing(("<|endoftext|>",1),("<|startoftext|>",0),False,False); K["clip"]=t
# unigram
XLMR=P.Sequence([P.WhitespaceSplit(),P.Metaspace()])
t=uni(N.Precompiled(CHARSMAP),XLMR); tmpl(t,"<s> $A </s>",["<s>","</s>"]); K["xlmr"]=t
t=uni(N.Sequence([N.Precompiled(CHARSMAP),N.Replace(Regex(" {2,}")," ")]),P.Metaspace(prepend_scheme="always")); tmpl(t,"$A </s>",["</s>"]); K["t5"]=t
t=uni(N.Sequence([N.Replace("``",'"'),N.Replace("''",'"'),N.NFKD(),N.StripAccents(),N.Lowercase(),N.Precompiled(CHARSMAP),N.Replace(Regex(" {2,}")," ")]),P.Metaspace(prepend_scheme="first")); tmpl(t,"<s> $A </s>",["<s>","</s>"]); K["albert"]=t
t=uni(N.Sequence([N.Strip(),N.Precompiled(CHARSMAP),N.Replace(Regex(" {2,}")," ")]),P.Sequence([P.Punctuation("isolated"),P.Metaspace(split=False)])); K["deberta"]=t
t=uni(N.Sequence([N.Nmt(),N.NFKC(),N.Replace(Regex(" {2,}")," ")]),P.Metaspace(prepend_scheme="never")); K["unigram-nmt"]=t
j=json.loads(K["t5"].to_str()); n=len(j["model"]["vocab"]); j["model"]["vocab"]+=[["<0x%02X>"%i,-12.0] for i in range(256)]; j["model"]["byte_fallback"]=True; K["unigram-bytes"]=Tokenizer.from_str(json.dumps(j))
j=json.loads(K["t5"].to_str()); 
for p in j["model"]["vocab"]: p[1]=float(round(p[1])) 
K["unigram-ties"]=Tokenizer.from_str(json.dumps(j))
j=json.loads(K["t5"].to_str()); j["normalizer"]={"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}; j["pre_tokenizer"]=None; K["llama2-like"]=Tokenizer.from_str(json.dumps(j))
# wordpiece
def wp(norm,**kw):
    t=Tokenizer(M.WordPiece(unk_token="[UNK]",**kw)); t.normalizer=norm; t.pre_tokenizer=P.BertPreTokenizer()
    t.train_from_iterator(TEXT,T.WordPieceTrainer(vocab_size=V(2500),limit_alphabet=V(800),special_tokens=["[PAD]","[UNK]","[CLS]","[SEP]","[MASK]"],show_progress=False)); tmpl(t,"[CLS] $A [SEP]",["[CLS]","[SEP]"]); return t
K["bert"]=wp(N.BertNormalizer()); K["bert-cased"]=wp(N.BertNormalizer(lowercase=False),max_input_chars_per_word=8)
K["mpnet"]=wp(N.BertNormalizer(strip_accents=False)); K["mpnet"].post_processor=X.BertProcessing(("[SEP]",3),("[CLS]",2))
for nm,pre in [("digits",P.Sequence([P.WhitespaceSplit(),P.Digits(individual_digits=True)])),("digits-run",P.Sequence([P.WhitespaceSplit(),P.Digits()])),("punct-next",P.Punctuation("merged_with_next")),("delimiter",P.CharDelimiterSplit("e")),("whitespace",P.Whitespace())]:
    t=Tokenizer(M.WordLevel(unk_token="[UNK]")); t.normalizer=N.Sequence([N.NFD(),N.Strip(right=False),N.Lowercase()]); t.pre_tokenizer=pre; t.train_from_iterator(TEXT,T.WordLevelTrainer(vocab_size=V(3000),special_tokens=["[PAD]","[UNK]"],show_progress=False)); K["level-"+nm]=t
n=int(sys.argv[2]) if len(sys.argv)>2 else 2000
random.seed(int(sys.argv[3]) if len(sys.argv)>3 else 11)
texts=[odd() for _ in range(n)]+["", " ", "  a", "a ", "<extra>", " <extra> x", "\u0345", "a\u0345b"]
texts=[t for t in texts if "\0" not in t]
for k,t in K.items():
    if k!="clip": t.add_special_tokens([ADD[0],ADD[3]]); t.add_tokens([ADD[1],ADD[2]])
    d=f"{OUT}/{k}"; os.makedirs(d,exist_ok=True); t.save(d+"/tokenizer.json")
    json.dump({"version":1,"embed_dim":8,"text":{"encoder":"clipcore.encoder.clip-text","config":{"vocab_size":t.get_vocab_size()+5,"context_length":512,"width":8,"heads":1,"layers":1,"mlp_width":8,"embed_dim":8,"activation":"gelu","epsilon":1e-5,"end_token":-1},"tokenizer":"folder"}},open(d+"/clipcore.json","w"))
    with open(d+"/expected","w") as f:
        for s in texts: f.write(" ".join(map(str,t.encode(s).ids))+"\n")
with open(OUT+"/texts","w") as f:
    for s in texts: f.write(s.encode().hex()+"\n")
print(len(K),"tokenizers",len(texts),"texts")
