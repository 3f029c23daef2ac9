package clipcore

/*
#include <stdlib.h>
#include "codec_slots.h"
*/
import "C"

import (
	"fmt"
	"sync"
	"unsafe"
)

// CodecHeader is what an image file holds: size in pixels, and the format that Decode will write (RGB, RGBA or Gray).
type CodecHeader struct {
	Width, Height int
	Format        PixelFormat
}

// Codec decodes a format of image files in Go. Its functions are called on any threads at once, with bytes that are not
// trusted and that are valid during the call. A panic is an error of the file.
type Codec struct {
	ID          string // "<vendor>.codec.<name>"
	Description string // one line
	Extensions  string // lower case, comma-separated: "jpg,jpeg"
	// Recognises says whether the first bytes are of this format.
	Recognises func(data []byte) bool
	// ReadHeader reads only the header.
	ReadHeader func(data []byte) (CodecHeader, error)
	// Decode writes every pixel, rows stride bytes apart.
	Decode func(data []byte, header CodecHeader, pixels []byte, stride int) error

	slot int // from 1; 0: none yet
}

var codecs struct {
	sync.RWMutex
	slots []*Codec // which stay to the end of the program, as C's tables do
}

// RegisterCodec adds a plugin of this program with one codec, which then is not changed. The plugin's id is that of the
// codec. A program has at most 8 codecs, each in any number of runtimes.
func (r *Runtime) RegisterCodec(codec *Codec) error {
	if err := r.use(); err != nil {
		return err
	}
	defer r.done()
	if codec.Recognises == nil || codec.ReadHeader == nil || codec.Decode == nil {
		return invalid("the codec %q lacks one of its functions", codec.ID)
	}
	codecs.Lock()
	if codec.slot == 0 {
		if len(codecs.slots) == C.CODEC_SLOTS {
			codecs.Unlock()
			return &Error{Status: Limit, Message: fmt.Sprintf("a program has at most %d codecs", C.CODEC_SLOTS)}
		}
		held, err := newTexts([]string{codec.ID, codec.Description, codec.Extensions})
		if err != nil {
			codecs.Unlock()
			return err
		}
		C.codec_slot_fill(C.int(len(codecs.slots)), held[0], held[0], held[1], held[2])
		codecs.slots = append(codecs.slots, codec)
		codec.slot = len(codecs.slots)
	}
	slot := C.int(codec.slot - 1)
	codecs.Unlock()
	return check(func() C.clip_status { return C.codec_slot_register(r.raw, slot) })
}

func codecOf(slot C.int) *Codec {
	codecs.RLock()
	defer codecs.RUnlock()
	return codecs.slots[slot]
}

func bytesOf(data unsafe.Pointer, size C.size_t) []byte {
	return unsafe.Slice((*byte)(data), int(size))
}

// step runs a function of a codec; its error, or that of its panic, goes to the host.
func step(failure *C.clip_plugin_error, f func() error) (status C.clip_status) {
	report := func(err any) {
		status = C.CLIP_FORMAT
		if failure != nil && failure.capacity > 0 {
			to := unsafe.Slice((*byte)(unsafe.Pointer(failure.message)), int(failure.capacity))
			to[copy(to[:len(to)-1], fmt.Sprint(err))] = 0
		}
	}
	defer func() {
		if panicked := recover(); panicked != nil {
			report(fmt.Sprint("the codec panicked: ", panicked))
		}
	}()
	if err := f(); err != nil {
		report(err)
	}
	return status
}

//export clipcoreRecognises
func clipcoreRecognises(slot C.int, data unsafe.Pointer, size C.size_t) (is C.int) {
	_ = step(nil, func() error {
		if codecOf(slot).Recognises(bytesOf(data, size)) {
			is = 1
		}
		return nil
	})
	return is
}

//export clipcoreHeader
func clipcoreHeader(slot C.int, data unsafe.Pointer, size C.size_t, header *C.clip_codec_header, failure *C.clip_plugin_error) C.clip_status {
	return step(failure, func() error {
		found, err := codecOf(slot).ReadHeader(bytesOf(data, size))
		if err != nil {
			return err
		}
		if found.Width < 1 || found.Height < 1 || found.Width > 1<<30 || found.Height > 1<<30 {
			return fmt.Errorf("the codec read a size of %d x %d pixels", found.Width, found.Height)
		}
		header.width, header.height = C.uint32_t(found.Width), C.uint32_t(found.Height)
		header.format = C.clip_pixel_format(found.Format)
		return nil
	})
}

//export clipcoreDecode
func clipcoreDecode(slot C.int, data unsafe.Pointer, size C.size_t, header *C.clip_codec_header, pixels unsafe.Pointer, stride C.size_t, failure *C.clip_plugin_error) C.clip_status {
	return step(failure, func() error {
		found := CodecHeader{Width: int(header.width), Height: int(header.height), Format: PixelFormat(header.format)}
		length := int(stride)*(found.Height-1) + found.Width*found.Format.Channels()
		return codecOf(slot).Decode(bytesOf(data, size), found, unsafe.Slice((*byte)(pixels), length), int(stride))
	})
}
