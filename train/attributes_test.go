package train

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/shard"
)

var _ eval.AttributeModel = (*Predictor)(nil)

// What eval says of a run's ages and genders is what its validation said.
func TestAttributesEqualTheValidation(t *testing.T) {
	for _, heads := range []string{"identity,gender,age", "age-rank", "identity"} {
		o := peopled(t)
		o.Heads, o.Epochs = heads, 2
		r := mustRun(t, o)
		p, err := OpenRun(o.Out, 5)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		set, err := shard.Open(o.Shards)
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		got, err := eval.JudgeAttributes(context.Background(), eval.AttributeOptions{Model: p, Set: set, Classes: p.ClassNames()})
		if heads == "identity" {
			if !errors.Is(err, eval.ErrMismatch) {
				t.Errorf("a run without age and gender: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		// Sums in another order differ by roundings.
		if math.Abs(*got.AgeMAE-*r.ValAge) > 1e-9 || (got.GenderAccuracy == nil) != (r.ValGender == nil) {
			t.Errorf("%s: age MAE %v, want %v", heads, *got.AgeMAE, *r.ValAge)
		}
		if r.ValGender != nil && math.Abs(*got.GenderAccuracy-*r.ValGender) > 1e-12 {
			t.Errorf("%s: gender %v, want %v", heads, *got.GenderAccuracy, *r.ValGender)
		}
		if ranks := heads == "age-rank"; ranks != (got.RankConsistent != nil) {
			t.Errorf("%s: consistent ranks %v", heads, got.RankConsistent)
		}
	}
}
