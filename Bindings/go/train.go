package clipcore

/*
#include <stdlib.h>
#include <clipcore/clip_extend.h>
#include <clipcore/clip_train.h>
*/
import "C"

import (
	"context"
	"sync"
	"unsafe"
)

type Optimizer uint32

const (
	AdamW Optimizer = C.CLIP_OPTIMIZER_ADAMW
	SGD   Optimizer = C.CLIP_OPTIMIZER_SGD
)

// Schedule of the learning rate after a linear warm-up.
type Schedule uint32

const (
	Constant Schedule = C.CLIP_SCHEDULE_CONSTANT
	Cosine   Schedule = C.CLIP_SCHEDULE_COSINE
	Linear   Schedule = C.CLIP_SCHEDULE_LINEAR
)

// TrainerOptions: zeros are defaults, which clip_train.h names.
type TrainerOptions struct {
	Recompute             bool // keep few activations and compute the others again
	Seed                  uint64
	Optimizer             Optimizer
	LearningRate          float32
	Beta1, Beta2, Epsilon float32
	WeightDecay           float32
	GradientClip          float32
	Schedule              Schedule
	FinalRate             float32
	WarmupSteps           uint64
	TotalSteps            uint64
	AverageDecay          float32
	Chunk                 int // items computed at a time; 0: all
}

// Batch is n pairs: image i belongs to text i. Images are given as Pixels (preprocessed) or Images, texts as Tokens or
// Texts; the first of each counts if both are set.
type Batch struct {
	Pixels  []float32
	Images  []*Image
	Tokens  []int32
	Texts   []string
	Options *EncodeOptions // for Images and Texts
}

type Metrics struct {
	Accuracy     float32 // the share of images and texts that rank their own partner first
	Loss         float64
	Temperature  float64 // the factor of cosines, after the update
	GradientNorm float64
	LearningRate float64
	Step         uint64 // updates made so far
}

// Trainer is a model's weights in training. Its calls wait for each other.
type Trainer struct {
	*handle
	one             sync.Mutex // calls are [owner-thread]
	raw             *C.clip_trainer
	pixels, context int
}

// Close gives up the trainer.
func (t *Trainer) Close() { t.close() }

// NewTrainer prepares the weights of the model's folder for training.
func (m *Model) NewTrainer(options *TrainerOptions) (*Trainer, error) {
	if options == nil {
		options = &TrainerOptions{}
	}
	raw := C.clip_trainer_options{
		seed: C.uint64_t(options.Seed), optimizer: C.clip_optimizer(options.Optimizer),
		learning_rate: C.float(options.LearningRate), beta1: C.float(options.Beta1), beta2: C.float(options.Beta2),
		epsilon: C.float(options.Epsilon), weight_decay: C.float(options.WeightDecay),
		gradient_clip: C.float(options.GradientClip), schedule: C.clip_schedule(options.Schedule),
		final_rate: C.float(options.FinalRate), warmup_steps: C.uint64_t(options.WarmupSteps),
		total_steps: C.uint64_t(options.TotalSteps), average_decay: C.float(options.AverageDecay),
		chunk: C.uint32_t(options.Chunk),
	}
	raw.struct_size = C.uint32_t(unsafe.Sizeof(raw))
	if options.Recompute {
		raw.flags |= C.CLIP_TRAIN_RECOMPUTE
	}
	if err := m.use(); err != nil {
		return nil, err
	}
	t, err := m.newTrainer(&raw)
	if err != nil {
		m.done()
		return nil, err
	}
	made := t.raw
	// Keeps the model, and so the runtime and its log.
	t.handle = newHandle(m.handle, func() { C.clip_trainer_release(made) })
	return t, nil
}

// newTrainer is of the model at one moment, so that the sizes are the trainer's whatever a swap does.
func (m *Model) newTrainer(options *C.clip_trainer_options) (*Trainer, error) {
	var model *C.clip_model
	if err := check(func() C.clip_status { return C.clip_model_snapshot(m.raw, &model) }); err != nil {
		return nil, err
	}
	defer C.clip_model_release(model)
	info, err := describe(model)
	if err != nil {
		return nil, err
	}
	t := &Trainer{pixels: info.pixels(), context: info.ContextLength}
	if err := check(func() C.clip_status { return C.clip_trainer_create(model, options, &t.raw) }); err != nil {
		return nil, err
	}
	return t, nil
}

// run makes a call while no other uses the trainer.
func (t *Trainer) run(ctx context.Context, f func() error) error {
	if err := t.use(); err != nil {
		return err
	}
	defer t.done()
	t.one.Lock()
	defer t.one.Unlock()
	if err := background(ctx).Err(); err != nil {
		return err
	}
	return f()
}

// Step makes one update from one batch.
func (t *Trainer) Step(ctx context.Context, batch *Batch) (Metrics, error) {
	return t.batch(ctx, batch, func(raw *C.clip_train_batch, metrics *C.clip_train_metrics) C.clip_status {
		return C.clip_train_step(t.raw, raw, metrics)
	})
}

// Evaluate is loss and accuracy of a batch, without an update.
func (t *Trainer) Evaluate(ctx context.Context, batch *Batch) (Metrics, error) {
	return t.batch(ctx, batch, func(raw *C.clip_train_batch, metrics *C.clip_train_metrics) C.clip_status {
		return C.clip_trainer_evaluate(t.raw, raw, metrics)
	})
}

func (t *Trainer) batch(ctx context.Context, batch *Batch, f func(*C.clip_train_batch, *C.clip_train_metrics) C.clip_status) (metrics Metrics, err error) {
	options, free, err := batch.Options.raw()
	if err != nil {
		return metrics, err
	}
	defer free()
	views, done, err := viewsOf(batch.Images)
	if err != nil {
		return metrics, err
	}
	defer done()
	held, err := newTexts(batch.Texts)
	if err != nil {
		return metrics, err
	}
	defer held.free()

	images, texts := len(views), len(held)
	if batch.Pixels != nil {
		if images, err = rowsOf("pixels", len(batch.Pixels), t.pixels); err != nil {
			return metrics, err
		}
	}
	if batch.Tokens != nil {
		if texts, err = rowsOf("tokens", len(batch.Tokens), t.context); err != nil {
			return metrics, err
		}
	}
	if images != texts {
		return metrics, invalid("a batch of %d images and %d texts", images, texts)
	}
	// C's struct has addresses, so all that it has is copied to memory of C.
	var block arena
	defer block.free()
	raw := C.clip_train_batch{n: C.size_t(images)}
	raw.struct_size = C.uint32_t(unsafe.Sizeof(raw))
	if batch.Pixels != nil {
		raw.pixels = (*C.float)(block.copy(unsafe.Pointer(&batch.Pixels[0]), 4*len(batch.Pixels)))
	} else {
		raw.images = (*C.clip_image_view)(block.copy(unsafe.Pointer(&views[:1][0]), len(views)*int(unsafe.Sizeof(C.clip_image_view{}))))
	}
	if batch.Tokens != nil {
		raw.tokens = (*C.int32_t)(block.copy(unsafe.Pointer(&batch.Tokens[0]), 4*len(batch.Tokens)))
	} else {
		raw.texts = held.inC()
		defer C.free(unsafe.Pointer(raw.texts))
	}
	raw.options = (*C.clip_encode_options)(block.copy(unsafe.Pointer(&options), int(unsafe.Sizeof(options))))
	var result C.clip_train_metrics
	result.struct_size = C.uint32_t(unsafe.Sizeof(result))
	err = t.run(ctx, func() error { return check(func() C.clip_status { return f(&raw, &result) }) })
	if err != nil {
		return metrics, err
	}
	return Metrics{
		Accuracy: float32(result.accuracy), Loss: float64(result.loss), Temperature: float64(result.temperature),
		GradientNorm: float64(result.gradient_norm), LearningRate: float64(result.learning_rate), Step: uint64(result.step),
	}, nil
}

// arena is memory of C for the time of a call.
type arena []unsafe.Pointer

func (a *arena) copy(from unsafe.Pointer, size int) unsafe.Pointer {
	to := C.malloc(C.size_t(size + 1))
	copy(unsafe.Slice((*byte)(to), size), unsafe.Slice((*byte)(from), size))
	*a = append(*a, to)
	return to
}

func (a arena) free() {
	for _, block := range a {
		C.free(block)
	}
}

// SetLearningRate sets the learning rate of the next updates.
func (t *Trainer) SetLearningRate(rate float64) error {
	return t.run(nil, func() error {
		return check(func() C.clip_status { return C.clip_trainer_set_learning_rate(t.raw, C.double(rate)) })
	})
}

func (t *Trainer) withTexts(values []string, f func(texts) C.clip_status) error {
	held, err := newTexts(values)
	if err != nil {
		return err
	}
	defer held.free()
	return t.run(nil, func() error { return check(func() C.clip_status { return f(held) }) })
}

// Save writes a checkpoint, and removes all but the last keep (0: none is removed).
func (t *Trainer) Save(folder string, keep int, note string) error {
	return t.withTexts([]string{folder, note}, func(held texts) C.clip_status {
		return C.clip_trainer_save(t.raw, held[0], C.uint32_t(keep), held[1])
	})
}

// Resume continues from a checkpoint, or from the last one of a folder.
func (t *Trainer) Resume(path string) error {
	return t.withTexts([]string{path}, func(held texts) C.clip_status { return C.clip_trainer_resume(t.raw, held[0]) })
}

// Note of the checkpoint last resumed from.
func (t *Trainer) Note() (note string) {
	_ = t.run(nil, func() error {
		note = textOf(func(buffer *C.char, capacity C.size_t) C.size_t { return C.clip_trainer_note(t.raw, buffer, capacity) })
		return nil
	})
	return note
}

// Export writes a model folder in the layout that the model was opened in.
func (t *Trainer) Export(ctx context.Context, folder string, progress func(done, total uint64)) error {
	held, err := newTexts([]string{folder})
	if err != nil {
		return err
	}
	defer held.free()
	var raw C.clip_export_options
	raw.struct_size = C.uint32_t(unsafe.Sizeof(raw))
	return t.run(ctx, func() error {
		c := &call{ctx: background(ctx), progress: progress}
		return c.run(func(progress C.clip_progress, _ unsafe.Pointer) C.clip_status {
			raw.progress = progress
			return C.clip_trainer_export(t.raw, held[0], &raw)
		})
	})
}

// UpdateModel gives an open model these weights while other goroutines use it.
func (t *Trainer) UpdateModel(m *Model) error {
	if err := m.use(); err != nil {
		return err
	}
	defer m.done()
	return t.run(nil, func() error {
		return check(func() C.clip_status { return C.clip_trainer_update_model(t.raw, m.raw, 0) })
	})
}
