// Embeds an image and captions, and prints the cosine of each caption: embed MODEL IMAGE CAPTION...
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"clipcore"
)

func main() {
	if len(os.Args) < 4 {
		log.Fatal("usage: embed MODEL IMAGE CAPTION...")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, folder, path string, captions []string) error {
	rt, err := clipcore.NewRuntime(nil)
	if err != nil {
		return err
	}
	defer rt.Close()
	model, err := rt.OpenModel(ctx, folder, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	photo, err := rt.LoadImage(path, nil)
	if err != nil {
		return err
	}
	defer photo.Close()
	image, err := model.EncodeImages(ctx, []*clipcore.Image{photo}, nil)
	if err != nil {
		return err
	}
	texts, err := model.EncodeTexts(ctx, captions, nil)
	if err != nil {
		return err
	}
	for i, caption := range captions {
		cosine := float32(0)
		for j, element := range texts[i*len(image) : (i+1)*len(image)] {
			cosine += image[j] * element
		}
		fmt.Printf("%.3f  %s\n", cosine, caption)
	}
	return nil
}
