/* clip_train.h: training of CLIP models. The rules are in clip.h; docs/training.md has examples.
 *
 *   clip_trainer_options options = CLIP_INIT(clip_trainer_options);
 *   options.learning_rate = 1e-3f;
 *   clip_trainer_create(model, &options, &trainer);
 *   for (each batch of n images with their captions) clip_train_step(trainer, &batch, &metrics);
 *   clip_trainer_export(trainer, "trained", NULL);
 */
#ifndef CLIPCORE_CLIP_TRAIN_H
#define CLIPCORE_CLIP_TRAIN_H

#include "clip.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes random initial weights into a model folder that has its configuration but no weights: the start of
 * training from scratch. The distributions are those of CLIP; the same seed makes the same file. A folder that has
 * weights is CLIP_INVALID_ARGUMENT. [any-thread] */
CLIP_API clip_status clip_model_initialize(clip_runtime *runtime, const char *folder, uint64_t seed);

/* A model's weights in training, with the state of the optimizer. A trainer reads its model's folder, in float32,
 * and does not change the model: see clip_trainer_export and clip_trainer_update_model. One thread at a time may
 * use a trainer; the threads of the runtime compute. */
typedef struct clip_trainer clip_trainer;

/* ---------------------------------------------------------------- options */

/* Losses of n images and their n texts, on logits = logit scale * cosine + bias. */
typedef enum clip_loss {
  CLIP_LOSS_CONTRASTIVE = 0,  /* symmetric cross-entropy (CLIP: Radford et al., 2021) */
  CLIP_LOSS_SIGMOID = 1,      /* sigmoid of each pair, summed over texts (SigLIP: Zhai et al., 2023) */
  CLIP_LOSS_DISTILLATION = 2  /* symmetric cross-entropy against the softmax of a teacher's logits */
} clip_loss;

typedef struct clip_loss_term {
  clip_loss kind;
  float weight;          /* 0: 1 */
  float label_smoothing; /* contrastive: in [0, 1), the share of the target that is spread over all texts */
} clip_loss_term;

typedef enum clip_optimizer { CLIP_OPTIMIZER_ADAMW = 0, CLIP_OPTIMIZER_SGD = 1 } clip_optimizer;

/* The learning rate after a linear warm-up. */
typedef enum clip_schedule { CLIP_SCHEDULE_CONSTANT = 0, CLIP_SCHEDULE_COSINE = 1, CLIP_SCHEDULE_LINEAR = 2 } clip_schedule;

/* Tensors whose names in the weight file match a pattern, where "*" is any characters and "?" is one. A tensor
 * belongs to the first group that it matches. A pattern that matches no tensor is CLIP_NOT_FOUND. */
typedef struct clip_tensor_group {
  const char *pattern; /* "visual.*" */
  float rate;          /* multiplies the learning rate; 0: the tensors are frozen */
} clip_tensor_group;

enum {
  CLIP_TRAIN_RECOMPUTE = 1u /* keep few activations and compute the others again: less memory, more time */
};

/* Weight decay applies to tensors of two or more dimensions in the weight file, so not to norms, biases, class
 * tokens and scales. */
typedef struct clip_trainer_options {
  uint32_t struct_size;
  uint32_t flags;                /* CLIP_TRAIN_* */
  uint64_t seed;                 /* of dropout and of new low-rank weights */
  const clip_loss_term *losses;  /* summed with their weights. None: sigmoid for a model with a logit bias, else
                                    contrastive */
  size_t loss_count;
  clip_optimizer optimizer;
  float learning_rate;           /* 0: 0.0005. See clip_trainer_set_learning_rate */
  float beta1;                   /* beta1 of AdamW, momentum of SGD. 0: 0.9; below 0: none */
  float beta2;                   /* 0: 0.98 */
  float epsilon;                 /* 0: 1e-6 */
  float weight_decay;            /* 0: none */
  float gradient_clip;           /* the largest norm of all gradients together; larger ones are scaled. 0: no limit */
  clip_schedule schedule;
  float final_rate;              /* the share of the learning rate left at total_steps, in [0, 1] */
  uint64_t warmup_steps;
  uint64_t total_steps;          /* needed by cosine and linear */
  float average_decay;           /* of an exponential moving average of the weights, in [0, 1); 0: none is kept */
  uint32_t chunk;                /* items computed at a time; the gradients are those of the whole batch. 0: all */
  const clip_tensor_group *groups;
  size_t group_count;
  /* Low-rank adaptation (LoRA: Hu et al., 2021): matrices whose names match a pattern are frozen, and an update of
   * rank low_rank, scaled by low_rank_scale / low_rank, is trained in their place. Exports have it merged.
   * low_rank 0: none. low_rank_scale 0: the update is not scaled. */
  uint32_t low_rank;
  float low_rank_scale;
  const char *const *low_rank_patterns;
  size_t low_rank_pattern_count;
} clip_trainer_options;

/* Prepares the weights of a model for training. Both towers must be open. `options` may be NULL. CLIP_UNSUPPORTED
 * names an op without a gradient. [any-thread] */
CLIP_API clip_status clip_trainer_create(clip_model *model, const clip_trainer_options *options, clip_trainer **out);

/* Releases the trainer. [owner-thread] */
CLIP_API void clip_trainer_release(clip_trainer *trainer);

/* ---------------------------------------------------------------- steps */

/* n pairs: image i belongs to text i. Images are given as `pixels` or `images`, texts as `tokens` or `texts`; the
 * first of each counts if both are set. The teacher's fields are for distillation. */
typedef struct clip_train_batch {
  uint32_t struct_size;
  uint32_t teacher_width;          /* elements of one embedding of the teacher */
  float teacher_scale;             /* the factor of cosines in the teacher's logits; 0: 100 */
  size_t n;
  const float *pixels;             /* [n, 3, image_height, image_width], preprocessed */
  const clip_image_view *images;   /* [n] */
  const int32_t *tokens;           /* [n, context_length] */
  const char *const *texts;        /* [n] */
  const clip_encode_options *options; /* for `images` and `texts`; may be NULL. Its progress is not called */
  const float *teacher_logits;     /* [n, n], a row for each image; or teacher_images and teacher_texts */
  const float *teacher_images;     /* [n, teacher_width], of unit length */
  const float *teacher_texts;      /* [n, teacher_width], of unit length */
} clip_train_batch;

typedef struct clip_train_metrics {
  uint32_t struct_size;
  float accuracy;       /* the share of images and texts that rank their own partner first */
  double loss;          /* accuracy and loss are those before the update */
  double temperature;   /* the factor of cosines, after the update */
  double gradient_norm; /* of all gradients together, before clipping; 0 of clip_trainer_evaluate */
  double learning_rate; /* of this update; of the next one for clip_trainer_evaluate */
  uint64_t step;        /* updates made so far, this one included */
} clip_train_metrics;

/* Makes one update from one batch and fills *metrics, which may be NULL. On any error the weights and the
 * optimizer are unchanged; CLIP_NOT_FINITE names the first tensor that is NaN or infinite. The same steps from the
 * same seed have the same bits on any number of threads. [owner-thread] */
CLIP_API clip_status clip_train_step(clip_trainer *trainer, const clip_train_batch *batch, clip_train_metrics *metrics);

/* Computes loss and accuracy of a batch without an update, for validation: without dropout, and with the running
 * statistics of batch norms. Fills *metrics, which may be NULL. Nothing in the trainer changes. CLIP_NOT_FINITE as for
 * clip_train_step. [owner-thread] */
CLIP_API clip_status clip_trainer_evaluate(clip_trainer *trainer, const clip_train_batch *batch,
                                           clip_train_metrics *metrics);

/* Sets the learning rate of the next updates, in place of that of the options: above 0 and below 1e6. Schedule and
 * tensor groups multiply it as before. Checkpoints keep it. [owner-thread] */
CLIP_API clip_status clip_trainer_set_learning_rate(clip_trainer *trainer, double rate);

/* ---------------------------------------------------------------- tensors */

typedef enum clip_tensor_kind {
  CLIP_TENSOR_WEIGHT = 0,
  CLIP_TENSOR_GRADIENT = 1, /* of the last step, before clipping; CLIP_NOT_FOUND for a frozen tensor */
  CLIP_TENSOR_AVERAGE = 2   /* the moving average of the weight */
} clip_tensor_kind;

/* Copies a tensor by its name and in its layout in the weight file; or one that low-rank adaptation added, by its
 * name in clip_trainer_tensors_visit. [owner-thread] */
CLIP_API clip_status clip_trainer_read(const clip_trainer *trainer, clip_tensor_kind kind, const char *name,
                                       float *values, size_t capacity);

/* A tensor in training: its number of elements, and the factor of its learning rate, 0 for a frozen one. */
typedef int (*clip_trained_tensor_fn)(void *user, const char *name, uint64_t count, double rate);

/* Lists the tensors that the towers use, and those that low-rank adaptation added, in no set order.
 * [owner-thread] */
CLIP_API clip_status clip_trainer_tensors_visit(const clip_trainer *trainer, clip_trained_tensor_fn visit, void *user);

/* ---------------------------------------------------------------- checkpoints */

/* Writes a checkpoint, <folder>/step-<number>.safetensors: the trained weights, the state of the optimizer and the
 * step. The file is complete or absent, also after a crash. Then removes all but the last `keep` checkpoints up to
 * this step (0: none is removed). The folder is created if there is none. `note`, at most 65536 bytes or NULL, is
 * stored with it. [owner-thread] */
CLIP_API clip_status clip_trainer_save(const clip_trainer *trainer, const char *folder, uint32_t keep, const char *note);

/* Continues from a checkpoint, or from the last one of a folder, with the same bits as if the run had not stopped.
 * The trainer must be of the same model and options: CLIP_MISMATCH, with nothing changed, if a tensor, the
 * optimizer or the seed differs. [owner-thread] */
CLIP_API clip_status clip_trainer_resume(clip_trainer *trainer, const char *path);

/* Writes the note of the checkpoint last resumed from, "" if there is none, and returns its length.
 * [owner-thread] */
CLIP_API size_t clip_trainer_note(const clip_trainer *trainer, char *note, size_t capacity);

/* ---------------------------------------------------------------- trained models */

enum {
  CLIP_EXPORT_AVERAGE = 1u /* the moving average of the weights in place of the weights */
};

/* The names of files and tensors in a model folder. */
typedef enum clip_layout {
  CLIP_LAYOUT_AS_OPENED = 0,
  CLIP_LAYOUT_HUGGING_FACE = 1, /* config.json, preprocessor_config.json, model.safetensors */
  CLIP_LAYOUT_OPEN_CLIP = 2     /* open_clip_config.json, open_clip_model.safetensors */
} clip_layout;

typedef struct clip_export_options {
  uint32_t struct_size;
  uint32_t flags;         /* CLIP_EXPORT_* */
  clip_layout layout;
  clip_storage storage;   /* of the weights in the file: F32, F16 or BF16. Tensors of one element are float32 */
  clip_progress progress; /* of writing, in bytes */
} clip_export_options;

/* Writes a model folder: the trained weights, with low-rank updates merged, the configuration and the tokenizer
 * files. `options` may be NULL. The folder is written aside and moved into place; a model that was there is
 * replaced, other files stay. On any error it is unchanged. CLIP_UNSUPPORTED: what the layout cannot hold (Hugging
 * Face's no ResNet, and no layout but its own a composed model), or a weight beyond the range of F16.
 * [owner-thread] */
CLIP_API clip_status clip_trainer_export(const clip_trainer *trainer, const char *folder,
                                         const clip_export_options *options);

/* Writes a model folder without a trainer: with the weights of the folder that both towers of the model were opened
 * from or, unless `checkpoint` is NULL, with those of that checkpoint, or of the last one of that folder.
 * CLIP_MISMATCH if it is of another model. As clip_trainer_export in all else. The model may be open without
 * weights. [any-thread] */
CLIP_API clip_status clip_model_export(const clip_model *model, const char *checkpoint, const char *folder,
                                       const clip_export_options *options);

/* Gives an open model the trainer's weights and logit scale, while other threads use the model. As with
 * clip_model_swap, running calls finish with the old weights, and on any error the model is unchanged. `flags`:
 * CLIP_EXPORT_*. Both towers must be open, with or without weights; CLIP_MISMATCH if the architecture is not the
 * trainer's. Storage, tokenizer and preprocessing of the model stay. The model's folder is not changed:
 * clip_model_swap with folder NULL restores its weights, and clip_model_export is CLIP_UNSUPPORTED until then.
 * [owner-thread] for the trainer, [any-thread] for the model */
CLIP_API clip_status clip_trainer_update_model(const clip_trainer *trainer, clip_model *model, uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
