package eval

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/internal/progress"
)

// Embeddings of 2,925 real faces by another system, every pair of them. scikit-learn's roc_curve
// gives an EER of 2.380 % with length 1, as here, and 2.198 % with the lengths that they come
// with (their README says about 2.1 %).
func TestRealEmbeddingsEqualScikitLearn(t *testing.T) {
	dir := filepath.Join(dataDir(t, "vf2real"), "baseline")
	raw, err := os.ReadFile(filepath.Join(dir, "faceapi_descriptors_float32.npy"))
	if err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(filepath.Join(dir, "faceapi_descriptors_index.txt"))
	if err != nil {
		t.Fatal(err)
	}
	keys := strings.Fields(string(index))
	const width = 128
	data := raw[10+int(binary.LittleEndian.Uint16(raw[8:])):] // after .npy's head, version 1
	if len(data) != 4*width*len(keys) {
		t.Fatalf("%d bytes for %d keys, want %d each", len(data), len(keys), 4*width)
	}
	e := &Embeddings{Width: width}
	v := make([]float32, width)
	for i, key := range keys {
		for j := range v {
			v[j] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*(i*width+j):]))
		}
		if ok, err := e.add(key, v); !ok || err != nil {
			t.Fatalf("%s: %v, %v", key, ok, err)
		}
	}
	e, _, starts := e.sorted()
	g := groups(starts)
	genuine, impostor := g.genuinePairs(1<<30, 1), g.impostorPairs(1<<30, 1)
	for _, p := range []*pairSet{genuine, impostor} {
		if err := p.measure(context.Background(), e, progress.Or(nil)); err != nil {
			t.Fatal(err)
		}
	}
	roc, err := NewROC(genuine.distance, impostor.distance)
	if err != nil {
		t.Fatal(err)
	}
	eer, _ := roc.EER()
	t.Logf("%d genuine and %d impostor pairs: EER %.4f, AUC %.4f, TAR at FAR 1e-3 %.4f", roc.Genuine(), roc.Impostor(), eer, roc.AUC(), roc.TARAtFAR(1e-3).TAR)
	if math.Abs(eer-0.0237986) > 1e-6 {
		t.Errorf("EER = %v, want 0.0237986", eer)
	}
}
