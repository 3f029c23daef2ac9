package clipcore

/*
#include <stdlib.h>
#include <clipcore/clip_host.h>
*/
import "C"

import (
	"context"
	"unsafe"
)

// Tower is a set of towers, which | joins; 0: all that there are.
type Tower uint32

const (
	ImageTower Tower = C.CLIP_TOWER_IMAGE
	TextTower  Tower = C.CLIP_TOWER_TEXT
)

// Storage is how weights are held in memory.
type Storage uint32

const (
	F32  Storage = C.CLIP_STORAGE_F32
	F16  Storage = C.CLIP_STORAGE_F16
	BF16 Storage = C.CLIP_STORAGE_BF16
	INT8 Storage = C.CLIP_STORAGE_INT8
	// INT8Fast is the memory of INT8 in less time.
	INT8Fast Storage = C.CLIP_STORAGE_INT8_FAST
)

type ModelOptions struct {
	Towers            Tower
	Storage           Storage
	AllowExtraTensors bool // unused tensors in the file are a warning
	WithoutWeights    bool // for training, preprocessing and tokens
	// The image tower's input in pixels, both or neither; 0: as the folder says.
	ImageWidth, ImageHeight int
	// Progress of loading, in elements.
	Progress func(done, total uint64)
}

func (o *ModelOptions) raw() C.clip_model_options {
	raw := C.clip_model_options{
		towers: C.uint32_t(o.Towers), storage: C.clip_storage(o.Storage),
		image_width: C.uint32_t(o.ImageWidth), image_height: C.uint32_t(o.ImageHeight),
	}
	raw.struct_size = C.uint32_t(unsafe.Sizeof(raw))
	if o.AllowExtraTensors {
		raw.flags |= C.CLIP_OPEN_ALLOW_EXTRA_TENSORS
	}
	if o.WithoutWeights {
		raw.flags |= C.CLIP_OPEN_WITHOUT_WEIGHTS
	}
	return raw
}

type EncodeOptions struct {
	Raw            bool    // the tower's output, not scaled to unit length
	Truncate       bool    // cut a text that is too long; else it is Limit
	OpenAICleaning bool    // CLIP's tokenizer: clean texts as OpenAI's Python does
	Background     *uint32 // blend transparent pixels over this 0xRRGGBB; nil: alpha is dropped
	// The sizes that the caller's pixels and tokens were made for; 0: those the model was opened with.
	ImageWidth, ImageHeight, ContextLength int
	// The name of a prompt to put before each text; "": none; nil: the model's default.
	Prompt *string
	// Progress of encoding, in items, on the thread of the call.
	Progress func(done, total uint64)
}

// raw has the options in C, and the text that free frees.
func (o *EncodeOptions) raw() (raw C.clip_encode_options, free func(), err error) {
	raw.struct_size = C.uint32_t(unsafe.Sizeof(raw))
	if o == nil {
		return raw, func() {}, nil
	}
	flags := []struct {
		set  bool
		flag C.uint32_t
	}{
		{o.Raw, C.CLIP_ENCODE_RAW}, {o.Truncate, C.CLIP_ENCODE_TRUNCATE},
		{o.OpenAICleaning, C.CLIP_ENCODE_OPENAI_CLEANING}, {o.Background != nil, C.CLIP_ENCODE_COMPOSITE_ALPHA},
	}
	for _, each := range flags {
		if each.set {
			raw.flags |= each.flag
		}
	}
	if o.Background != nil {
		raw.background = C.uint32_t(*o.Background)
	}
	raw.image_width, raw.image_height = C.uint32_t(o.ImageWidth), C.uint32_t(o.ImageHeight)
	raw.context_length = C.uint32_t(o.ContextLength)
	var prompt texts
	if o.Prompt != nil {
		if prompt, err = newTexts([]string{*o.Prompt}); err != nil {
			return raw, func() {}, err
		}
		raw.prompt = prompt[0]
	}
	return raw, prompt.free, nil
}

func (o *EncodeOptions) progress() func(done, total uint64) {
	if o == nil {
		return nil
	}
	return o.Progress
}

// ModelInfo is facts about a model at one moment; a swap may change them.
type ModelInfo struct {
	Towers                  Tower
	EmbeddingWidth          int // elements of one embedding; no swap changes it
	ImageWidth, ImageHeight int // pixels of the image tower's input; 0 without that tower
	ContextLength           int // most tokens of a text; 0 without the text tower
	VocabularySize          int
	HasLogitBias            bool
	LogitScale, LogitBias   float32
	Storage                 Storage
	ResizedSide             int    // the smaller side of an image after the resize of preprocessing
	Layout                  string // "huggingface", "open_clip" or "clipcore"
	ImageParameters         uint64
	TextParameters          uint64
	MemoryBytes             uint64
}

// Model is a CLIP model: an image tower, a text tower, or both.
type Model struct {
	*handle
	raw    *C.clip_model
	opened ModelInfo // what sizes of 0 stand for
}

// Close gives up the model.
func (m *Model) Close() { m.close() }

// OpenModel opens a model folder: Hugging Face's layout, open_clip's or clipcore's.
func (r *Runtime) OpenModel(ctx context.Context, folder string, options *ModelOptions) (*Model, error) {
	if err := r.use(); err != nil {
		return nil, err
	}
	if options == nil {
		options = &ModelOptions{}
	}
	raw := options.raw()
	m := &Model{}
	held, err := newTexts([]string{folder})
	if err == nil {
		defer held.free()
		c := &call{ctx: background(ctx), progress: options.Progress}
		err = r.opening(func() error {
			return c.run(func(progress C.clip_progress, _ unsafe.Pointer) C.clip_status {
				raw.progress = progress
				return C.clip_model_open(r.raw, held[0], &raw, &m.raw)
			})
		})
	} else {
		r.done()
	}
	if err != nil {
		return nil, err
	}
	made := m.raw
	m.handle = newHandle(r.handle, func() { C.clip_model_release(made) })
	if m.opened, err = m.Info(); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// opening runs f, and ends the use of the runtime when f fails or panics: else the model keeps it.
func (r *Runtime) opening(f func() error) error {
	opened := false
	defer func() {
		if !opened {
			r.done()
		}
	}()
	err := f()
	opened = err == nil
	return err
}

func (m *Model) Info() (ModelInfo, error) {
	if err := m.use(); err != nil {
		return ModelInfo{}, err
	}
	defer m.done()
	return describe(m.raw)
}

func describe(model *C.clip_model) (ModelInfo, error) {
	var raw C.clip_model_info
	raw.struct_size = C.uint32_t(unsafe.Sizeof(raw))
	if err := check(func() C.clip_status { return C.clip_model_describe(model, &raw) }); err != nil {
		return ModelInfo{}, err
	}
	return ModelInfo{
		Towers: Tower(raw.towers), EmbeddingWidth: int(raw.embedding_width),
		ImageWidth: int(raw.image_width), ImageHeight: int(raw.image_height),
		ContextLength: int(raw.context_length), VocabularySize: int(raw.vocabulary_size),
		HasLogitBias: raw.has_logit_bias != 0, LogitScale: float32(raw.logit_scale), LogitBias: float32(raw.logit_bias),
		Storage: Storage(raw.storage), ResizedSide: int(raw.resized_side), Layout: C.GoString(raw.layout),
		ImageParameters: uint64(raw.image_parameters), TextParameters: uint64(raw.text_parameters),
		MemoryBytes: uint64(raw.memory_bytes),
	}, nil
}

// EmbeddingWidth is the elements of one embedding.
func (m *Model) EmbeddingWidth() int { return m.opened.EmbeddingWidth }

// Encoder is the id of the plugin that built a tower, "" where that tower is not open.
func (m *Model) Encoder(tower Tower) string {
	if m.use() != nil {
		return ""
	}
	defer m.done()
	return textOf(func(buffer *C.char, capacity C.size_t) C.size_t {
		return C.clip_model_encoder(m.raw, C.uint32_t(tower), buffer, capacity)
	})
}

// Swap replaces towers while other goroutines use the model. folder "": the folder each came from; options nil: those the
// tower was opened with.
func (m *Model) Swap(ctx context.Context, towers Tower, folder string, options *ModelOptions) error {
	if err := m.use(); err != nil {
		return err
	}
	defer m.done()
	held, err := newTexts([]string{folder})
	if err != nil {
		return err
	}
	defer held.free()
	from := held[0]
	if folder == "" {
		from = nil
	}
	if options == nil {
		if err := background(ctx).Err(); err != nil {
			return err
		}
		return check(func() C.clip_status { return C.clip_model_swap(m.raw, C.uint32_t(towers), from, nil) })
	}
	raw := options.raw()
	c := &call{ctx: background(ctx), progress: options.Progress}
	return c.run(func(progress C.clip_progress, _ unsafe.Pointer) C.clip_status {
		raw.progress = progress
		return C.clip_model_swap(m.raw, C.uint32_t(towers), from, &raw)
	})
}

type encodeCall func(n C.size_t, options *C.clip_encode_options, out *C.float, capacity C.size_t) C.clip_status

// encode makes a call that fills n rows of width elements.
func (m *Model) encode(ctx context.Context, n, width int, options *EncodeOptions, f encodeCall) ([]float32, error) {
	raw, free, err := options.raw()
	if err != nil {
		return nil, err
	}
	defer free()
	values := make([]float32, n*width+1) // one more, so that there is a first
	c := &call{ctx: background(ctx), progress: options.progress()}
	err = c.run(func(progress C.clip_progress, _ unsafe.Pointer) C.clip_status {
		raw.progress = progress
		return f(C.size_t(n), &raw, (*C.float)(unsafe.Pointer(&values[0])), C.size_t(n*width))
	})
	if err != nil {
		return nil, err
	}
	return values[: n*width : n*width], nil
}

// EncodeImages embeds images: [n, EmbeddingWidth], each of unit length.
func (m *Model) EncodeImages(ctx context.Context, images []*Image, options *EncodeOptions) ([]float32, error) {
	return m.ofImages(ctx, images, m.opened.EmbeddingWidth, options,
		func(views *C.clip_image_view, n C.size_t, options *C.clip_encode_options, out *C.float, capacity C.size_t) C.clip_status {
			return C.clip_encode_image(m.raw, views, n, options, out, capacity)
		})
}

// Preprocess makes the image tower's input for images: [n, 3, ImageHeight, ImageWidth].
func (m *Model) Preprocess(ctx context.Context, images []*Image, options *EncodeOptions) ([]float32, error) {
	width, err := m.rowFor(m.pixelsOf(options), (*ModelInfo).pixels)
	if err != nil {
		return nil, err
	}
	return m.ofImages(ctx, images, width, options,
		func(views *C.clip_image_view, n C.size_t, options *C.clip_encode_options, out *C.float, capacity C.size_t) C.clip_status {
			return C.clip_preprocess(m.raw, views, n, options, out, capacity)
		})
}

func (m *Model) ofImages(ctx context.Context, images []*Image, width int, options *EncodeOptions,
	f func(views *C.clip_image_view, n C.size_t, options *C.clip_encode_options, out *C.float, capacity C.size_t) C.clip_status) ([]float32, error) {
	if err := m.use(); err != nil {
		return nil, err
	}
	defer m.done()
	views, done, err := viewsOf(images)
	if err != nil {
		return nil, err
	}
	defer done()
	first := &views[:1][0]
	return m.encode(ctx, len(images), width, options, func(n C.size_t, options *C.clip_encode_options, out *C.float, capacity C.size_t) C.clip_status {
		return f(first, n, options, out, capacity)
	})
}

// EncodeTexts embeds texts: [n, EmbeddingWidth], each of unit length.
func (m *Model) EncodeTexts(ctx context.Context, values []string, options *EncodeOptions) ([]float32, error) {
	if err := m.use(); err != nil {
		return nil, err
	}
	defer m.done()
	held, err := newTexts(values)
	if err != nil {
		return nil, err
	}
	defer held.free()
	return m.encode(ctx, len(values), m.opened.EmbeddingWidth, options,
		func(n C.size_t, options *C.clip_encode_options, out *C.float, capacity C.size_t) C.clip_status {
			return C.clip_encode_text(m.raw, held.first(), n, options, out, capacity)
		})
}

// EncodePixels embeds preprocessed images.
func (m *Model) EncodePixels(ctx context.Context, pixels []float32, options *EncodeOptions) ([]float32, error) {
	n, err := m.rows("pixels", len(pixels), m.pixelsOf(options))
	if err != nil {
		return nil, err
	}
	defer m.done()
	return m.encode(ctx, n, m.opened.EmbeddingWidth, options,
		func(n C.size_t, options *C.clip_encode_options, out *C.float, capacity C.size_t) C.clip_status {
			return C.clip_encode_pixels(m.raw, (*C.float)(unsafe.Pointer(&pixels[0])), n, options, out, capacity)
		})
}

// Tokenize makes rows of ids, [n, ContextLength], and the tokens of each row up to and including the end token.
func (m *Model) Tokenize(values []string, options *EncodeOptions) (ids []int32, lengths []uint32, err error) {
	if err := m.use(); err != nil {
		return nil, nil, err
	}
	defer m.done()
	held, err := newTexts(values)
	if err != nil {
		return nil, nil, err
	}
	defer held.free()
	raw, free, err := options.raw()
	if err != nil {
		return nil, nil, err
	}
	defer free()
	n := len(values)
	width, err := m.rowFor(m.contextOf(options), func(now *ModelInfo) int { return now.ContextLength })
	if err != nil {
		return nil, nil, err
	}
	size := n * width
	ids, lengths = make([]int32, size+1), make([]uint32, n+1)
	err = check(func() C.clip_status {
		return C.clip_tokenize(m.raw, held.first(), C.size_t(n), &raw, (*C.int32_t)(unsafe.Pointer(&ids[0])), C.size_t(size),
			(*C.uint32_t)(unsafe.Pointer(&lengths[0])), C.size_t(n))
	})
	if err != nil {
		return nil, nil, err
	}
	return ids[:size:size], lengths[:n:n], nil
}

// EncodeTokens embeds tokenized texts, [n, ContextLength].
func (m *Model) EncodeTokens(ctx context.Context, ids []int32, options *EncodeOptions) ([]float32, error) {
	n, err := m.rows("tokens", len(ids), m.contextOf(options))
	if err != nil {
		return nil, err
	}
	defer m.done()
	return m.encode(ctx, n, m.opened.EmbeddingWidth, options,
		func(n C.size_t, options *C.clip_encode_options, out *C.float, capacity C.size_t) C.clip_status {
			return C.clip_encode_tokens(m.raw, (*C.int32_t)(unsafe.Pointer(&ids[0])), n, options, out, capacity)
		})
}

// Similarity is the logits of each of n images against each of m texts, [n, m]: scale * cosine + bias.
func (m *Model) Similarity(images, texts []float32) ([]float32, error) {
	return m.score(images, texts, func(a *C.float, n C.size_t, b *C.float, count C.size_t, out *C.float, capacity C.size_t) C.clip_status {
		return C.clip_similarity(m.raw, a, n, b, count, out, capacity)
	})
}

// Classify is the probability of each of m texts for each of n images, [n, m].
func (m *Model) Classify(images, texts []float32) ([]float32, error) {
	return m.score(images, texts, func(a *C.float, n C.size_t, b *C.float, count C.size_t, out *C.float, capacity C.size_t) C.clip_status {
		return C.clip_classify(m.raw, a, n, b, count, out, capacity)
	})
}

func (m *Model) score(images, texts []float32, f func(a *C.float, n C.size_t, b *C.float, count C.size_t, out *C.float, capacity C.size_t) C.clip_status) ([]float32, error) {
	n, err := m.rows("images", len(images), m.opened.EmbeddingWidth)
	if err != nil {
		return nil, err
	}
	defer m.done()
	count, err := m.rows("texts", len(texts), m.opened.EmbeddingWidth)
	if err != nil {
		return nil, err
	}
	defer m.done()
	scores := make([]float32, n*count)
	err = check(func() C.clip_status {
		return f((*C.float)(unsafe.Pointer(&images[0])), C.size_t(n), (*C.float)(unsafe.Pointer(&texts[0])), C.size_t(count),
			(*C.float)(unsafe.Pointer(&scores[0])), C.size_t(len(scores)))
	})
	if err != nil {
		return nil, err
	}
	return scores, nil
}

// rows is the number of rows of width elements, at least one; the model is then in use.
func (m *Model) rows(what string, length, width int) (int, error) {
	n, err := rowsOf(what, length, width)
	if err != nil {
		return 0, err
	}
	return n, m.use()
}

func rowsOf(what string, length, width int) (int, error) {
	if width < 1 || length < 1 || length%width != 0 {
		return 0, invalid("%s: expected rows of %d elements, found %d elements", what, width, length)
	}
	return length / width, nil
}

// pixelsOf is the elements of an image as C counts them: of the sizes that the caller names, and those as opened for each
// 0. They do not depend on a swap at the same time, which the call finds.
func (m *Model) pixelsOf(options *EncodeOptions) int {
	if options == nil {
		return m.opened.pixels()
	}
	return 3 * side(options.ImageWidth, m.opened.ImageWidth) * side(options.ImageHeight, m.opened.ImageHeight)
}

func (m *Model) contextOf(options *EncodeOptions) int {
	if options == nil {
		return m.opened.ContextLength
	}
	return side(options.ContextLength, m.opened.ContextLength)
}

// side is the size that the options have in C.
func side(named, opened int) int {
	if raw := uint32(named); raw != 0 {
		return int(raw)
	}
	return opened
}

func (i *ModelInfo) pixels() int { return 3 * i.ImageWidth * i.ImageHeight }

// rowFor is the row of a result. A call refuses sizes that the model does not have: no memory for those, which may be huge.
func (m *Model) rowFor(wanted int, of func(*ModelInfo) int) (int, error) {
	now, err := m.Info()
	if err != nil || wanted != of(&now) {
		return 0, err
	}
	return wanted, nil
}
