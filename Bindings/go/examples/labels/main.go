// Which of some labels fits an image, without training for them: labels MODEL IMAGE LABEL...
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"sort"

	"clipcore"
)

func main() {
	if len(os.Args) < 5 {
		log.Fatal("usage: labels MODEL IMAGE LABEL LABEL...")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, folder, path string, labels []string) error {
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
	prompts := make([]string, len(labels))
	for i, label := range labels {
		prompts[i] = "a photo of a " + label
	}
	image, err := model.EncodeImages(ctx, []*clipcore.Image{photo}, nil)
	if err != nil {
		return err
	}
	texts, err := model.EncodeTexts(ctx, prompts, nil)
	if err != nil {
		return err
	}
	chances, err := model.Classify(image, texts)
	if err != nil {
		return err
	}
	order := make([]int, len(labels))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool { return chances[order[a]] > chances[order[b]] })
	for _, i := range order {
		fmt.Printf("%5.1f %%  %s\n", 100*chances[i], labels[i])
	}
	return nil
}
