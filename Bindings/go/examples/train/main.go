// Trains a model for a hundred steps on images whose names are their captions: train MODEL FOLDER OUT
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"clipcore"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: train MODEL FOLDER OUT")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, folder, images, out string) error {
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
	var photos []*clipcore.Image
	var captions []string
	for _, ending := range rt.ImageEndings() {
		paths, err := filepath.Glob(filepath.Join(images, "*."+ending))
		if err != nil {
			return err
		}
		for _, path := range paths {
			photo, err := rt.LoadImage(path, nil)
			if err != nil {
				return err
			}
			defer photo.Close()
			photos, captions = append(photos, photo), append(captions, strings.TrimSuffix(filepath.Base(path), "."+ending))
		}
	}
	pixels, err := model.Preprocess(ctx, photos, nil)
	if err != nil {
		return err
	}
	tokens, _, err := model.Tokenize(captions, nil)
	if err != nil {
		return err
	}
	trainer, err := model.NewTrainer(&clipcore.TrainerOptions{LearningRate: 1e-4})
	if err != nil {
		return err
	}
	defer trainer.Close()
	batch := &clipcore.Batch{Pixels: pixels, Tokens: tokens}
	first, err := trainer.Evaluate(ctx, batch)
	if err != nil {
		return err
	}
	for i := 0; i < 100; i++ {
		if _, err := trainer.Step(ctx, batch); err != nil {
			return err
		}
	}
	last, err := trainer.Evaluate(ctx, batch)
	if err != nil {
		return err
	}
	fmt.Printf("step %d: loss %.3f -> %.3f\n", last.Step, first.Loss, last.Loss)
	return trainer.Export(ctx, out, nil)
}
