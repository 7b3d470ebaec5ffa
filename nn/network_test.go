package nn

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func small(t *testing.T, change func(*Config)) *Network {
	t.Helper()
	cfg := Config{Arch: "seed-resnet", Channels: 3, Height: 30, Width: 27, Classes: 7, Batch: 4, Seed: 1}
	if change != nil {
		change(&cfg)
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNewRefuses(t *testing.T) {
	good := Config{Arch: "seed-resnet", Channels: 3, Height: 25, Width: 25, Classes: 2, Batch: 1}
	if _, err := New(good); err != nil {
		t.Errorf("New(%+v): %v, want no error", good, err)
	}
	good.Classes, good.Heads = 0, []Head{{Gender, 1}, {Age, 1}}
	if _, err := New(good); err != nil {
		t.Errorf("New(%+v): %v, want no error", good, err)
	}
	good.Classes, good.Heads = 2, nil
	for want, change := range map[string]func(*Config){
		`no network "resnet"; known are seed-resnet, seed-resnet-relu`: func(c *Config) { c.Arch = "resnet" },
		"7x7 pooling has 6x7 pixels":                                   func(c *Config) { c.Height = 24 },
		"7x7 pooling has 7x1 pixels":                                   func(c *Config) { c.Width = 1 },
		"classes is 0":                                                 func(c *Config) { c.Classes = 0 },
		"seed-resnet: classes is 0, want 1":                            func(c *Config) { c.Classes, c.Heads = 0, []Head{{Gender, 1}, {Triplet, 1}} },
		"height is -1":                                                 func(c *Config) { c.Height = -1 },
		"batch is 0":                                                   func(c *Config) { c.Batch = 0 },
		"too large":                                                    func(c *Config) { c.Height, c.Width, c.Batch = 1<<14, 1<<14, 1<<14 },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%+v): error %v, want one with %q", cfg, err, want)
		}
	}
}

func TestStepRefuses(t *testing.T) {
	n := small(t, nil)
	x, labels := noise(n.cfg)
	for want, call := range map[string]func() error{
		"found 9719 and 4":    func() error { _, err := n.Step(x[1:], labels); return err },
		"found 9720 and 3":    func() error { _, err := n.Step(x, labels[1:]); return err },
		"label 7, want -1":    func() error { _, err := n.Step(x, []int32{0, 7, 0, 0}); return err },
		"label -2, want -1":   func() error { _, err := n.Step(x, []int32{0, 0, 0, -2}); return err },
		"no sample":           func() error { _, err := n.Step(x, []int32{-1, -1, -1, -1}); return err },
		"inference of 5":      func() error { _, err := n.Infer(x, 5); return err },
		"inference of 0":      func() error { _, err := n.Infer(x, 0); return err },
		"inference of 4 samp": func() error { _, err := n.Infer(x[1:], 4); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// Padding a batch with label -1 must give what a batch of just the others gives.
func TestMaskedSamplesDoNotCount(t *testing.T) {
	four, two := small(t, nil), small(t, func(c *Config) { c.Batch = 2 })
	x, labels := noise(four.cfg)
	want, err := two.Step(x[:len(x)/2], labels[:2])
	if err != nil {
		t.Fatal(err)
	}
	got, err := four.Step(x, []int32{labels[0], labels[1], -1, -1})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got.Loss-want.Loss) > 1e-9 {
		t.Errorf("loss = %v, want %v", got.Loss, want.Loss)
	}
	for i, p := range two.Params() {
		for j, w := range p.Grad {
			if g := four.Params()[i].Grad[j]; math.Abs(float64(g-w)) > 1e-6 {
				t.Fatalf("gradient of %s, number %d = %v, want %v", p.Name, j, g, w)
			}
		}
	}
}

func TestInferIsStepsForward(t *testing.T) {
	n := small(t, nil)
	x, labels := noise(n.cfg)
	out, err := n.Step(x, labels)
	if err != nil {
		t.Fatal(err)
	}
	logits, embedding := slices.Clone(out.Logits), slices.Clone(out.Embedding)
	if len(embedding) != 4*n.EmbeddingWidth() || len(logits) != 4*7 {
		t.Fatalf("%d logits and %d features, want %d and %d", len(logits), len(embedding), 4*7, 4*n.EmbeddingWidth())
	}
	fresh := small(t, nil) // never trained
	size := len(x) / 4
	for i := range 4 {
		for _, m := range []*Network{n, fresh} {
			got, err := m.Infer(x[i*size:(i+1)*size], 1)
			if err != nil {
				t.Fatal(err)
			}
			if w := n.EmbeddingWidth(); !slices.Equal(got.Logits, logits[i*7:(i+1)*7]) || !slices.Equal(got.Embedding, embedding[i*w:(i+1)*w]) {
				t.Errorf("sample %d alone gives other numbers than in its batch", i)
			}
		}
	}
}

func TestResultsDoNotDependOnThreads(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	var want []float32
	for _, threads := range []int{1, 8, 3} {
		runtime.GOMAXPROCS(threads)
		n := small(t, func(c *Config) { c.Height, c.Width = 40, 53 })
		x, labels := noise(n.cfg)
		var got []float32
		for range 3 {
			out, err := n.Step(x, labels)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, float32(out.Loss))
			for _, p := range n.Params() {
				got = append(got, p.Grad...)
				sgd(p, nil)
			}
		}
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d threads and 1 thread differ", threads)
		}
	}
}

// What a step allocates must not grow with its data: Gorgonia's own operators took 871 MB.
func TestStepAllocatesLittle(t *testing.T) {
	n := small(t, func(c *Config) { c.Height, c.Width = 60, 64 })
	x, labels := noise(n.cfg)
	step := func() {
		if _, err := n.Step(x, labels); err != nil {
			t.Fatal(err)
		}
	}
	step()
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	const steps = 4
	for range steps {
		step()
	}
	runtime.ReadMemStats(&b)
	if per := (b.TotalAlloc - a.TotalAlloc) / steps; per > 100_000 { // the maps are some 10 MB
		t.Errorf("a step allocates %d bytes, want less than 100000", per)
	}
}

func TestWeightsComeFromTheSeed(t *testing.T) {
	a, b, c := small(t, nil), small(t, nil), small(t, func(c *Config) { c.Seed = 2 })
	for i, p := range a.Params() {
		if !slices.Equal(p.Data, b.Params()[i].Data) {
			t.Errorf("%s differs between two networks of one seed", p.Name)
		}
		if len(p.Shape) == 1 {
			if slices.ContainsFunc(p.Data, func(v float32) bool { return v != 0 }) {
				t.Errorf("%s is not zero", p.Name)
			}
			continue
		}
		if slices.Equal(p.Data, c.Params()[i].Data) {
			t.Errorf("%s is the same for two seeds", p.Name)
		}
		area := 1
		for _, s := range p.Shape[2:] {
			area *= s
		}
		limit := math.Sqrt(6 / float64((p.Shape[0]+p.Shape[1])*area))
		if top := float64(slices.Max(p.Data)); top > limit*1.0000001 || top < limit*0.9 {
			t.Errorf("largest of %s = %v, want just below %v", p.Name, top, limit)
		}
	}
}
