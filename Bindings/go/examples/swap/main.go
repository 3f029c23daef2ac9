// Replaces the encoders of a model while goroutines use it: swap MODEL IMAGE
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"reflect"

	"clipcore"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: swap MODEL IMAGE")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, folder, path string) error {
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
	images := []*clipcore.Image{photo}
	before, err := model.EncodeImages(ctx, images, nil)
	if err != nil {
		return err
	}

	const workers = 2
	done, counts, failures := make(chan struct{}), make(chan int, workers), make(chan error, workers)
	for i := 0; i < workers; i++ {
		go func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					counts <- n
					return
				default:
				}
				after, err := model.EncodeImages(ctx, images, nil)
				if err == nil && !reflect.DeepEqual(before, after) {
					err = errors.New("an embedding changed")
				}
				if err != nil {
					failures <- err
					return
				}
			}
		}()
	}
	for i := 0; i < 10; i++ {
		if err := model.Swap(ctx, 0, "", nil); err != nil {
			return err
		}
	}
	close(done)
	embeddings := 0
	for i := 0; i < workers; i++ {
		select {
		case n := <-counts:
			embeddings += n
		case err := <-failures:
			return err
		}
	}
	fmt.Printf("10 swaps, %d embeddings, all the same\n", embeddings)
	return nil
}
