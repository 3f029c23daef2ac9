/* clip_train.h: training of a model. Conventions: clip.h. */
#ifndef CLIPCORE_CLIP_TRAIN_H
#define CLIPCORE_CLIP_TRAIN_H

#include "clip.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A model's weights in training, with the optimiser's state. It reads the model's folder anew, in float32, and
 * does not touch the model: export the weights and open them to embed with them. One thread at a time may use
 * it; the runtime's threads compute. */
typedef struct clip_trainer clip_trainer;

/* Losses of n pictures against n captions, over logits scale * cosine + bias. */
typedef enum clip_loss {
  CLIP_LOSS_CONTRASTIVE = 0,  /* CLIP's symmetric cross-entropy (Radford et al., 2021) */
  CLIP_LOSS_SIGMOID = 1,      /* SigLIP's sigmoid of each pair, summed over captions (Zhai et al., 2023) */
  CLIP_LOSS_DISTILLATION = 2  /* cross-entropy against the softmax of a teacher's logits, both ways */
} clip_loss;

typedef struct clip_loss_term {
  uint32_t struct_size;
  clip_loss kind;
  float weight;          /* 0: 1 */
  float label_smoothing; /* contrastive: in [0, 1), the share of the target spread over all captions */
} clip_loss_term;

typedef enum clip_optimizer { CLIP_OPTIMIZER_ADAMW = 0, CLIP_OPTIMIZER_SGD = 1 } clip_optimizer;

/* After a linear warm-up. */
typedef enum clip_schedule { CLIP_SCHEDULE_CONSTANT = 0, CLIP_SCHEDULE_COSINE = 1, CLIP_SCHEDULE_LINEAR = 2 } clip_schedule;

/* Tensors whose names, as the checkpoint has them, fit a pattern: "*" is any characters, "?" one. Of several
 * groups the first that fits counts; one that fits no tensor of the model is CLIP_NOT_FOUND. */
typedef struct clip_parameter_group {
  uint32_t struct_size;
  float rate;          /* multiplies the learning rate; 0: these tensors are frozen */
  const char *pattern; /* "visual.*" */
} clip_parameter_group;

enum {
  CLIP_TRAIN_CHECKPOINTS = 1u /* keep few activations and compute the others again: less memory, more time */
};

/* Weight decay is for tensors of two sides and more in the file: norms, biases, class tokens and scales have none. */
typedef struct clip_trainer_options {
  uint32_t struct_size;
  uint32_t flags;                /* CLIP_TRAIN_* */
  uint64_t seed;                 /* of dropout and of new low-rank weights */
  const clip_loss_term *losses;  /* their weighted sum; none: sigmoid for a model with a logit bias, else contrastive */
  size_t loss_count;
  clip_optimizer optimizer;
  float learning_rate;           /* 0: 0.0005 */
  float beta1;                   /* AdamW's first, SGD's momentum. 0: 0.9; below 0: none */
  float beta2;                   /* 0: 0.98 */
  float epsilon;                 /* 0: 1e-6 */
  float weight_decay;            /* 0: none */
  float gradient_clip;           /* the largest norm of all gradients together, which scales them; 0: no limit */
  clip_schedule schedule;
  float final_rate;              /* share of the learning rate that is left at total_steps, in [0, 1] */
  uint64_t warmup_steps;
  uint64_t total_steps;          /* cosine and linear need it */
  float average_decay;           /* of an exponential mean of the weights, in [0, 1); 0: none is kept */
  uint32_t chunk;                /* items computed at a time; the gradients are those of the whole batch. 0: all */
  const clip_parameter_group *groups;
  size_t group_count;
  /* Low-rank adaptation (Hu et al., 2021): matrices whose names fit a pattern are frozen and get an update of
   * this rank instead, scaled by low_rank_scale / low_rank (0: 1). 0: none. Exports have it merged in. */
  uint32_t low_rank;
  float low_rank_scale;
  const char *const *low_rank_patterns;
  size_t low_rank_pattern_count;
} clip_trainer_options;

/* n pairs: picture i belongs to caption i. Pictures as `pixels` or as `images`, captions as `tokens` or `texts`;
 * the first of each is taken where both are there. The teacher's are for distillation. */
typedef struct clip_train_batch {
  uint32_t struct_size;
  uint32_t teacher_width;          /* numbers in one of the teacher's embeddings */
  size_t n;
  const float *pixels;             /* [n, 3, image_height, image_width], preprocessed */
  const clip_image_view *images;   /* [n] */
  const int32_t *tokens;           /* [n, context_length] */
  const char *const *texts;        /* [n]; the empty text is one */
  const clip_encode_options *options; /* for images and texts; NULL: none */
  const float *teacher_logits;     /* [n, n], a row for each picture; or both of the next */
  const float *teacher_images;     /* [n, teacher_width], of unit length */
  const float *teacher_texts;      /* [n, teacher_width], of unit length */
  float teacher_scale;             /* what the teacher's cosines are multiplied with; 0: 100 */
} clip_train_batch;

/* Of one step. */
typedef struct clip_train_metrics {
  uint32_t struct_size;
  float accuracy;      /* share of pictures and captions that rank their own partner first, before the update */
  double loss;         /* before the update */
  double temperature;  /* what cosines are multiplied with, after the update */
  double gradient_norm; /* of all gradients together, before clipping */
  double learning_rate; /* of this update */
  uint64_t step;       /* updates made so far, this one counted */
} clip_train_metrics;

/* Prepares the model's weights for training. `options` may be NULL. Both towers must be open. CLIP_UNSUPPORTED
 * names an op that has no gradient. *out is owned by the caller: clip_trainer_release. [any-thread] */
CLIP_API clip_status clip_trainer_create(clip_model *model, const clip_trainer_options *options, clip_trainer **out);

/* [owner-thread] */
CLIP_API void clip_trainer_release(clip_trainer *trainer);

/* One update from one batch. Fills *metrics, which may be NULL. CLIP_NOT_FINITE names the tensor that first went
 * bad; then, as after every other failure, the weights and the optimiser are as they were. The same steps from
 * the same seed give the same bits on any number of threads. [owner-thread] */
CLIP_API clip_status clip_train_step(clip_trainer *trainer, const clip_train_batch *batch, clip_train_metrics *metrics);

/* What clip_trainer_read copies. */
typedef enum clip_trainer_tensor {
  CLIP_TENSOR_WEIGHT = 0,
  CLIP_TENSOR_GRADIENT = 1, /* of the last step, before clipping; CLIP_NOT_FOUND for a frozen one */
  CLIP_TENSOR_AVERAGE = 2   /* the exponential mean of the weight */
} clip_trainer_tensor;

/* Copies the tensor that the checkpoint calls `name`, as it lies there, row-major float32, to values[count]; also
 * a new one of low-rank adaptation, as clip_trainer_visit calls it.
 * CLIP_MISMATCH when it has another number of elements. [owner-thread] */
CLIP_API clip_status clip_trainer_read(const clip_trainer *trainer, clip_trainer_tensor kind, const char *name,
                                       float *values, size_t count);

/* Receives a tensor of the checkpoint, valid during the call: how many numbers it has, and the factor of the learning
 * rate that it is trained with. 0: it is frozen. */
typedef void (*clip_trained_tensor_fn)(void *user, const char *name, uint64_t count, double rate);

/* Visits the tensors that the towers use, in no set order, and the new ones of low-rank adaptation. [owner-thread] */
CLIP_API clip_status clip_trainer_visit(const clip_trainer *trainer, clip_trained_tensor_fn visit, void *user);

/* Writes a checkpoint, <folder>/step-<number>.safetensors: the weights that are trained, the optimiser's state
 * and the step. It is written aside, synced and renamed, so that a crash or a full disk leaves the earlier ones
 * whole; of those, all but the last `keep`, this one counted, are removed then (0: none is). The folder is made
 * where there is none. `note`, UTF-8 of at most 65536 bytes or NULL, is kept in it for the caller. [owner-thread] */
CLIP_API clip_status clip_trainer_save(const clip_trainer *trainer, const char *folder, uint32_t keep, const char *note);

/* Goes on from a checkpoint, or from a folder's last: what follows is the same bits as if the run had not
 * stopped. The trainer is one of the same model and options; CLIP_MISMATCH, with nothing changed, where a
 * tensor, the optimiser or the seed differs. [owner-thread] */
CLIP_API clip_status clip_trainer_resume(clip_trainer *trainer, const char *path);

/* The note of the checkpoint last resumed from, "" without one, cut to `capacity` bytes with the NUL. Returns its
 * length. [owner-thread] */
CLIP_API size_t clip_trainer_note(const clip_trainer *trainer, char *note, size_t capacity);

enum {
  CLIP_EXPORT_AVERAGE = 1u /* the exponential mean of the weights */
};

/* How a model's folder names its files and tensors. */
typedef enum clip_layout {
  CLIP_LAYOUT_AS_OPENED = 0,
  CLIP_LAYOUT_HUGGING_FACE = 1, /* config.json, preprocessor_config.json, model.safetensors */
  CLIP_LAYOUT_OPEN_CLIP = 2     /* open_clip_config.json, open_clip_model.safetensors */
} clip_layout;

typedef struct clip_export_options {
  uint32_t struct_size;
  uint32_t flags;       /* CLIP_EXPORT_* */
  clip_layout layout;
  clip_storage storage; /* of weights in the file, F32, F16 or BF16; a tensor of one number is float32 */
} clip_export_options;

/* Writes a model's folder: the weights in training, with low-rank updates merged in, configuration and tokenizer
 * files. `options` may be NULL. The folder is written beside its place and put there whole; a model that was in it
 * is replaced, other files stay. On an error it is as it was: CLIP_UNSUPPORTED says what the layout cannot express
 * (in Hugging Face's a ResNet, in any other a composed model), or which weight half precision cannot hold.
 * [owner-thread] */
CLIP_API clip_status clip_trainer_export(const clip_trainer *trainer, const char *folder,
                                         const clip_export_options *options);

/* The same without a trainer: the weights of the folder that the model was opened from, of both towers, or in their
 * place those of `checkpoint`: a file of clip_trainer_save, or a folder, whose last one is taken. NULL: none.
 * CLIP_MISMATCH when it is not one of this model. The model may be open without weights. [any-thread] */
CLIP_API clip_status clip_model_export(const clip_model *model, const char *checkpoint, const char *folder,
                                       const clip_export_options *options);

/* Makes an open model embed with the trainer's weights and logit scale, while other threads use it: as with
 * clip_model_swap, calls that run finish on the weights that they began with, and any error leaves the model as it
 * was. `flags`: CLIP_EXPORT_*. The model has both towers; CLIP_MISMATCH for another architecture than the trainer's.
 * Its storage, tokenizer and preprocessing stay. It may have been opened without weights. Its folder is as before:
 * clip_model_swap without another brings those weights back; until then clip_model_export is CLIP_UNSUPPORTED.
 * [owner-thread] of the trainer, [any-thread] of the model */
CLIP_API clip_status clip_trainer_publish(const clip_trainer *trainer, clip_model *model, uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
