// Indexes the images of a folder and searches them by text: search MODEL FOLDER INDEX QUERY
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
	if len(os.Args) != 5 {
		log.Fatal("usage: search MODEL FOLDER INDEX QUERY")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, folder, images, path, query string) error {
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
	fingerprint, err := clipcore.Fingerprint(folder)
	if err != nil {
		return err
	}
	index, err := rt.OpenIndex(path, &clipcore.IndexOptions{Create: true, Fingerprint: fingerprint, EmbeddingWidth: model.EmbeddingWidth()})
	if err != nil {
		return err
	}
	defer index.Close()
	files, err := os.ReadDir(images)
	if err != nil {
		return err
	}
	endings := "," + strings.Join(rt.ImageEndings(), ",") + ","
	for _, file := range files {
		path := filepath.Join(images, file.Name())
		ending := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
		if ending == "" || !strings.Contains(endings, ","+ending+",") {
			continue
		}
		photo, err := rt.LoadImage(path, nil)
		if err != nil {
			return err
		}
		embedding, err := model.EncodeImages(ctx, []*clipcore.Image{photo}, nil)
		photo.Close()
		if err != nil {
			return err
		}
		if err := index.Put([][]byte{[]byte(path)}, embedding, nil); err != nil {
			return err
		}
	}
	text, err := model.EncodeTexts(ctx, []string{query}, nil)
	if err != nil {
		return err
	}
	found, err := index.Search(ctx, text, &clipcore.SearchOptions{Count: 3})
	if err != nil {
		return err
	}
	for _, entry := range found {
		fmt.Printf("%.3f  %s\n", entry.Score, entry.Key)
	}
	return nil
}
