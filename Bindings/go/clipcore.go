// Package clipcore embeds images and texts in one vector space with CLIP models: an interface to libclipcore.
//
//	rt, err := clipcore.NewRuntime(nil)
//	model, err := rt.OpenModel(ctx, "Models/emoji", nil)
//	photo, err := rt.LoadImage("Examples/images/cat.png", nil)
//	image, err := model.EncodeImages(ctx, []*clipcore.Image{photo}, nil)
//	texts, err := model.EncodeTexts(ctx, []string{"a cat", "a slice of pizza"}, nil)
//	chances, err := model.Classify(image, texts)
//
// Any number of goroutines may use a Runtime, Model, Image or Index at once; calls on a Trainer wait for each other. Close
// gives up a handle, in any order and while calls run: the last of them frees it. The garbage collector closes what the
// program forgot. The end of a context cancels long calls. Options are nil for defaults. A panic in a function that the
// library calls ends the call and goes on in the caller.
package clipcore

/*
#cgo pkg-config: clipcore clipindex
#include <stdlib.h>
#include <clipcore/clip_host.h>
#include <clipcore/clip_train.h>
*/
import "C"

import (
	"context"
	"fmt"
	"strings"
	"unsafe"
)

// Status says what kind of failure a call had: errors.Is(err, clipcore.NotFound).
type Status uint32

const (
	InvalidArgument Status = C.CLIP_INVALID_ARGUMENT
	NotFound        Status = C.CLIP_NOT_FOUND
	IO              Status = C.CLIP_IO
	Format          Status = C.CLIP_FORMAT
	Unsupported     Status = C.CLIP_UNSUPPORTED
	Mismatch        Status = C.CLIP_MISMATCH
	Limit           Status = C.CLIP_LIMIT
	OutOfMemory     Status = C.CLIP_OUT_OF_MEMORY
	Plugin          Status = C.CLIP_PLUGIN
	NotFinite       Status = C.CLIP_NOT_FINITE
	Cancelled       Status = C.CLIP_CANCELLED
)

// Error is the name in C, such as "CLIP_FORMAT".
func (s Status) Error() string { return C.GoString(C.clip_status_name(C.clip_status(s))) }

// Error is a failed call: its status, and what was expected, what was found and where.
type Error struct {
	Status  Status
	Message string
	cause   error // of the context that cancelled the call
}

func (e *Error) Error() string { return e.Status.Error() + ": " + e.Message }

func (e *Error) Is(target error) bool { return target == e.Status }

func (e *Error) Unwrap() error { return e.cause }

func invalid(format string, values ...any) error {
	return &Error{Status: InvalidArgument, Message: fmt.Sprintf(format, values...)}
}

// Version of the library, "major.minor.patch".
func Version() string { return C.GoString(C.clip_version()) }

// ABIVersion of the library's interface: (major << 16) | minor.
func ABIVersion() uint32 { return uint32(C.clip_abi_version()) }

type LogLevel uint32

const (
	LogError   LogLevel = C.CLIP_LOG_ERROR
	LogWarning LogLevel = C.CLIP_LOG_WARNING
	LogInfo    LogLevel = C.CLIP_LOG_INFO
)

type RuntimeOptions struct {
	// Threads that compute one call, the calling thread included: 1 to 256; 0 is 1.
	Threads int
	// Plugin files, and folders of them, to load before those of CLIP_PLUGIN_PATH and of the library's own folder.
	PluginPaths []string
	// Log receives messages on any thread. It must not call the library. A panic in it is ignored.
	Log func(level LogLevel, message string)
	// The largest image in pixels; 0: the library's default.
	MaxImagePixels uint64
	// A kernel set, such as "x86-64-v3"; "": the fastest.
	Kernels string
}

// Runtime is what models share: worker threads, plugins, log. One is enough for a program.
type Runtime struct {
	*handle
	raw *C.clip_runtime
}

// Close gives up the runtime; it ends with its last model, image and index.
func (r *Runtime) Close() { r.close() }

func NewRuntime(options *RuntimeOptions) (*Runtime, error) {
	if options == nil {
		options = &RuntimeOptions{}
	}
	if options.Threads < 0 || options.Threads > 256 {
		return nil, invalid("threads: expected 0 to 256, found %d", options.Threads)
	}
	var raw C.clip_runtime_options
	raw.struct_size = C.uint32_t(unsafe.Sizeof(raw))
	raw.threads = C.uint32_t(options.Threads)
	raw.max_image_pixels = C.uint64_t(options.MaxImagePixels)
	paths, err := newTexts(options.PluginPaths)
	if err != nil {
		return nil, err
	}
	defer paths.free()
	kernels, err := newTexts([]string{options.Kernels})
	if err != nil {
		return nil, err
	}
	defer kernels.free()
	if options.Kernels != "" {
		raw.kernels = *kernels.first()
	}
	// In memory of C, because raw has their address.
	raw.plugin_paths, raw.plugin_path_count = paths.inC(), C.size_t(len(options.PluginPaths))
	defer C.free(unsafe.Pointer(raw.plugin_paths))
	var user unsafe.Pointer
	if options.Log != nil {
		user = newUser(options.Log)
		raw.log, raw.log_user = onLog, user
	}
	free := func() {
		if user != nil {
			freeUser(user)
		}
	}
	r := &Runtime{}
	if err := check(func() C.clip_status { return C.clip_runtime_create(&raw, &r.raw) }); err != nil {
		free()
		return nil, err
	}
	created := r.raw
	r.handle = newHandle(nil, func() {
		C.clip_runtime_release(created)
		free()
	})
	return r, nil
}

// InitializeModel writes random initial weights into a model folder that has its configuration but no weights. The same
// seed makes the same file.
func (r *Runtime) InitializeModel(folder string, seed uint64) error {
	return r.withText(folder, func(text *C.char) C.clip_status { return C.clip_model_initialize(r.raw, text, C.uint64_t(seed)) })
}

// ImageEndings are the name endings of the image files that can be read: "jpg", "png".
func (r *Runtime) ImageEndings() []string {
	if r.use() != nil {
		return nil
	}
	defer r.done()
	endings := textOf(func(buffer *C.char, capacity C.size_t) C.size_t { return C.clip_image_endings(r.raw, buffer, capacity) })
	return strings.FieldsFunc(endings, func(r rune) bool { return r == ',' })
}

// LoadPlugin loads a plugin file, or each *.so of a folder.
func (r *Runtime) LoadPlugin(path string) error {
	return r.withText(path, func(text *C.char) C.clip_status { return C.clip_plugin_load(r.raw, text) })
}

// UnloadPlugin unloads a plugin by its id or path; what uses it goes on.
func (r *Runtime) UnloadPlugin(plugin string) error {
	return r.withText(plugin, func(text *C.char) C.clip_status { return C.clip_plugin_unload(r.raw, text) })
}

func (r *Runtime) withText(text string, f func(*C.char) C.clip_status) error {
	if err := r.use(); err != nil {
		return err
	}
	defer r.done()
	held, err := newTexts([]string{text})
	if err != nil {
		return err
	}
	defer held.free()
	return check(func() C.clip_status { return f(*held.first()) })
}

// texts are strings in memory of C.
type texts []*C.char

func newTexts(values []string) (texts, error) {
	for i, value := range values {
		if at := strings.IndexByte(value, 0); at >= 0 {
			return nil, invalid("text %d has a NUL at byte %d", i, at)
		}
	}
	t := make(texts, len(values))
	for i, value := range values {
		t[i] = C.CString(value)
	}
	return t, nil
}

func (t texts) first() **C.char {
	if len(t) == 0 {
		return nil
	}
	return &t[0]
}

// inC is the array of the texts in memory of C, which the caller frees.
func (t texts) inC() **C.char {
	array := (**C.char)(C.malloc(C.size_t(len(t)+1) * C.size_t(unsafe.Sizeof(uintptr(0)))))
	copy(unsafe.Slice(array, len(t)), t)
	return array
}

func (t texts) free() {
	for _, text := range t {
		C.free(unsafe.Pointer(text))
	}
}

// textOf is the text that a function writes as snprintf does.
func textOf(write func(buffer *C.char, capacity C.size_t) C.size_t) string {
	for size := C.size_t(128); ; {
		buffer := make([]byte, size)
		length := write((*C.char)(unsafe.Pointer(&buffer[0])), size)
		if length < size {
			return string(buffer[:length])
		}
		size = length + 1
	}
}

func background(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}
