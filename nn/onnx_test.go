package nn

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/internal/safetensors"
)

// onnxPython is the Python that has onnx, onnxruntime, OpenCV and safetensors: VF2PREP_ONNX_PYTHON,
// else python3.
func onnxPython(t *testing.T) string {
	const find = "import importlib.util as u, sys; sys.exit(not all(u.find_spec(n) for n in ('onnx', 'onnxruntime', 'cv2', 'safetensors')))"
	for _, python := range []string{os.Getenv("VF2PREP_ONNX_PYTHON"), "python3"} {
		if python != "" && exec.Command(python, "-c", find).Run() == nil {
			return python
		}
	}
	t.Skip("no Python with onnx, onnxruntime, cv2 and safetensors; VF2PREP_ONNX_PYTHON names one")
	return ""
}

// ONNX's checker passes every network, and ONNX Runtime and OpenCV compute the same.
func TestOtherRuntimesAgree(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Python")
	}
	python := onnxPython(t)
	args := []string{"testdata/check_onnx.py"}
	dir := t.TempDir()
	for _, a := range Archs() {
		heads, err := ParseHeads("identity,gender,age")
		if err != nil {
			t.Fatal(err)
		}
		n := small(t, func(c *Config) { c.Arch, c.Height, c.Width, c.Heads, c.Embedding = a.Name, 41, 36, heads, 24 })
		x, labels := noise(n.cfg)
		if _, err := n.Step(x, labels); err != nil { // running statistics move
			t.Fatal(err)
		}
		out, err := n.Infer(x, n.cfg.Batch)
		if err != nil {
			t.Fatal(err)
		}
		arrays := []safetensors.Floats{
			{Name: "x", Shape: []int{4, 3, 41, 36}, Data: x}, {Name: "embedding", Shape: []int{4, 24}, Data: out.Embedding},
		}
		for _, h := range out.Heads {
			arrays = append(arrays, safetensors.Floats{Name: string(h.Kind), Shape: []int{4, len(h.Logits) / 4}, Data: h.Logits})
		}
		var model, again, example bytes.Buffer
		for _, w := range []*bytes.Buffer{&model, &again} {
			if err := n.WriteONNX(w, map[string]string{"b": "2", "a": "1"}); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(model.Bytes(), again.Bytes()) {
			t.Errorf("%s: two exports differ", a.Name)
		}
		if err := safetensors.WriteFloats(&example, arrays, nil); err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string]*bytes.Buffer{".onnx": &model, ".safetensors": &example} {
			if err := os.WriteFile(filepath.Join(dir, a.Name+name), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		args = append(args, filepath.Join(dir, a.Name+".onnx"), filepath.Join(dir, a.Name+".safetensors"))
	}
	cmd := exec.Command(python, args...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	t.Logf("%s", strings.TrimSpace(string(text)))
}
