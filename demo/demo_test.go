package demo

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The smallest demonstration that still goes the whole way.
func TestRun(t *testing.T) {
	var log bytes.Buffer
	o := Options{
		Out: filepath.Join(t.TempDir(), "demo"), Identities: 12, Images: 12, Val: 4,
		Size: "32x32", Batch: 8, Epochs: 1, Seed: 1, Log: &log,
	}
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Images != 144 || r.Samples != 144 || r.Chance != 0.1 {
		t.Errorf("result %+v, want 144 images, 144 samples, 10 classes", r)
	}
	page, err := os.ReadFile(r.Report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Preparation", "Training", "Identification", "Verification"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if n := strings.Count(log.String(), "$ vf2prep "); n != 7 {
		t.Errorf("%d commands are shown, want 7:\n%s", n, &log)
	}
	again, err := Run(context.Background(), o)
	if err != nil || again.Top1 != r.Top1 || again.EER != r.EER {
		t.Errorf("again: %+v, %v, want the same numbers", again, err)
	}
}
