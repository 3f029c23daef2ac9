package clipcore

// CLIPCORE_TEST_ROOT: the repository, whose small models and images these tests use.

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var ctx = context.Background()

func path(name string) string { return filepath.Join(os.Getenv("CLIPCORE_TEST_ROOT"), name) }

func need(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func needStatus(t *testing.T, err error, status Status) {
	t.Helper()
	if !errors.Is(err, status) {
		t.Fatalf("expected %v, found %v", error(status), err)
	}
}

func open(t *testing.T, folder string) (*Runtime, *Model) {
	rt, err := NewRuntime(&RuntimeOptions{Threads: 2})
	need(t, err)
	t.Cleanup(rt.Close)
	model, err := rt.OpenModel(ctx, path(folder), nil)
	need(t, err)
	t.Cleanup(model.Close)
	return rt, model
}

func load(t *testing.T, rt *Runtime, name string) *Image {
	image, err := rt.LoadImage(path("Examples/images/"+name), nil)
	need(t, err)
	t.Cleanup(image.Close)
	return image
}

func TestEncodesAlikeByEachWay(t *testing.T) {
	rt, model := open(t, "Models/emoji")
	info, err := model.Info()
	need(t, err)
	if info.EmbeddingWidth != model.EmbeddingWidth() || info.Layout != "open_clip" || info.ImageParameters == 0 {
		t.Fatalf("%+v", info)
	}
	if found := model.Encoder(ImageTower); found != "clipcore.encoder.clip-vit" {
		t.Fatal(found)
	}
	photo := load(t, rt, "cat.png")
	images, err := model.EncodeImages(ctx, []*Image{photo, photo}, nil)
	need(t, err)
	one := images[:info.EmbeddingWidth]
	same := func(what string, found []float32, err error) {
		t.Helper()
		need(t, err)
		if !reflect.DeepEqual(found, one) {
			t.Errorf("%s: another embedding", what)
		}
	}
	same("the second", images[info.EmbeddingWidth:], nil)
	data, err := os.ReadFile(path("Examples/images/cat.png"))
	need(t, err)
	decoded, err := rt.DecodeImage(data, nil)
	need(t, err)
	bytes, err := decoded.Pixels()
	need(t, err)
	width, height := decoded.Size()
	own, err := rt.NewImage(bytes, width, height, 0, decoded.Format())
	need(t, err)
	found, err := model.EncodeImages(ctx, []*Image{own}, nil)
	same("own pixels", found, err)
	file, err := os.Open(path("Examples/images/cat.png"))
	need(t, err)
	defer file.Close()
	standard, err := png.Decode(file)
	need(t, err)
	converted, err := rt.ImageOf(standard)
	need(t, err)
	found, err = model.EncodeImages(ctx, []*Image{converted}, nil)
	same("image.Image", found, err)
	pixels, err := model.Preprocess(ctx, []*Image{own}, nil)
	need(t, err)
	found, err = model.EncodePixels(ctx, pixels, nil)
	same("pixels", found, err)

	words := []string{"a cat", "a slice of pizza"}
	texts, err := model.EncodeTexts(ctx, words, nil)
	need(t, err)
	ids, lengths, err := model.Tokenize(words, nil)
	need(t, err)
	if len(ids) != 2*info.ContextLength || lengths[0] < 3 {
		t.Fatal(len(ids), lengths)
	}
	byTokens, err := model.EncodeTokens(ctx, ids, nil)
	need(t, err)
	if !reflect.DeepEqual(byTokens, texts) {
		t.Error("tokens: other embeddings")
	}
	logits, err := model.Similarity(one, texts)
	need(t, err)
	chances, err := model.Classify(one, texts)
	need(t, err)
	if logits[0] <= logits[1] || chances[0] < 0.9 {
		t.Fatal(logits, chances)
	}
	if !strings.Contains(strings.Join(rt.ImageEndings(), ","), "png") || ABIVersion()>>16 != 2 || len(strings.Split(Version(), ".")) != 3 {
		t.Fatal(rt.ImageEndings(), ABIVersion(), Version())
	}
}

func TestErrors(t *testing.T) {
	rt, model := open(t, "Models/emoji")
	_, err := rt.OpenModel(ctx, "/no/such/folder", nil)
	needStatus(t, err, NotFound)
	if !strings.HasPrefix(err.Error(), "CLIP_NOT_FOUND: ") || !strings.Contains(err.Error(), "/no/such/folder") {
		t.Fatal(err)
	}
	_, err = model.EncodeTexts(ctx, []string{"a\x00b"}, nil)
	needStatus(t, err, InvalidArgument)
	long := []string{strings.Repeat("word ", 500)}
	_, err = model.EncodeTexts(ctx, long, nil)
	needStatus(t, err, Limit)
	_, err = model.EncodeTexts(ctx, long, &EncodeOptions{Truncate: true})
	need(t, err)
	prompt := "none such"
	_, err = model.EncodeTexts(ctx, []string{"a cat"}, &EncodeOptions{Prompt: &prompt})
	needStatus(t, err, NotFound)
	photo := load(t, rt, "cat.png")
	for name, f := range map[string]func() ([]float32, error){
		"no texts":  func() ([]float32, error) { return model.EncodeTexts(ctx, nil, nil) },
		"no images": func() ([]float32, error) { return model.EncodeImages(ctx, nil, nil) },
		"nil image": func() ([]float32, error) { return model.EncodeImages(ctx, []*Image{photo, nil}, nil) },
		"pixels":    func() ([]float32, error) { return model.EncodePixels(ctx, make([]float32, 7), nil) },
		"tokens":    func() ([]float32, error) { return model.EncodeTokens(ctx, make([]int32, 7), nil) },
		"scores":    func() ([]float32, error) { return model.Classify(nil, make([]float32, 3)) },
	} {
		if _, err := f(); !errors.Is(err, InvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = model.Preprocess(ctx, []*Image{photo}, &EncodeOptions{ImageWidth: 1 << 30, ImageHeight: -1})
	needStatus(t, err, Mismatch)
	for _, size := range [][3]int{{2, 2, 0}, {1 << 30, 1 << 30, 0}, {0, 1, 0}, {1, -1, 0}, {1, 2, -4}} {
		_, err = rt.NewImage(make([]byte, 11), size[0], size[1], size[2], RGB)
		needStatus(t, err, InvalidArgument)
	}
	_, err = rt.DecodeImage([]byte("no image"), nil)
	needStatus(t, err, Format)
	_, err = rt.DecodeImage(nil, nil)
	if err == nil {
		t.Fatal("an empty file was decoded")
	}
}

func TestContextCancels(t *testing.T) {
	rt, model := open(t, "Models/emoji")
	photo := load(t, rt, "cat.png")
	images := make([]*Image, 64)
	for i := range images {
		images[i] = photo
	}
	during, cancel := context.WithCancel(ctx)
	_, err := model.EncodeImages(during, images, &EncodeOptions{Progress: func(done, total uint64) { cancel() }})
	needStatus(t, err, Cancelled)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err = model.EncodeImages(during, images, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	soon, cancelSoon := context.WithTimeout(ctx, time.Millisecond)
	defer cancelSoon()
	if _, err = model.EncodeImages(soon, images, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if _, err = rt.OpenModel(during, path("Models/emoji"), nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	_, err = model.EncodeImages(ctx, images[:1], nil)
	need(t, err)
}

func panics(t *testing.T, message string, f func()) {
	t.Helper()
	defer func() {
		if found := fmt.Sprint(recover()); found != message {
			t.Errorf("expected the panic %s, found %s", message, found)
		}
	}()
	f()
}

func TestPanicsInCallbacks(t *testing.T) {
	rt, model := open(t, "Models/emoji")
	photo := load(t, rt, "cat.png")
	images := []*Image{photo, photo}
	panics(t, "progress", func() {
		model.EncodeImages(ctx, images, &EncodeOptions{Progress: func(done, total uint64) { panic("progress") }})
	})
	panics(t, "opening", func() {
		rt.OpenModel(ctx, path("Models/emoji"), &ModelOptions{Progress: func(done, total uint64) { panic("opening") }})
	})
	index, err := rt.OpenIndex(filepath.Join(t.TempDir(), "a.index"), &IndexOptions{Create: true, Fingerprint: "f", EmbeddingWidth: 2})
	need(t, err)
	defer index.Close()
	need(t, index.Put([][]byte{[]byte("a"), []byte("b")}, []float32{1, 0, 0, 1}, nil))
	panics(t, "filter", func() {
		index.Search(ctx, []float32{1, 0}, &SearchOptions{Filter: func(Entry) bool { panic("filter") }})
	})
	panics(t, "visit", func() { index.Visit(ctx, nil, func(Entry) bool { panic("visit") }) })
	loud, err := NewRuntime(&RuntimeOptions{PluginPaths: []string{"/no/plugin.so"}, Log: func(LogLevel, string) { panic("log") }})
	need(t, err)
	loud.Close()
	_, err = model.EncodeImages(ctx, images, nil)
	need(t, err)
}

func keysOf(entries []Entry) (keys []string) {
	for _, entry := range entries {
		keys = append(keys, string(entry.Key))
	}
	return keys
}

func TestIndex(t *testing.T) {
	rt, _ := open(t, "Models/emoji")
	file := filepath.Join(t.TempDir(), "a.index")
	print, err := Fingerprint(path("Models/emoji"))
	need(t, err)
	_, err = rt.OpenIndex(file, nil)
	needStatus(t, err, NotFound)
	index, err := rt.OpenIndex(file, &IndexOptions{Create: true, Fingerprint: print, EmbeddingWidth: 3})
	need(t, err)
	defer index.Close()
	if index.Fingerprint() != print {
		t.Fatal(index.Fingerprint())
	}
	b := func(texts ...string) (bytes [][]byte) {
		for _, text := range texts {
			bytes = append(bytes, []byte(text))
		}
		return bytes
	}
	need(t, index.Put(b("a", "b", "c"), []float32{1, 0, 0, 2, 0.1, 0, 0, 0, 1}, b("first", "", "third")))
	needStatus(t, index.Put(b("d"), make([]float32, 4), nil), InvalidArgument)
	needStatus(t, index.Put(b("d"), make([]float32, 3), nil), InvalidArgument)
	entry, embedding, err := index.Get([]byte("a"))
	need(t, err)
	if string(entry.Metadata) != "first" || !reflect.DeepEqual(embedding, []float32{1, 0, 0}) {
		t.Fatal(entry, embedding)
	}
	_, _, err = index.Get([]byte("z"))
	needStatus(t, err, NotFound)
	query, half := []float32{1, 0, 0}, float32(0.5)
	found, err := index.Search(ctx, query, nil)
	need(t, err)
	if keys := keysOf(found); !reflect.DeepEqual(keys, []string{"a", "b", "c"}) {
		t.Fatal(keys)
	}
	found, err = index.Search(ctx, query, &SearchOptions{Threshold: &half, Filter: func(e Entry) bool { return string(e.Key) != "a" }})
	need(t, err)
	if keys := keysOf(found); !reflect.DeepEqual(keys, []string{"b"}) {
		t.Fatal(keys)
	}
	pairs, err := index.Duplicates(ctx, 0.9, 0, nil)
	need(t, err)
	if len(pairs) != 1 || string(pairs[0][0].Key) != "a" || string(pairs[0][1].Key) != "b" {
		t.Fatal(pairs)
	}
	groups, err := index.Groups(ctx, 0.9, nil)
	need(t, err)
	if len(groups) != 1 || !reflect.DeepEqual(keysOf(groups[0]), []string{"a", "b"}) {
		t.Fatal(groups)
	}
	need(t, index.Rename(b("c"), b("d")))
	removed, err := index.Remove(b("b", "nothing"))
	need(t, err)
	var listed []Entry
	need(t, index.Visit(ctx, nil, func(e Entry) bool {
		listed = append(listed, e)
		return true
	}))
	info, err := index.Info()
	need(t, err)
	if removed != 1 || info.Entries != 2 || !reflect.DeepEqual(keysOf(listed), []string{"a", "d"}) {
		t.Fatal(removed, info, listed)
	}
}

func TestTraining(t *testing.T) {
	rt, model := open(t, "build/models/small-32")
	batch := &Batch{Images: []*Image{load(t, rt, "cat.png"), load(t, rt, "pizza.png")}, Texts: []string{"a cat", "pizza"}}
	options := &TrainerOptions{LearningRate: 1e-2}
	trainer, err := model.NewTrainer(options)
	need(t, err)
	defer trainer.Close()
	first, err := trainer.Evaluate(ctx, batch)
	need(t, err)
	for i := 0; i < 5; i++ {
		_, err = trainer.Step(ctx, batch)
		need(t, err)
	}
	folder := t.TempDir()
	need(t, trainer.Save(folder, 1, "a note"))
	last, err := trainer.Evaluate(ctx, batch)
	need(t, err)
	if last.Loss >= first.Loss || last.Step != 5 {
		t.Fatal(first, last)
	}
	resumed, err := model.NewTrainer(options)
	need(t, err)
	defer resumed.Close()
	need(t, resumed.Resume(folder))
	again, err := resumed.Evaluate(ctx, batch)
	need(t, err)
	if resumed.Note() != "a note" || again.Loss != last.Loss {
		t.Fatal(resumed.Note(), again)
	}
	need(t, resumed.SetLearningRate(1e-3))
	needStatus(t, resumed.SetLearningRate(-1), InvalidArgument)
	_, err = resumed.Step(ctx, &Batch{Images: batch.Images, Texts: []string{"a"}})
	needStatus(t, err, InvalidArgument)
	_, err = resumed.Step(ctx, &Batch{})
	needStatus(t, err, InvalidArgument)

	words := []string{"a cat"}
	before, err := model.EncodeTexts(ctx, words, nil)
	need(t, err)
	need(t, resumed.UpdateModel(model))
	after, err := model.EncodeTexts(ctx, words, nil)
	need(t, err)
	if reflect.DeepEqual(before, after) {
		t.Fatal("the update changed nothing")
	}
	exported := filepath.Join(folder, "model")
	need(t, resumed.Export(ctx, exported, nil))
	half, err := rt.OpenModel(ctx, exported, &ModelOptions{Storage: INT8Fast})
	need(t, err)
	defer half.Close()
	need(t, model.Swap(ctx, 0, path("build/models/small-32"), &ModelOptions{}))
	after, err = model.EncodeTexts(ctx, words, nil)
	need(t, err)
	if !reflect.DeepEqual(before, after) {
		t.Fatal("the swap did not restore the weights")
	}
	weights, _ := filepath.Glob(filepath.Join(exported, "*.safetensors"))
	for _, file := range weights {
		need(t, os.Remove(file))
	}
	need(t, rt.InitializeModel(exported, 1))
}

func TestRowsHaveTheSizesThatTheCallerNames(t *testing.T) {
	rt, model := open(t, "build/models/small-32")
	info, err := model.Info()
	need(t, err)
	side, length := info.ImageWidth, info.ContextLength
	large := &EncodeOptions{ImageWidth: 2 * side, ImageHeight: 2 * side}
	smallRow, largeRow := make([]float32, 3*side*side), make([]float32, 12*side*side)
	_, err = model.EncodePixels(ctx, largeRow, large)
	needStatus(t, err, Mismatch)
	_, err = model.EncodePixels(ctx, smallRow, large)
	needStatus(t, err, InvalidArgument)
	_, err = model.EncodeTokens(ctx, make([]int32, length), &EncodeOptions{ContextLength: 2 * length})
	needStatus(t, err, InvalidArgument)
	_, _, err = model.Tokenize([]string{"a"}, &EncodeOptions{ContextLength: 2 * length})
	needStatus(t, err, Mismatch)
	photo, err := rt.LoadImage(path("Examples/images/cat.png"), nil)
	need(t, err)
	defer photo.Close()
	_, err = model.Preprocess(ctx, []*Image{photo}, &EncodeOptions{ImageWidth: -1, ImageHeight: -1})
	needStatus(t, err, Mismatch)

	need(t, model.Swap(ctx, ImageTower, "", &ModelOptions{ImageWidth: 2 * side, ImageHeight: 2 * side}))
	embedding, err := model.EncodePixels(ctx, largeRow, large)
	need(t, err)
	if len(embedding) != model.EmbeddingWidth() {
		t.Fatal(len(embedding))
	}
	_, err = model.EncodePixels(ctx, smallRow, nil)
	needStatus(t, err, Mismatch)
	_, err = model.Preprocess(ctx, []*Image{photo}, nil)
	needStatus(t, err, Mismatch)
	pixels, err := model.Preprocess(ctx, []*Image{photo}, large)
	need(t, err)
	if len(pixels) != len(largeRow) {
		t.Fatal(len(pixels))
	}
	need(t, model.Swap(ctx, ImageTower, "", &ModelOptions{}))
	trainer, err := model.NewTrainer(nil)
	need(t, err)
	defer trainer.Close()
	ids, _, err := model.Tokenize([]string{"a"}, nil)
	need(t, err)
	_, err = trainer.Evaluate(ctx, &Batch{Pixels: smallRow, Tokens: ids})
	need(t, err)
	_, err = trainer.Evaluate(ctx, &Batch{Pixels: largeRow, Tokens: ids})
	needStatus(t, err, InvalidArgument)
}

func TestTrainersKeepTheRuntime(t *testing.T) {
	rt, err := NewRuntime(&RuntimeOptions{Log: func(LogLevel, string) {}})
	need(t, err)
	model, err := rt.OpenModel(ctx, path("build/models/small-32"), nil)
	need(t, err)
	rt.Close()
	trainer, err := model.NewTrainer(nil)
	need(t, err)
	model.Close()
	if rt.users == 0 {
		t.Error("a trainer has to keep the runtime, and its log")
	}
	trainer.Close()
	if rt.users != 0 {
		t.Errorf("%d users of a runtime are left", rt.users)
	}
}

func TestCodecs(t *testing.T) {
	rt, _ := open(t, "build/models/small-32")
	codec := &Codec{ID: "test.codec.broken", Description: "panics", Extensions: "broken",
		Recognises: func(data []byte) bool { return strings.HasPrefix(string(data), "BROKEN") },
		ReadHeader: func(data []byte) (CodecHeader, error) {
			switch data[6] { // out of range where there is none
			case 'd':
				return CodecHeader{2, 1, Gray}, nil
			case 'n':
				return CodecHeader{-1, 1, Gray}, nil
			}
			return CodecHeader{}, errors.New(strings.Repeat("words", 2000))
		},
		Decode: func(data []byte, header CodecHeader, pixels []byte, stride int) error {
			copy(pixels, data[7:9])
			return nil
		}}
	need(t, rt.RegisterCodec(codec))
	if rt.RegisterCodec(codec) == nil {
		t.Fatal("one codec was registered twice")
	}
	image, err := rt.DecodeImage([]byte("BROKENdab"), nil)
	need(t, err)
	if pixels, err := image.Pixels(); err != nil || string(pixels) != "ab" {
		t.Fatal(pixels, err)
	}
	for data, message := range map[string]string{"BROKEN": "panicked", "BROKENd": "panicked", "BROKENx": "words", "BROKENn": "-1"} {
		_, err := rt.DecodeImage([]byte(data), nil)
		if !errors.Is(err, Format) || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: %v", data, err)
		}
	}
	other, err := NewRuntime(nil)
	need(t, err)
	need(t, other.RegisterCodec(codec))
	other.Close()
	need(t, rt.UnloadPlugin(codec.ID))
	if _, err := rt.DecodeImage([]byte("BROKENdab"), nil); err == nil {
		t.Fatal("the codec is still there")
	}
	needStatus(t, rt.LoadPlugin("/no/plugin.so"), NotFound)
}

func TestClose(t *testing.T) {
	rt, model := open(t, "build/models/small-32")
	rt.Close()
	rt.Close()
	_, err := model.EncodeTexts(ctx, []string{"a cat"}, nil)
	need(t, err)
	if _, err := rt.OpenModel(ctx, path("build/models/small-32"), nil); err != ErrClosed {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := 0; i < 4; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for {
				if _, err := model.EncodeTexts(ctx, []string{"a cat"}, nil); err == ErrClosed {
					return
				} else if err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	time.Sleep(20 * time.Millisecond)
	model.Close()
	all.Wait()
}

// resident is the pages of memory that the process holds.
func resident(t *testing.T) (pages int) {
	text, err := os.ReadFile("/proc/self/statm")
	need(t, err)
	var size int
	_, err = fmt.Sscan(string(text), &size, &pages)
	need(t, err)
	return pages
}

func TestTenThousandCallsFromGoroutines(t *testing.T) {
	var logged atomic.Int64
	rt, err := NewRuntime(&RuntimeOptions{Threads: 2, Log: func(level LogLevel, message string) { logged.Add(1) }})
	need(t, err)
	defer rt.Close()
	model, err := rt.OpenModel(ctx, path("build/models/small-32"), nil)
	need(t, err)
	defer model.Close()
	expected, err := model.EncodeTexts(ctx, []string{"a cat"}, nil)
	need(t, err)
	none := ""
	calls := func(n int) {
		options := &EncodeOptions{Prompt: &none, Progress: func(done, total uint64) {}}
		for call := 0; call < n; call++ {
			var err error
			switch call % 5 {
			case 0:
				_, err = model.EncodeTexts(ctx, []string{"a", "b\x00"}, options)
			case 1:
				_, err = rt.DecodeImage([]byte("none"), nil)
			case 2:
				_, err = rt.OpenModel(ctx, "/none", nil)
			case 3: // closed by the garbage collector
				_, err = rt.NewImage(make([]byte, 3), 1, 1, 0, RGB)
				if err == nil {
					err = errors.New("")
				}
			default:
				var found []float32
				if found, err = model.EncodeTexts(ctx, []string{"a cat"}, options); err == nil && reflect.DeepEqual(found, expected) {
					err = errors.New("")
				}
			}
			if err == nil {
				t.Error("a call had another result than expected")
			}
		}
	}
	var all sync.WaitGroup
	for i := 0; i < 4; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			calls(1250)
		}()
	}
	all.Wait()
	// On one goroutine, because the workspaces that a model keeps are as many as calls ran at once.
	left := func(n int) int {
		calls(n)
		debug.FreeOSMemory()
		return resident(t)
	}
	left(1000)
	before := left(1000)
	if grown := left(5000) - before; grown > 1024 {
		t.Fatalf("5000 calls left %d pages", grown)
	}
}
