package eval

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/internal/realdata"
)

// Embeddings of 2,925 real faces by another system, every pair of them, held against
// scikit-learn's roc_curve. Their README says "EER about 2.1 %": 2.198 % with the lengths that
// they come with, 2.380 % with length 1.
func TestRealEmbeddingsEqualScikitLearn(t *testing.T) {
	path := filepath.Join(realdata.Dir(t, "vf2real"), "baseline", "faceapi_descriptors_float32.npy")
	for raw, want := range map[bool]float64{false: 0.0237986, true: 0.0219788} {
		e, err := ReadEmbeddings(path, EmbeddingsOptions{Raw: raw})
		if err != nil {
			t.Fatal(err)
		}
		if eer := allPairsEER(t, e); math.Abs(eer-want) > 1e-6 {
			t.Errorf("raw=%v: EER = %v, want %v", raw, eer, want)
		}
	}
}

func allPairsEER(t *testing.T, e *Embeddings) float64 {
	t.Helper()
	e, _, starts := e.sorted()
	g := groups(starts)
	genuine, impostor := g.genuinePairs(1<<30, 1), g.impostorPairs(1<<30, 1)
	for _, p := range []*pairSet{genuine, impostor} {
		if err := p.measure(context.Background(), e, squaredDistance, progress.Or(nil)); err != nil {
			t.Fatal(err)
		}
	}
	roc, err := NewROC(genuine.distance, impostor.distance)
	if err != nil {
		t.Fatal(err)
	}
	eer, _ := roc.EER()
	t.Logf("%d genuine and %d impostor pairs: EER %.4f, AUC %.4f, TAR at FAR 1e-3 %.4f", roc.Genuine(), roc.Impostor(), eer, roc.AUC(), roc.TARAtFAR(1e-3).TAR)
	return eer
}
