package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A run goes on in the order that it began with, whichever that is.
func TestInterruptedRunsKeepTheirSampler(t *testing.T) {
	first := usual(t)
	first.Epochs = 2
	results := map[string]string{}
	for _, sampler := range []string{"shuffled", "chunks", "sequential", "identity"} {
		o := first.in(t)
		if o.Sampler = sampler; sampler == "identity" {
			o.Batch, o.Identities, o.Images = 0, 2, 2
		}
		mustRun(t, o)
		want := outcome(t, o.Out)
		p := o.in(t)
		ctx, cancel := context.WithCancel(context.Background())
		p.Progress = &after{left: 5, call: cancel}
		if _, err := Run(ctx, p); !errors.Is(err, context.Canceled) {
			t.Fatalf("%s: error %v, want Canceled", sampler, err)
		}
		cancel()
		p.Progress = nil
		mustRun(t, p)
		equal(t, sampler, outcome(t, p.Out), want)
		for other, weights := range results {
			if weights == want[BestName] {
				t.Errorf("%s and %s give the same weights", sampler, other)
			}
		}
		results[sampler] = want[BestName]

		p.Sampler, p.Batch, p.Identities, p.Images = "sequential", 4, 0, 0
		if _, err := Run(context.Background(), p); sampler != p.Sampler && !errors.Is(err, ErrOtherRun) {
			t.Errorf("%s goes on as %s: error %v, want ErrOtherRun", sampler, p.Sampler, err)
		}
	}
}

// Records without a sampler are of runs from when all were shuffled.
func TestRecordWithoutASamplerIsShuffled(t *testing.T) {
	o := usual(t)
	o.Epochs = 1
	mustRun(t, o)
	path := filepath.Join(o.Out, RecordName)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Replace(string(text), "\"sampler\": \"shuffled\"", "\"x\": 0", 1)
	if old == string(text) {
		t.Fatalf("%s names no sampler:\n%s", RecordName, text)
	}
	if err := os.WriteFile(path, []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := mustRun(t, o); !r.AlreadyFinished {
		t.Error("the run was not found finished")
	}
}

func TestSamplersAreChecked(t *testing.T) {
	o := usual(t)
	for name, change := range map[string]func(*Options){
		"unknown":             func(o *Options) { o.Sampler = "random" },
		"no images":           func(o *Options) { o.Sampler, o.Batch, o.Identities = "identity", 0, 2 },
		"too many identities": func(o *Options) { o.Sampler, o.Batch, o.Identities, o.Images = "identity", 0, 4, 1 },
		"another batch":       func(o *Options) { o.Sampler, o.Identities, o.Images = "identity", 3, 2 },
		"of another sampler":  func(o *Options) { o.Identities, o.Images = 2, 2 },
	} {
		p := o.in(t)
		change(&p)
		if _, err := Run(context.Background(), p); !errors.Is(err, ErrOption) {
			t.Errorf("%s: error %v, want ErrOption", name, err)
		}
	}
}
