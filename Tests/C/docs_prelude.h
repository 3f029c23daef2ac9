/* What the pieces of C in README and docs take for granted. */
#include <clip_plugin.h>
#include <clipcore.h>
#include <stdio.h>
#include <stdlib.h>

extern clip_runtime *runtime;
extern clip_model *model;
extern clip_trainer *trainer;
extern clip_image *image;
extern clip_image_view view;
extern clip_train_batch batch;
extern clip_train_metrics metrics;
extern clip_closure *closure;
extern clip_augmentation table;
extern const float *images, *texts, *pixels;
extern const int32_t *tokens;
extern size_t n, d;
extern uint64_t seed, index;
extern void *user;
clip_status train(const float *pixels, const int32_t *tokens, uint32_t count);
