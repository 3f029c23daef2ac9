/// timm's image towers whose stages halve the grid: a row for each architecture, or for several that differ in the size
/// of images alone, "stem[224,384]". Then the encoder, the features that come out, the classifier's name, and the
/// encoder's configuration.
enum TimmHierarchicalTable {
  static let rows: StaticString = """
    convnext_atto convnext 320 head.fc depths=2,2,6,2 widths=40,80,160,320
    convnext_atto_ols convnext 320 head.fc depths=2,2,6,2 widths=40,80,160,320 stem=overlap_tiered
    convnext_femto convnext 384 head.fc depths=2,2,6,2 widths=48,96,192,384
    convnext_femto_ols convnext 384 head.fc depths=2,2,6,2 widths=48,96,192,384 stem=overlap_tiered
    convnext_pico convnext 512 head.fc depths=2,2,6,2 widths=64,128,256,512
    convnext_pico_ols convnext 512 head.fc depths=2,2,6,2 widths=64,128,256,512 stem=overlap_tiered
    convnext_nano convnext 640 head.fc depths=2,2,8,2 widths=80,160,320,640
    convnext_nano_ols convnext 640 head.fc depths=2,2,8,2 widths=80,160,320,640 stem=overlap
    convnext_tiny convnext 768 head.fc depths=3,3,9,3 widths=96,192,384,768
    convnext_tiny_hnf convnext 768 head.fc depths=3,3,9,3 widths=96,192,384,768 head_norm_first=1
    convnext_small convnext 768 head.fc depths=3,3,27,3 widths=96,192,384,768
    convnext_base convnext 1024 head.fc depths=3,3,27,3 widths=128,256,512,1024
    convnext_large convnext 1536 head.fc depths=3,3,27,3 widths=192,384,768,1536
    convnext_large_mlp convnext 1536 head.fc depths=3,3,27,3 widths=192,384,768,1536 head_width=1536
    convnext_xlarge convnext 2048 head.fc depths=3,3,27,3 widths=256,512,1024,2048
    convnext_xxlarge convnext 3072 head.fc depths=3,4,30,3 widths=384,768,1536,3072 fine=1
    convnextv2_atto convnext 320 head.fc depths=2,2,6,2 widths=40,80,160,320 response_norm=1 layer_scale=0
    convnextv2_femto convnext 384 head.fc depths=2,2,6,2 widths=48,96,192,384 response_norm=1 layer_scale=0
    convnextv2_pico convnext 512 head.fc depths=2,2,6,2 widths=64,128,256,512 response_norm=1 layer_scale=0
    convnextv2_nano convnext 640 head.fc depths=2,2,8,2 widths=80,160,320,640 response_norm=1 layer_scale=0
    convnextv2_tiny convnext 768 head.fc depths=3,3,9,3 widths=96,192,384,768 response_norm=1 layer_scale=0
    convnextv2_small convnext 768 head.fc depths=3,3,27,3 widths=96,192,384,768 response_norm=1 layer_scale=0
    convnextv2_base convnext 1024 head.fc depths=3,3,27,3 widths=128,256,512,1024 response_norm=1 layer_scale=0
    convnextv2_large convnext 1536 head.fc depths=3,3,27,3 widths=192,384,768,1536 response_norm=1 layer_scale=0
    convnextv2_huge convnext 2816 head.fc depths=3,3,27,3 widths=352,704,1408,2816 response_norm=1 layer_scale=0
    test_convnext convnext 64 head.fc depths=1,2,4,2 widths=24,32,48,64 fine=1 activation=gelu_tanh
    test_convnext2 convnext 128 head.fc depths=1,1,1,1 widths=32,64,96,128 fine=1 activation=gelu_tanh
    test_convnext3 convnext 128 head.fc depths=1,1,1,1 widths=32,64,96,128 fine=1 kernel_sizes=7,5,5,3 activation=silu
    fastvit_t8 fastvit 768 head.fc depths=2,2,4,2 widths=48,96,192,384 mlp_ratio=3
    fastvit_t12 fastvit 1024 head.fc depths=2,2,6,2 widths=64,128,256,512 mlp_ratio=3
    fastvit_s12 fastvit 1024 head.fc depths=2,2,6,2 widths=64,128,256,512
    fastvit_sa12 fastvit 1024 head.fc depths=2,2,6,2 widths=64,128,256,512 first_attention=3
    fastvit_sa24 fastvit 1024 head.fc depths=4,4,12,4 widths=64,128,256,512 first_attention=3
    fastvit_sa36 fastvit 1024 head.fc depths=6,6,18,6 widths=64,128,256,512 first_attention=3
    fastvit_ma36 fastvit 1216 head.fc depths=6,6,18,6 widths=76,152,304,608 first_attention=3
    fastvit_mci0 fastvit 1024 head.fc depths=2,6,10,2 widths=64,128,256,512 mlp_ratio=3 first_attention=3 \
    first_squeeze=2 downsample_activation=1
    fastvit_mci1 fastvit 1024 head.fc depths=4,12,20,4 widths=64,128,256,512 mlp_ratio=3 first_attention=3 \
    first_squeeze=2 downsample_activation=1
    fastvit_mci2 fastvit 1280 head.fc depths=4,12,24,4 widths=80,160,320,640 mlp_ratio=3 first_attention=3 \
    first_squeeze=2 downsample_activation=1
    fastvit_mci3 fastvit 3072 head.fc depths=2,12,24,4,2 widths=96,192,384,768,1536 first_attention=3 \
    downsample_activation=1 norm=layer stem_scale=0
    fastvit_mci4 fastvit 4096 head.fc depths=2,12,24,4,4 widths=128,256,512,1024,2048 first_attention=3 \
    downsample_activation=1 norm=layer stem_scale=0
    vitamin_small_[224] vitamin 384 head stem_width=64 widths=64,128 depths=2,4 width=384 layers=14 heads=6 mlp_width=768
    vitamin_base_[224] vitamin 768 head stem_width=128 widths=128,256 depths=2,4 width=768 layers=14 heads=12 \
    mlp_width=1536
    vitamin_large_[224,256,336,384] vitamin 1024 head stem_width=160 widths=160,320 depths=2,4 width=1024 layers=31 \
    heads=16 mlp_width=2048
    vitamin_large2_[224,256,336,384] vitamin 1024 head stem_width=160 widths=160,320 depths=2,4 width=1024 layers=31 \
    heads=16 mlp_width=2048
    vitamin_xlarge_[256,336,384] vitamin 1152 head stem_width=192 widths=192,384 depths=2,4 width=1152 layers=32 \
    heads=16 mlp_width=2304 positions=0
    swin_tiny_patch4_window7_[224] swin 768 head.fc width=96 depths=2,2,6,2 heads=3,6,12,24 window=7
    swin_small_patch4_window7_[224] swin 768 head.fc width=96 depths=2,2,18,2 heads=3,6,12,24 window=7
    swin_base_patch4_window7_[224] swin 1024 head.fc width=128 depths=2,2,18,2 heads=4,8,16,32 window=7
    swin_base_patch4_window12_[384] swin 1024 head.fc width=128 depths=2,2,18,2 heads=4,8,16,32 window=12
    swin_large_patch4_window7_[224] swin 1536 head.fc width=192 depths=2,2,18,2 heads=6,12,24,48 window=7
    swin_large_patch4_window12_[384] swin 1536 head.fc width=192 depths=2,2,18,2 heads=6,12,24,48 window=12
    swinv2_tiny_window8_[256] swin 768 head.fc v2=1 width=96 depths=2,2,6,2 heads=3,6,12,24 window=8
    swinv2_tiny_window16_[256] swin 768 head.fc v2=1 width=96 depths=2,2,6,2 heads=3,6,12,24 window=16
    swinv2_small_window8_[256] swin 768 head.fc v2=1 width=96 depths=2,2,18,2 heads=3,6,12,24 window=8
    swinv2_small_window16_[256] swin 768 head.fc v2=1 width=96 depths=2,2,18,2 heads=3,6,12,24 window=16
    swinv2_base_window8_[256] swin 1024 head.fc v2=1 width=128 depths=2,2,18,2 heads=4,8,16,32 window=8
    swinv2_base_window16_[256] swin 1024 head.fc v2=1 width=128 depths=2,2,18,2 heads=4,8,16,32 window=16
    swinv2_base_window12_[192] swin 1024 head.fc v2=1 width=128 depths=2,2,18,2 heads=4,8,16,32 window=12
    swinv2_base_window12to16_192to[256] swin 1024 head.fc v2=1 width=128 depths=2,2,18,2 heads=4,8,16,32 window=16 \
    trained_windows=12,12,12,6
    swinv2_base_window12to24_192to[384] swin 1024 head.fc v2=1 width=128 depths=2,2,18,2 heads=4,8,16,32 window=24 \
    trained_windows=12,12,12,6
    swinv2_large_window12_[192] swin 1536 head.fc v2=1 width=192 depths=2,2,18,2 heads=6,12,24,48 window=12
    swinv2_large_window12to16_192to[256] swin 1536 head.fc v2=1 width=192 depths=2,2,18,2 heads=6,12,24,48 window=16 \
    trained_windows=12,12,12,6
    swinv2_large_window12to24_192to[384] swin 1536 head.fc v2=1 width=192 depths=2,2,18,2 heads=6,12,24,48 window=24 \
    trained_windows=12,12,12,6
    """
}
