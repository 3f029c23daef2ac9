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
    resnet18 resnet50 512 fc layers=2,2,2,2 block=basic
    resnet18d resnet50 512 fc layers=2,2,2,2 deep_stem=1 pooled_shortcut=1 block=basic
    resnet34 resnet50 512 fc layers=3,4,6,3 block=basic
    resnet34d resnet50 512 fc layers=3,4,6,3 deep_stem=1 pooled_shortcut=1 block=basic
    resnet26 resnet50 2048 fc layers=2,2,2,2
    resnet26d resnet50 2048 fc layers=2,2,2,2 deep_stem=1 pooled_shortcut=1
    resnet50 resnet50 2048 fc layers=3,4,6,3
    resnet50d resnet50 2048 fc layers=3,4,6,3 deep_stem=1 pooled_shortcut=1
    resnet101 resnet50 2048 fc layers=3,4,23,3
    resnet101d resnet50 2048 fc layers=3,4,23,3 deep_stem=1 pooled_shortcut=1
    resnet152 resnet50 2048 fc layers=3,8,36,3
    resnet152d resnet50 2048 fc layers=3,8,36,3 deep_stem=1 pooled_shortcut=1
    resnet200d resnet50 2048 fc layers=3,24,36,3 deep_stem=1 pooled_shortcut=1
    wide_resnet50_2 resnet50 2048 fc layers=3,4,6,3 inner=2
    wide_resnet101_2 resnet50 2048 fc layers=3,4,23,3 inner=2
    resnext50_32x4d resnet50 2048 fc layers=3,4,6,3 inner=2 groups=32
    resnext101_32x4d resnet50 2048 fc layers=3,4,23,3 inner=2 groups=32
    resnext101_32x8d resnet50 2048 fc layers=3,4,23,3 inner=4 groups=32
    resnext101_64x4d resnet50 2048 fc layers=3,4,23,3 inner=4 groups=64
    efficientnet_b0 efficientnet 1280 classifier names=timm head_width=1280
    efficientnet_b1 efficientnet 1280 classifier names=timm head_width=1280 stem_width=32 \
    widths=16,24,40,80,112,192,320 depths=2,3,3,4,4,5,2
    efficientnet_b2 efficientnet 1408 classifier names=timm head_width=1408 stem_width=32 \
    widths=16,24,48,88,120,208,352 depths=2,3,3,4,4,5,2
    efficientnet_b3 efficientnet 1536 classifier names=timm head_width=1536 stem_width=40 \
    widths=24,32,48,96,136,232,384 depths=2,3,3,5,5,6,2
    efficientnet_b4 efficientnet 1792 classifier names=timm head_width=1792 stem_width=48 \
    widths=24,32,56,112,160,272,448 depths=2,4,4,6,6,8,2
    efficientnet_b5 efficientnet 2048 classifier names=timm head_width=2048 stem_width=48 \
    widths=24,40,64,128,176,304,512 depths=3,5,5,7,7,9,3
    efficientnet_b6 efficientnet 2304 classifier names=timm head_width=2304 stem_width=56 \
    widths=32,40,72,144,200,344,576 depths=3,6,6,8,8,11,3
    efficientnet_b7 efficientnet 2560 classifier names=timm head_width=2560 stem_width=64 \
    widths=32,48,80,160,224,384,640 depths=4,7,7,10,10,13,4
    efficientnet_b8 efficientnet 2816 classifier names=timm head_width=2816 stem_width=72 \
    widths=32,56,88,176,248,424,704 depths=4,8,8,11,11,15,4
    efficientnetv2_b0 efficientnet 1280 classifier names=timm head_width=1280 fused=3 stem_width=32 \
    widths=16,32,48,96,112,192 depths=1,2,2,3,5,8 kernels=3,3,3,3,3,3 strides=1,2,2,2,1,2 expansions=1,4,4,4,6,6
    efficientnetv2_b1 efficientnet 1280 classifier names=timm head_width=1280 fused=3 stem_width=32 \
    widths=16,32,48,96,112,192 depths=2,3,3,4,6,9 kernels=3,3,3,3,3,3 strides=1,2,2,2,1,2 expansions=1,4,4,4,6,6
    efficientnetv2_b2 efficientnet 1408 classifier names=timm head_width=1408 fused=3 stem_width=32 \
    widths=16,32,56,104,120,208 depths=2,3,3,4,6,10 kernels=3,3,3,3,3,3 strides=1,2,2,2,1,2 expansions=1,4,4,4,6,6
    efficientnetv2_b3 efficientnet 1536 classifier names=timm head_width=1536 fused=3 stem_width=40 \
    widths=16,40,56,112,136,232 depths=2,3,3,5,7,12 kernels=3,3,3,3,3,3 strides=1,2,2,2,1,2 expansions=1,4,4,4,6,6
    efficientnetv2_s efficientnet 1280 classifier names=timm head_width=1280 fused=3 stem_width=24 \
    widths=24,48,64,128,160,256 depths=2,4,4,6,9,15 kernels=3,3,3,3,3,3 strides=1,2,2,2,1,2 expansions=1,4,4,4,6,6
    efficientnetv2_m efficientnet 1280 classifier names=timm head_width=1280 fused=3 stem_width=24 \
    widths=24,48,80,160,176,304,512 depths=3,5,5,7,14,18,5 kernels=3,3,3,3,3,3,3 strides=1,2,2,2,1,2,1 \
    expansions=1,4,4,4,6,6,6
    efficientnetv2_l efficientnet 1280 classifier names=timm head_width=1280 fused=3 stem_width=32 \
    widths=32,64,96,192,224,384,640 depths=4,7,7,10,19,25,7 kernels=3,3,3,3,3,3,3 strides=1,2,2,2,1,2,1 \
    expansions=1,4,4,4,6,6,6
    efficientnetv2_xl efficientnet 1280 classifier names=timm head_width=1280 fused=3 stem_width=32 \
    widths=32,64,96,192,256,512,640 depths=4,8,8,16,24,32,8 kernels=3,3,3,3,3,3,3 strides=1,2,2,2,1,2,1 \
    expansions=1,4,4,4,6,6,6
    """
}
