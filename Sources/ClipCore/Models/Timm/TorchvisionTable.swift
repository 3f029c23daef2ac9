/// torchvision's files of weights: a row for each. Its name without the ending, timm's name of the architecture, pixels of
/// the shorter side, pixels of the crop; then "bicubic" in place of bilinear, "half" for a mean and deviation of 0.5, and
/// "coarse" for batch norms of epsilon 0.001.
enum TorchvisionTable {
  static let rows: StaticString = """
    resnet18-f37072fd resnet18 256 224
    resnet34-b627a593 resnet34 256 224
    resnet50-0676ba61 resnet50 256 224
    resnet50-11ad3fa6 resnet50 232 224
    resnet101-63fe2227 resnet101 256 224
    resnet101-cd907fc2 resnet101 232 224
    resnet152-394f9c45 resnet152 256 224
    resnet152-f82ba261 resnet152 232 224
    resnext50_32x4d-7cdf4587 resnext50_32x4d 256 224
    resnext50_32x4d-1a0047aa resnext50_32x4d 232 224
    resnext101_32x8d-8ba56ff5 resnext101_32x8d 256 224
    resnext101_32x8d-110c445d resnext101_32x8d 232 224
    resnext101_64x4d-173b62eb resnext101_64x4d 232 224
    wide_resnet50_2-95faca4d wide_resnet50_2 256 224
    wide_resnet50_2-9ba9bcbe wide_resnet50_2 232 224
    wide_resnet101_2-32ee1156 wide_resnet101_2 256 224
    wide_resnet101_2-d733dc28 wide_resnet101_2 232 224
    efficientnet_b0_rwightman-7f5810bc efficientnet_b0 256 224 bicubic
    efficientnet_b1_rwightman-bac287d4 efficientnet_b1 256 240 bicubic
    efficientnet_b1-c27df63c efficientnet_b1 255 240
    efficientnet_b2_rwightman-c35c1473 efficientnet_b2 288 288 bicubic
    efficientnet_b3_rwightman-b3899882 efficientnet_b3 320 300 bicubic
    efficientnet_b4_rwightman-23ab8bcd efficientnet_b4 384 380 bicubic
    efficientnet_b5_lukemelas-1a07897c efficientnet_b5 456 456 bicubic coarse
    efficientnet_b6_lukemelas-24a108a5 efficientnet_b6 528 528 bicubic coarse
    efficientnet_b7_lukemelas-c5b4e57e efficientnet_b7 600 600 bicubic coarse
    efficientnet_v2_s-dd5fe13b efficientnetv2_s 384 384 coarse
    efficientnet_v2_m-dc08266a efficientnetv2_m 480 480 coarse
    efficientnet_v2_l-59c71312 efficientnetv2_l 480 480 bicubic half coarse
    convnext_tiny-983f1562 convnext_tiny 236 224
    convnext_small-0c510722 convnext_small 230 224
    convnext_base-6075fbad convnext_base 232 224
    convnext_large-ea097f82 convnext_large 232 224
    swin_t-704ceda3 swin_tiny_patch4_window7_224 232 224 bicubic
    swin_s-5e29d889 swin_small_patch4_window7_224 246 224 bicubic
    swin_b-68c6b09e swin_base_patch4_window7_224 238 224 bicubic
    swin_v2_t-b137f0e2 swinv2_tiny_window8_256 260 256 bicubic
    swin_v2_s-637d8ceb swinv2_small_window8_256 260 256 bicubic
    swin_v2_b-781e5279 swinv2_base_window8_256 272 256 bicubic
    vit_b_16-c867db91 vit_base_patch16_224 256 224
    vit_b_16_swag-9ac1b537 vit_base_patch16_224 384 384 bicubic
    vit_b_16_lc_swag-4e70ced5 vit_base_patch16_224 224 224 bicubic
    vit_b_32-d86f8d99 vit_base_patch32_224 256 224
    vit_l_16-852ce7e3 vit_large_patch16_224 242 224
    vit_l_16_swag-4f3808c9 vit_large_patch16_224 512 512 bicubic
    vit_l_16_lc_swag-4d563306 vit_large_patch16_224 224 224 bicubic
    vit_l_32-c7638314 vit_large_patch32_224 256 224
    vit_h_14_swag-80465313 vit_huge_patch14_224 518 518 bicubic
    vit_h_14_lc_swag-c1eb923e vit_huge_patch14_224 224 224 bicubic
    """
}
