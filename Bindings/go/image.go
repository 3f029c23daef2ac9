package clipcore

/*
#include <stdlib.h>
#include <clipcore/clip_extend.h>
*/
import "C"

import (
	"image"
	"image/draw"
	"unsafe"
)

type PixelFormat uint32

const (
	RGB  PixelFormat = C.CLIP_PIXELS_RGB
	RGBA PixelFormat = C.CLIP_PIXELS_RGBA // alpha not premultiplied
	BGR  PixelFormat = C.CLIP_PIXELS_BGR
	BGRA PixelFormat = C.CLIP_PIXELS_BGRA
	Gray PixelFormat = C.CLIP_PIXELS_GRAY
)

// Channels is the bytes of one pixel; 0 of an unknown format.
func (f PixelFormat) Channels() int {
	switch f {
	case RGB, BGR:
		return 3
	case RGBA, BGRA:
		return 4
	case Gray:
		return 1
	}
	return 0
}

type ImageOptions struct {
	AsStored    bool // orientation is not applied
	Lenient     bool // keep what can be decoded of a damaged file
	SmallerSide int  // pixels needed of the smaller side: a larger image may be decoded smaller. 0: full size
}

func (o *ImageOptions) raw() *C.clip_image_options {
	if o == nil {
		return nil
	}
	raw := &C.clip_image_options{smaller_side: C.uint32_t(o.SmallerSide)}
	raw.struct_size = C.uint32_t(unsafe.Sizeof(*raw))
	if o.AsStored {
		raw.flags |= C.CLIP_IMAGE_AS_STORED
	}
	if o.Lenient {
		raw.flags |= C.CLIP_IMAGE_LENIENT
	}
	return raw
}

// Image is 8-bit pixels in memory of the library.
type Image struct {
	*handle
	view C.clip_image_view
}

// Close gives up the image.
func (i *Image) Close() { i.close() }

// LoadImage decodes an image file: JPEG, PNG, WebP, or any format that a codec plugin recognises.
func (r *Runtime) LoadImage(path string, options *ImageOptions) (*Image, error) {
	raw := options.raw()
	var made *C.clip_image
	err := r.withText(path, func(text *C.char) C.clip_status { return C.clip_image_load(r.raw, text, raw, &made) })
	if err != nil {
		return nil, err
	}
	return r.image(made)
}

// DecodeImage decodes an image file that is in memory.
func (r *Runtime) DecodeImage(data []byte, options *ImageOptions) (*Image, error) {
	if err := r.use(); err != nil {
		return nil, err
	}
	defer r.done()
	raw := options.raw()
	var made *C.clip_image
	var start unsafe.Pointer
	if len(data) > 0 {
		start = unsafe.Pointer(&data[0])
	}
	if err := check(func() C.clip_status { return C.clip_image_decode(r.raw, start, C.size_t(len(data)), raw, &made) }); err != nil {
		return nil, err
	}
	return r.image(made)
}

// NewImage copies pixels, rows stride bytes apart; 0: no gap between rows.
func (r *Runtime) NewImage(pixels []byte, width, height, stride int, format PixelFormat) (*Image, error) {
	if err := r.use(); err != nil {
		return nil, err
	}
	defer r.done()
	channels := format.Channels()
	if channels == 0 || width < 1 || height < 1 || width > 1<<30 || height > 1<<30 {
		return nil, invalid("expected a size and a pixel format, found %d x %d and %d", width, height, format)
	}
	row := width * channels
	if stride == 0 {
		stride = row
	}
	if stride < row || len(pixels) < row || (len(pixels)-row)/stride < height-1 {
		return nil, invalid("%d x %d pixels of %d bytes with stride %d do not fit %d bytes", width, height, channels, stride, len(pixels))
	}
	var made *C.clip_image
	var start *C.uint8_t
	err := check(func() C.clip_status {
		return C.clip_image_create(r.raw, C.clip_pixel_format(format), C.uint32_t(width), C.uint32_t(height), &made, &start)
	})
	if err != nil {
		return nil, err
	}
	to := unsafe.Slice((*byte)(unsafe.Pointer(start)), row*height)
	for y := 0; y < height; y++ {
		copy(to[y*row:(y+1)*row], pixels[y*stride:])
	}
	return r.image(made)
}

// ImageOf copies an image of Go's standard library.
func (r *Runtime) ImageOf(source image.Image) (*Image, error) {
	size := source.Bounds()
	straight, is := source.(*image.NRGBA)
	if !is {
		straight = image.NewNRGBA(image.Rect(0, 0, size.Dx(), size.Dy()))
		draw.Draw(straight, straight.Bounds(), source, size.Min, draw.Src)
	}
	return r.NewImage(straight.Pix, size.Dx(), size.Dy(), straight.Stride, RGBA)
}

func (r *Runtime) image(made *C.clip_image) (*Image, error) {
	i := &Image{}
	if err := check(func() C.clip_status { return C.clip_image_get_view(made, &i.view) }); err != nil {
		C.clip_image_release(made)
		return nil, err
	}
	if err := r.use(); err != nil {
		C.clip_image_release(made)
		return nil, err
	}
	i.handle = newHandle(r.handle, func() { C.clip_image_release(made) })
	return i, nil
}

// Size in pixels, as stored.
func (i *Image) Size() (width, height int) { return int(i.view.width), int(i.view.height) }

func (i *Image) Format() PixelFormat { return PixelFormat(i.view.format) }

// Orientation is EXIF's, 1 to 8.
func (i *Image) Orientation() int {
	if i.view.orientation == 0 {
		return 1
	}
	return int(i.view.orientation)
}

// Pixels is a copy of the pixels, in rows without gaps.
func (i *Image) Pixels() ([]byte, error) {
	if err := i.use(); err != nil {
		return nil, err
	}
	defer i.done()
	row, height := int(i.view.width)*i.Format().Channels(), int(i.view.height)
	stride := int(i.view.stride)
	if stride == 0 {
		stride = row
	}
	from := unsafe.Slice((*byte)(unsafe.Pointer(i.view.pixels)), (height-1)*stride+row)
	pixels := make([]byte, row*height)
	for y := 0; y < height; y++ {
		copy(pixels[y*row:(y+1)*row], from[y*stride:])
	}
	return pixels, nil
}

// viewsOf are the views of images, which are in use until done is called.
func viewsOf(images []*Image) (views []C.clip_image_view, done func(), err error) {
	views = make([]C.clip_image_view, 0, len(images)+1)
	done = func() {
		for _, image := range images[:len(views)] {
			image.done()
		}
	}
	for _, image := range images {
		if image == nil {
			err = invalid("image %d is nil", len(views))
		} else {
			err = image.use()
		}
		if err != nil {
			done()
			return nil, nil, err
		}
		views = append(views, image.view)
	}
	return views, done, nil
}
