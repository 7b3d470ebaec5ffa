package nn

import (
	"bytes"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/internal/safetensors"
)

func save(t *testing.T, n *Network, meta map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	if err := n.Save(&b, meta); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSaveAndLoad(t *testing.T) {
	a, b := small(t, nil), small(t, func(c *Config) { c.Seed, c.Batch = 2, 1 })
	meta, err := b.Load(save(t, a, map[string]string{"epoch": "3"}))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"epoch": "3", "arch": "seed-resnet", "input": "3x30x27", "classes": "7", "format": "pt"} {
		if meta[key] != want {
			t.Errorf("metadata %s = %q, want %q", key, meta[key], want)
		}
	}
	for i, p := range a.Params() {
		if !slices.Equal(p.Data, b.Params()[i].Data) {
			t.Errorf("%s differs after loading", p.Name)
		}
	}
	var first, second bytes.Buffer
	a.Save(&first, meta)
	b.Save(&second, meta)
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same weights give other bytes when saved again")
	}
}

// Loaded weights must reach graphs that exist already.
func TestLoadReachesTheGraph(t *testing.T) {
	a, b := small(t, nil), small(t, func(c *Config) { c.Seed = 2 })
	x, _ := noise(a.cfg)
	want, _ := a.Infer(x, 4)
	b.Infer(x, 4)
	if _, err := b.Load(save(t, a, nil)); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.Infer(x, 4); !slices.Equal(got.Logits, want.Logits) {
		t.Error("inference after Load still uses the old weights")
	}
}

func TestLoadNamesEveryMisfit(t *testing.T) {
	n := small(t, nil)
	var arrays []safetensors.Floats
	for _, p := range n.Params() {
		arrays = append(arrays, safetensors.Floats{Name: p.Name, Shape: slices.Clone(p.Shape), Data: slices.Clone(p.Data)})
	}
	arrays[0].Name = "stem.weight"
	arrays[1].Data[3] = float32(math.NaN())
	arrays[2].Data[5] = float32(math.Inf(-1))
	arrays[3].Shape = []int{4, 4}
	var b bytes.Buffer
	if err := safetensors.WriteFloats(&b, arrays, map[string]string{"arch": "seed-resnet-relu", "classes": "7"}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	before := small(t, nil).Params()
	_, err := n.Load(path)
	if !errors.Is(err, ErrMismatch) {
		t.Fatalf("error %v, want ErrMismatch", err)
	}
	for _, want := range []string{
		"arch is seed-resnet-relu, want seed-resnet", "conv1.weight is missing", "stem.weight is unknown to seed-resnet",
		"conv1.bias: value 3 is NaN", "layer1.0.conv1.weight: value 5 is -Inf", "layer1.0.conv1.bias has shape [4 4], want [16]",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	for i, p := range n.Params() {
		if !slices.Equal(p.Data, before[i].Data) {
			t.Errorf("%s has changed although loading failed", p.Name)
		}
	}
	if _, err := n.Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that the file does not exist", err)
	}
}

// A backbone keeps its weights under a new head; anything else that does not fit is named.
func TestInit(t *testing.T) {
	from := small(t, func(c *Config) { c.Arch, c.Height, c.Width = "resnet18", 33, 33 })
	path := save(t, from, nil)
	same := small(t, func(c *Config) { c.Arch, c.Height, c.Width, c.Seed = "resnet18", 48, 40, 9 })
	fresh, err := same.Init(path)
	if err != nil || len(fresh) != 0 {
		t.Fatalf("Init: fresh %v, error %v, want neither", fresh, err)
	}
	if !slices.Equal(same.saved[0].Data, from.saved[0].Data) {
		t.Error("conv1.weight is not the file's")
	}
	other := small(t, func(c *Config) { c.Arch, c.Height, c.Width, c.Classes, c.Seed = "resnet18", 33, 33, 5, 9 })
	fresh, err = other.Init(path)
	if want := []string{"fc.weight", "fc.bias"}; err != nil || !slices.Equal(fresh, want) {
		t.Fatalf("Init: fresh %v, error %v, want %v", fresh, err, want)
	}
	wrong := small(t, nil)
	if _, err := wrong.Init(path); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), "bn1.running_var is unknown") ||
		!strings.Contains(err.Error(), "conv1.bias is missing") {
		t.Errorf("Init of another network: error %v, want one that wraps ErrMismatch and names what is missing and unknown", err)
	}
}

// pythonWithTorch finds a Python that has torch and numpy, without importing them.
func pythonWithTorch(t *testing.T) string {
	const find = "import importlib.util as u, sys; sys.exit(not (u.find_spec('torch') and u.find_spec('numpy')))"
	for _, python := range []string{"python3", "/usr/bin/python3"} { // the second is Debian's, behind a virtual environment
		if exec.Command(python, "-c", find).Run() == nil {
			return python
		}
	}
	t.Skip("no Python with torch and numpy")
	return ""
}

// PyTorch takes the weights as they are and computes the same logits.
func TestPyTorchLoadsTheWeights(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PyTorch")
	}
	python := pythonWithTorch(t)
	args := []string{"testdata/load_in_pytorch.py"}
	for _, a := range Archs() {
		n := small(t, func(c *Config) { c.Arch, c.Height, c.Width = a.Name, 41, 36 })
		x, labels := noise(n.cfg)
		if _, err := n.Step(x, labels); err != nil { // running statistics move
			t.Fatal(err)
		}
		out, err := n.Infer(x, n.cfg.Batch)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := safetensors.WriteFloats(&b, []safetensors.Floats{
			{Name: "x", Shape: []int{4, 3, 41, 36}, Data: x}, {Name: "logits", Shape: []int{4, 7}, Data: out.Logits},
		}, nil); err != nil {
			t.Fatal(err)
		}
		example := filepath.Join(t.TempDir(), "example.safetensors")
		if err := os.WriteFile(example, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, save(t, n, nil), example)
	}
	cmd := exec.Command(python, args...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	t.Logf("%s", text)
}

// A state dict that PyTorch saved is taken as it is and computes the same.
func TestTakesPyTorchsWeights(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PyTorch")
	}
	python := pythonWithTorch(t)
	dir := t.TempDir()
	args := []string{"testdata/save_from_pytorch.py", dir, "41", "36", "7"}
	for _, a := range Archs() {
		args = append(args, a.Name)
	}
	cmd := exec.Command(python, args...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, a := range Archs() {
		n := small(t, func(c *Config) { c.Arch, c.Height, c.Width, c.Seed = a.Name, 41, 36, 9 })
		path := filepath.Join(dir, a.Name+".safetensors")
		if fresh, err := n.Init(path); err != nil || len(fresh) > 0 {
			t.Fatalf("%s: Init: fresh %v, error %v, want neither", a.Name, fresh, err)
		}
		example, _, err := safetensors.ReadFloats(filepath.Join(dir, a.Name+".example.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		arrays := map[string][]float32{}
		for _, e := range example {
			arrays[e.Name] = e.Data
		}
		out, err := n.Infer(arrays["x"], 4)
		if err != nil {
			t.Fatal(err)
		}
		most, worst := 1.0, 0.0
		for i, want := range arrays["logits"] {
			most = max(most, math.Abs(float64(want)))
			worst = max(worst, math.Abs(float64(out.Logits[i]-want)))
		}
		if worst /= most; worst > 1e-5 {
			t.Errorf("%s: logits differ by %.1e of the largest, want at most 1e-5", a.Name, worst)
		}
	}
}
