// A plugin in Go: PPM images of 8 bits, registered by the program that uses them: plugin FILE.ppm
package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"

	"clipcore"
)

// parse reads "P6 width height 255" and one byte of space: the header and where the RGB pixels begin.
func parse(data []byte) (header clipcore.CodecHeader, start int, err error) {
	var largest int
	header.Format = clipcore.RGB
	reader := bytes.NewReader(data)
	if _, err := fmt.Fscanf(reader, "P6\n%d %d\n%d", &header.Width, &header.Height, &largest); err != nil {
		return header, 0, fmt.Errorf("PPM: %w", err)
	}
	if header.Width < 1 || header.Height < 1 || header.Width > 1<<20 || header.Height > 1<<20 || largest != 255 {
		return header, 0, fmt.Errorf("PPM: expected a size and 255, found %d x %d and %d", header.Width, header.Height, largest)
	}
	return header, len(data) - reader.Len() + 1, nil
}

var ppm = clipcore.Codec{
	ID:          "example.codec.ppm-go",
	Description: "PPM images of 8 bits",
	Extensions:  "ppm",
	Recognises:  func(data []byte) bool { return bytes.HasPrefix(data, []byte("P6\n")) },
	ReadHeader: func(data []byte) (clipcore.CodecHeader, error) {
		header, _, err := parse(data)
		return header, err
	},
	Decode: func(data []byte, header clipcore.CodecHeader, pixels []byte, stride int) error {
		found, start, err := parse(data)
		row := 3 * header.Width
		if err != nil {
			return err
		}
		if found != header || len(data)-start < row*header.Height {
			return errors.New("PPM: the file is truncated")
		}
		for y := 0; y < header.Height; y++ {
			copy(pixels[y*stride:], data[start+y*row:start+(y+1)*row])
		}
		return nil
	},
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: plugin FILE.ppm")
	}
	rt, err := clipcore.NewRuntime(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	if err := rt.RegisterCodec(&ppm); err != nil {
		log.Fatal(err)
	}
	image, err := rt.LoadImage(os.Args[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	defer image.Close()
	width, height := image.Size()
	fmt.Printf("%d x %d pixels\n", width, height)
}
