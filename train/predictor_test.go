package train

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/loader"
	"github.com/vf2prep/vf2prep/shard"
)

var _ eval.Model = (*Predictor)(nil)

// What a run reports of its kept weights is what these weights do.
func TestPredictorDoesWhatTheRunReports(t *testing.T) {
	o := usual(t)
	r := mustRun(t, o)
	p, err := OpenRun(o.Out, 2) // another batch than that of the training
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	set, err := shard.Open(o.Shards)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	l, err := loader.New(set, "val", loader.Options{Batch: p.Batch()})
	if err != nil {
		t.Fatal(err)
	}
	v, _, err := validate(context.Background(), p.net, l, p.Classes(), progress.Or(nil))
	if err != nil {
		t.Fatal(err)
	}
	if v.Loss != *r.ValLoss || v.Top1 != *r.ValTop1 || v.Top5 != *r.ValTop5 {
		t.Errorf("loss %v, top-1 %v, top-5 %v; the run says %v, %v, %v", v.Loss, v.Top1, v.Top5, *r.ValLoss, *r.ValTop1, *r.ValTop5)
	}
	if !slices.Equal(p.ClassNames(), []string{"n000002", "n000003", "n000004"}) || p.Recipe() != "test-28" {
		t.Errorf("classes %v, recipe %q", p.ClassNames(), p.Recipe())
	}
	if c, h, w := p.Shape(); c != 3 || h != side || w != side || p.Width() < 1 {
		t.Errorf("shape %d, %d, %d, width %d", c, h, w, p.Width())
	}
	if want, err := digest.File(filepath.Join(o.Out, BestName)); err != nil || p.Digest() != want {
		t.Errorf("digest %s, want %s, %v", p.Digest(), want, err)
	}
}

func TestCrossEntropyAndRank(t *testing.T) {
	logits := []float32{1, 3, 3, -2, 1000}
	// With a logit so far above the rest the loss is the distance to it.
	for label, want := range []float64{999, 997, 997, 1002, 0} {
		if got := crossEntropy(logits, label); math.Abs(got-want) > 1e-9 {
			t.Errorf("crossEntropy(%v, %d) = %v, want %v", logits, label, got, want)
		}
	}
	if got, want := crossEntropy([]float32{0, 0, 0, 0}, 2), math.Log(4); math.Abs(got-want) > 1e-15 {
		t.Errorf("crossEntropy of four equals = %v, want %v", got, want)
	}
	nan := float32(math.NaN())
	for _, v := range [][]float32{{nan, 1}, {1, nan}, {float32(math.Inf(1)), 1}} {
		if got := crossEntropy(v, 1); finite(got) {
			t.Errorf("crossEntropy(%v, 1) = %v, want nothing finite", v, got)
		}
	}
	for label, want := range []int{3, 1, 2, 4, 0} {
		if got := rank(logits, label); got != want {
			t.Errorf("rank(%v, %d) = %d, want %d", logits, label, got, want)
		}
	}
	if got := rank([]float32{nan, 5}, 1); got != 1 {
		t.Errorf("rank beside NaN = %d, want 1", got)
	}
}
