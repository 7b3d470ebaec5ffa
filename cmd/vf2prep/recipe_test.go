package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/recipes"
)

// train takes every word of every recipe: what is missing is only the shards.
func TestTrainReadsTheRecipes(t *testing.T) {
	dir := t.TempDir()
	for _, r := range recipes.All() {
		file := filepath.Join(dir, r.Name+".yaml")
		if err := os.WriteFile(file, []byte(r.Text), 0o644); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), []string{"vf2prep", "train", "--config", file,
			"--shards", filepath.Join(dir, "none"), "--out", filepath.Join(dir, "run")}, nil, &stdout, &stderr)
		if code != exitFailed || !strings.Contains(stderr.String(), "no such file") {
			t.Errorf("%s: exit code %d, %s; want %d and that there are no shards", r.Name, code, stderr.String(), exitFailed)
		}
	}
}
