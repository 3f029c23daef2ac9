/// timm's vision transformers, as built by timm. A row is for one architecture, or for several that only differ in the
/// size of images, "stem[224,384]". Columns: patch size, width, blocks, heads, the MLP's width, and options of
/// TimmTransformers. Benchmarks/zoo/timm_table.py prints the rows.
enum TimmTransformerTable {
  static let rows: StaticString = """
    beit3_base_patch16_[224] 16 768 12 12 3072 attnorm mlpnorm avg epsilon=1e-05
    beit3_giant_patch14_[224,336] 14 1408 40 16 6144 attnorm mlpnorm avg epsilon=1e-05
    beit3_large_patch16_[224] 16 1024 24 16 4096 attnorm mlpnorm avg epsilon=1e-05
    eva_large_patch14_[196,336] 14 1024 24 16 4096 avg
    flexivit_base 16 768 12 12 3072 patchpositions
    flexivit_large 16 1024 24 16 4096 patchpositions
    flexivit_small 16 384 12 6 1536 patchpositions
    test_vit 16 64 6 2 192
    test_vit2 16 64 8 2 192 noclass registers=1 scale avg
    test_vit3 16 96 9 3 192 noclass registers=1 scale map poolall
    test_vit4 16 96 9 3 288 noclass registers=1 scale avg rms
    vit_base_mci_[224] 16 768 12 12 3072 convolutions patchpositions
    vit_base_patch8_[224] 8 768 12 12 3072
    vit_base_patch14_dinov2 14 768 12 12 3072 scale
    vit_base_patch14_reg1_tipsv2 14 768 12 12 3072 registers=1 patchpositions scale
    vit_base_patch14_reg4_dinov2 14 768 12 12 3072 registers=4 patchpositions scale
    vit_base_patch16_[224,384] 16 768 12 12 3072
    vit_base_patch16_224_miil 16 768 12 12 3072 noqkvbias
    vit_base_patch16_clip_[224,384] 16 768 12 12 3072 nobias prenorm epsilon=1e-05
    vit_base_patch16_clip_quickgelu_[224] 16 768 12 12 3072 nobias prenorm quick epsilon=1e-05
    vit_base_patch16_gap_[224] 16 768 12 16 3072 noclass avg norm
    vit_base_patch16_plus_[240] 16 896 12 14 3584 scale
    vit_base_patch16_plus_clip_[240] 16 896 12 14 3584 nobias prenorm epsilon=1e-05
    vit_base_patch16_radio_v3 16 768 12 12 3072 registers=7 patchpositions scale nonorm
    vit_base_patch16_reg4_gap_[256] 16 768 12 12 3072 noclass registers=4 patchpositions avg
    vit_base_patch16_siglip_[224,256,384,512] 16 768 12 12 3072 noclass map
    vit_base_patch16_siglip_gap_[224,256,384,512] 16 768 12 12 3072 noclass avg norm
    vit_base_patch32_[224,384] 32 768 12 12 3072
    vit_base_patch32_clip_[224,256,384,448] 32 768 12 12 3072 nobias prenorm epsilon=1e-05
    vit_base_patch32_clip_quickgelu_[224] 32 768 12 12 3072 nobias prenorm quick epsilon=1e-05
    vit_base_patch32_plus_[256] 32 896 12 14 3584 scale
    vit_base_patch32_siglip_[256] 32 768 12 12 3072 noclass tanh map
    vit_base_patch32_siglip_gap_[256] 32 768 12 12 3072 noclass tanh avg norm
    vit_betwixt_patch16_gap_[256] 16 640 12 10 2560 noclass scale noqkvbias avg norm
    vit_betwixt_patch16_reg1_gap_[256] 16 640 12 10 2560 noclass registers=1 patchpositions scale avg
    vit_betwixt_patch16_reg4_gap_[256,384] 16 640 12 10 2560 noclass registers=4 patchpositions scale avg
    vit_betwixt_patch32_clip_[224] 32 640 12 10 2560 nobias prenorm epsilon=1e-05
    vit_giant_patch14_[224] 14 1408 40 16 6144
    vit_giant_patch14_clip_[224] 14 1408 40 16 6144 nobias prenorm epsilon=1e-05
    vit_giant_patch14_dinov2 14 1536 40 24 4096 scale gatefirst silu
    vit_giant_patch14_reg1_tipsv2 14 1536 40 24 4096 registers=1 patchpositions scale gatefirst silu
    vit_giant_patch14_reg4_dinov2 14 1536 40 24 4096 registers=4 patchpositions scale gatefirst silu
    vit_giant_patch16_gap_[224] 16 1408 40 16 6144 noclass avg norm
    vit_giant_patch16_radio_v3 16 1536 40 24 6144 registers=7 patchpositions nonorm
    vit_giantopt_patch16_siglip_[256,384] 16 1536 40 16 6144 noclass tanh map
    vit_giantopt_patch16_siglip_gap_[256,384] 16 1536 40 16 6144 noclass tanh avg norm
    vit_gigantic_patch14_[224] 14 1664 48 16 8192
    vit_gigantic_patch14_clip_[224,378] 14 1664 48 16 8192 nobias prenorm epsilon=1e-05
    vit_gigantic_patch14_clip_quickgelu_[224] 14 1664 48 16 8192 nobias prenorm quick epsilon=1e-05
    vit_huge_patch14_[224] 14 1280 32 16 5120
    vit_huge_patch14_clip_[224,336,378] 14 1280 32 16 5120 nobias prenorm epsilon=1e-05
    vit_huge_patch14_clip_quickgelu_[224,378] 14 1280 32 16 5120 nobias prenorm quick epsilon=1e-05
    vit_huge_patch14_gap_[224] 14 1280 32 16 5120 noclass avg norm
    vit_huge_patch16_gap_[448] 16 1280 32 16 5120 noclass avg norm
    vit_huge_patch16_radio_v3 16 1280 32 16 5120 registers=7 patchpositions nonorm
    vit_huge_patch16_radio_v4 16 1280 32 16 5120 registers=9 patchpositions nonorm
    vit_intern300m_patch14_[448] 14 1024 24 16 4096 scale nonorm
    vit_large_patch14_[224] 14 1024 24 16 4096
    vit_large_patch14_clip_[224,336] 14 1024 24 16 4096 nobias prenorm epsilon=1e-05
    vit_large_patch14_clip_quickgelu_[224,336] 14 1024 24 16 4096 nobias prenorm quick epsilon=1e-05
    vit_large_patch14_dinov2 14 1024 24 16 4096 scale
    vit_large_patch14_reg1_tipsv2 14 1024 24 16 4096 registers=1 patchpositions scale
    vit_large_patch14_reg4_dinov2 14 1024 24 16 4096 registers=4 patchpositions scale
    vit_large_patch16_[224,384] 16 1024 24 16 4096
    vit_large_patch16_radio_v3 16 1024 24 16 4096 registers=7 patchpositions scale nonorm
    vit_large_patch16_siglip_[256,384] 16 1024 24 16 4096 noclass map
    vit_large_patch16_siglip_[512] 16 1024 24 16 4096 noclass tanh map
    vit_large_patch16_siglip_gap_[256,384] 16 1024 24 16 4096 noclass avg norm
    vit_large_patch16_siglip_gap_[512] 16 1024 24 16 4096 noclass tanh avg norm
    vit_large_patch32_[224,384] 32 1024 24 16 4096
    vit_little_patch16_reg1_gap_[256] 16 320 14 5 1792 noclass registers=1 patchpositions scale avg
    vit_little_patch16_reg4_gap_[256] 16 320 14 5 1792 noclass registers=4 patchpositions scale avg
    vit_medium_patch16_clip_[224] 16 512 12 8 2048 nobias prenorm epsilon=1e-05
    vit_medium_patch16_gap_[240,256,384] 16 512 12 8 2048 noclass scale noqkvbias avg norm
    vit_medium_patch16_reg1_gap_[256] 16 512 12 8 2048 noclass registers=1 patchpositions scale avg
    vit_medium_patch16_reg4_gap_[256] 16 512 12 8 2048 noclass registers=4 patchpositions scale avg
    vit_medium_patch32_clip_[224] 32 512 12 8 2048 nobias prenorm epsilon=1e-05
    vit_mediumd_patch16_reg4_gap_[256,384] 16 512 20 8 2048 noclass registers=4 patchpositions scale avg
    vit_small_patch8_[224] 8 384 12 6 1536
    vit_small_patch14_dinov2 14 384 12 6 1536 scale
    vit_small_patch14_reg4_dinov2 14 384 12 6 1536 registers=4 patchpositions scale
    vit_small_patch16_36x1_[224] 16 384 36 6 1536 scale
    vit_small_patch16_[224,384] 16 384 12 6 1536
    vit_small_patch32_[224,384] 32 384 12 6 1536
    vit_so150m2_patch16_reg1_gap_[256,384,448] 16 832 21 13 2176 noclass registers=1 scale noqkvbias avg
    vit_so150m_patch16_reg4_gap_[256,384] 16 896 18 14 2304 noclass registers=4 avg norm
    vit_so150m_patch16_reg4_map_[256] 16 896 18 14 2304 noclass registers=4 map
    vit_so400m_patch14_reg1_tipsv2 14 1152 27 16 4304 registers=1 patchpositions scale
    vit_so400m_patch14_siglip_[224,378,384] 14 1152 27 16 4304 noclass map
    vit_so400m_patch14_siglip_gap_[224,378,384,448,896] 14 1152 27 16 4304 noclass avg norm
    vit_so400m_patch16_radio_v4 16 1152 27 16 4304 registers=9 patchpositions nonorm
    vit_so400m_patch16_siglip_[256,384,512] 16 1152 27 16 4304 noclass tanh map
    vit_so400m_patch16_siglip_gap_[256,384,512] 16 1152 27 16 4304 noclass tanh avg norm
    vit_tiny_patch16_[224,384] 16 192 12 3 768
    vit_wee_patch16_reg1_gap_[256] 16 256 14 4 1280 noclass registers=1 patchpositions scale avg
    vit_xsmall_patch16_clip_[224] 16 256 10 4 1024 nobias prenorm epsilon=1e-05
    deit3_base_patch16_[224,384] 16 768 12 12 3072 patchpositions scale
    deit3_huge_patch14_[224] 14 1280 32 16 5120 patchpositions scale
    deit3_large_patch16_[224,384] 16 1024 24 16 4096 patchpositions scale
    deit3_medium_patch16_[224] 16 512 12 8 2048 patchpositions scale
    deit3_small_patch16_[224,384] 16 384 12 6 1536 patchpositions scale
    deit_base_distilled_patch16_[224,384] 16 768 12 12 3072 distilled norm
    deit_base_patch16_[224,384] 16 768 12 12 3072
    deit_small_distilled_patch16_[224] 16 384 12 6 1536 distilled norm
    deit_small_patch16_[224] 16 384 12 6 1536
    deit_tiny_distilled_patch16_[224] 16 192 12 3 768 distilled norm
    deit_tiny_patch16_[224] 16 192 12 3 768
    eva02_base_patch14_[224,448] 14 768 12 12 2048 apart nokeybias gateapart mlpnorm silu avg rotary reference=16
    eva02_base_patch16_clip_[224] 16 768 12 12 2048 attnorm apart nokeybias gateapart mlpnorm silu rotary reference=16
    eva02_enormous_patch14_clip_[224] 14 1792 64 16 15360 postnorm nokeybias
    eva02_large_patch14_[224,448] 14 1024 24 16 2730 apart nokeybias gateapart mlpnorm silu avg rotary reference=16
    eva02_large_patch14_clip_[224,336] 14 1024 24 16 2730 attnorm apart nokeybias gateapart mlpnorm silu rotary reference=16
    eva02_small_patch14_[224,336] 14 384 12 6 1024 nokeybias gatefirst silu avg rotary reference=16
    eva02_tiny_patch14_[224,336] 14 192 12 3 512 nokeybias gatefirst silu avg rotary reference=16
    eva_giant_patch14_[224,336,560] 14 1408 40 16 6144 nokeybias avg
    eva_giant_patch14_clip_[224] 14 1408 40 16 6144 nokeybias
    vit_7b_patch16_dinov3 16 4096 40 32 8192 registers=4 nopositions scale noqkvbias gateapart silu avg norm dinov3 epsilon=1e-05
    vit_base_patch16_dinov3 16 768 12 12 3072 registers=4 nopositions scale noqkvbias avg norm dinov3 epsilon=1e-05
    vit_base_patch16_dinov3_qkvb 16 768 12 12 3072 registers=4 nopositions scale nokeybias avg norm dinov3 epsilon=1e-05
    vit_base_patch16_lingbot 16 768 12 12 3072 registers=4 nopositions scale nokeybias norm dinov3 epsilon=1e-05
    vit_base_patch16_rope_[224] 16 768 12 12 3072 nopositions scale norm rotary base=100 xy
    vit_base_patch16_rope_ape_[224] 16 768 12 12 3072 patchpositions scale rotary base=100 xy
    vit_base_patch16_rope_reg1_gap_[256] 16 768 12 12 3072 noclass registers=1 nopositions scale nokeybias avg rotary reference=16
    vit_betwixt_patch16_rope_reg4_gap_[256] 16 640 12 10 2560 noclass registers=4 nopositions scale nokeybias avg rotary reference=16
    vit_giant_patch16_lingbot 16 1536 40 24 4096 registers=4 nopositions scale noqkvbias gateapart silu norm dinov3 epsilon=1e-05
    vit_huge_plus_patch16_dinov3 16 1280 32 20 5120 registers=4 nopositions scale noqkvbias gateapart silu avg norm dinov3 epsilon=1e-05
    vit_huge_plus_patch16_dinov3_qkvb 16 1280 32 20 5120 registers=4 nopositions scale nokeybias gateapart silu avg norm dinov3 epsilon=1e-05
    vit_large_patch16_dinov3 16 1024 24 16 4096 registers=4 nopositions scale noqkvbias avg norm dinov3 epsilon=1e-05
    vit_large_patch16_dinov3_qkvb 16 1024 24 16 4096 registers=4 nopositions scale nokeybias avg norm dinov3 epsilon=1e-05
    vit_large_patch16_lingbot 16 1024 24 16 4096 registers=4 nopositions scale nokeybias norm dinov3 epsilon=1e-05
    vit_large_patch16_rope_[224] 16 1024 24 16 4096 nopositions scale rotary base=100 xy
    vit_large_patch16_rope_ape_[224] 16 1024 24 16 4096 patchpositions scale rotary base=100 xy
    vit_medium_patch16_rope_reg1_gap_[256] 16 512 12 8 2048 noclass registers=1 nopositions scale nokeybias avg rotary reference=16
    vit_mediumd_patch16_rope_reg1_gap_[256] 16 512 20 8 2048 noclass registers=1 nopositions scale noqkvbias avg rotary reference=16
    vit_pe_core_base_patch16_[224] 16 768 12 12 3072 nobias prenorm map poolheads=8 rotary reference=14 offset=1 xy epsilon=1e-05
    vit_pe_core_gigantic_patch14_[448] 14 1536 50 16 8960 nobias noclass prenorm map poolheads=8 poolmlp=6144 rotary reference=32 xy epsilon=1e-05
    vit_pe_core_large_patch14_[336] 14 1024 24 16 4096 nobias prenorm map poolheads=8 rotary reference=24 offset=1 xy epsilon=1e-05
    vit_pe_core_small_patch16_[384] 16 384 12 6 1536 nobias prenorm map poolheads=8 rotary reference=24 offset=1 xy epsilon=1e-05
    vit_pe_core_tiny_patch16_[384] 16 192 12 3 768 nobias prenorm map poolheads=8 rotary reference=24 offset=1 xy epsilon=1e-05
    vit_pe_lang_gigantic_patch14_[448] 14 1536 47 16 8960 nobias noclass prenorm scale avg nonorm rotary reference=32 xy epsilon=1e-05
    vit_pe_lang_large_patch14_[448] 14 1024 23 16 4096 nobias prenorm scale avg nonorm rotary reference=32 offset=1 xy epsilon=1e-05
    vit_pe_spatial_base_patch16_[512] 16 768 12 12 3072 nobias prenorm avg nonorm rotary reference=32 offset=1 xy epsilon=1e-05
    vit_pe_spatial_gigantic_patch14_[448] 14 1536 50 16 8960 nobias noclass prenorm scale avg nonorm rotary reference=32 xy epsilon=1e-05
    vit_pe_spatial_large_patch14_[448] 14 1024 24 16 4096 nobias prenorm avg nonorm rotary reference=32 offset=1 xy epsilon=1e-05
    vit_pe_spatial_small_patch16_[512] 16 384 12 6 1536 nobias prenorm avg nonorm rotary reference=32 offset=1 xy epsilon=1e-05
    vit_pe_spatial_tiny_patch16_[512] 16 192 12 3 768 nobias prenorm avg nonorm rotary reference=32 offset=1 xy epsilon=1e-05
    vit_small_patch16_dinov3 16 384 12 6 1536 registers=4 nopositions scale noqkvbias avg norm dinov3 epsilon=1e-05
    vit_small_patch16_dinov3_qkvb 16 384 12 6 1536 registers=4 nopositions scale nokeybias avg norm dinov3 epsilon=1e-05
    vit_small_patch16_lingbot 16 384 12 6 1536 registers=4 nopositions scale nokeybias norm dinov3 epsilon=1e-05
    vit_small_patch16_rope_[224] 16 384 12 6 1536 nopositions scale rotary base=100 xy
    vit_small_patch16_rope_ape_[224] 16 384 12 6 1536 patchpositions scale rotary base=100 xy
    vit_small_plus_patch16_dinov3 16 384 12 6 1536 registers=4 nopositions scale noqkvbias gateapart silu avg norm dinov3 epsilon=1e-05
    vit_small_plus_patch16_dinov3_qkvb 16 384 12 6 1536 registers=4 nopositions scale nokeybias gateapart silu avg norm dinov3 epsilon=1e-05
    vit_tiny_patch16_dinov3_qkvb 16 192 12 3 768 registers=4 nopositions scale nokeybias avg norm dinov3 epsilon=1e-05
    beit_base_patch16_[224,384] 16 768 12 12 3072 nopositions scale nokeybias avg beitbias
    beit_large_patch16_[224,384,512] 16 1024 24 16 4096 nopositions scale nokeybias avg beitbias
    beitv2_base_patch16_[224] 16 768 12 12 3072 nopositions scale nokeybias avg beitbias
    beitv2_large_patch16_[224] 16 1024 24 16 4096 nopositions scale nokeybias avg beitbias
    vit_relpos_base_patch16_[224] 16 768 12 12 3072 noclass nopositions scale noqkvbias avg fcnorm mlpbias biaswidth=128
    vit_relpos_base_patch16_cls_[224] 16 768 12 12 3072 nopositions scale noqkvbias norm mlpbias biaswidth=128
    vit_relpos_base_patch16_clsgap_[224] 16 768 12 12 3072 nopositions scale noqkvbias avg fcnorm mlpbias biaswidth=128
    vit_relpos_base_patch16_plus_[240] 16 896 12 14 3584 noclass nopositions scale avg norm mlpbias biaswidth=128
    vit_relpos_base_patch16_rpn_[224] 16 768 12 12 3072 noclass nopositions postnorm noqkvbias avg norm mlpbias biaswidth=128
    vit_relpos_base_patch32_plus_rpn_[256] 32 896 12 14 3584 noclass nopositions postnorm avg norm mlpbias biaswidth=128
    vit_relpos_medium_patch16_[224] 16 512 12 8 2048 noclass nopositions scale noqkvbias avg fcnorm mlpbias biaswidth=128
    vit_relpos_medium_patch16_cls_[224] 16 512 12 8 2048 nopositions scale noqkvbias norm mlpbias biaswidth=256
    vit_relpos_medium_patch16_rpn_[224] 16 512 12 8 2048 noclass nopositions postnorm noqkvbias avg norm mlpbias biaswidth=128
    vit_relpos_small_patch16_[224] 16 384 12 6 1536 noclass nopositions scale noqkvbias avg fcnorm mlpbias biaswidth=128
    vit_relpos_small_patch16_rpn_[224] 16 384 12 6 1536 noclass nopositions postnorm noqkvbias avg norm mlpbias biaswidth=128
    vit_srelpos_medium_patch16_[224] 16 512 12 8 2048 noclass nopositions scale noqkvbias avg norm sharedmlpbias biaswidth=512
    vit_srelpos_small_patch16_[224] 16 384 12 6 1536 noclass nopositions scale noqkvbias avg norm sharedmlpbias biaswidth=384
    """
}
