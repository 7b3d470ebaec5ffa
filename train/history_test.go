package train

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestHistoryHoldsEveryLine(t *testing.T) {
	o := usual(t)
	r := mustRun(t, o)
	h, err := ReadHistory(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Epochs) != r.Epochs || len(h.Lines) == 0 || h.Lines[len(h.Lines)-1].Step != r.Steps {
		t.Fatalf("%d epochs and %d lines of %+v", len(h.Epochs), len(h.Lines), r)
	}
	least := *h.Epochs[0].ValLoss
	for _, e := range h.Epochs {
		least = min(least, *e.ValLoss)
	}
	if least != *r.ValLoss {
		t.Errorf("smallest validation loss %v, want %v", least, *r.ValLoss)
	}

	// A run at work may have written half a line.
	path := filepath.Join(o.Out, MetricsName)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for tail, want := range map[string]error{`{"kind":"tr`: nil, "{\"kind\":\n{\"kind\":\"train\"}\n": ErrRecord} {
		if err := os.WriteFile(path, append(text[:len(text):len(text)], tail...), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadHistory(o.Out); !errors.Is(err, want) || want == nil && len(got.Lines) != len(h.Lines) {
			t.Errorf("with %q: %v", tail, err)
		}
	}
	if h, err := ReadHistory(t.TempDir()); err != nil || len(h.Lines) != 0 {
		t.Errorf("a run without metrics: %v, %v", h, err)
	}
}
