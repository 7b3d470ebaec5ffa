package eval

import (
	"context"
	"fmt"
	"math"
)

// Comparison is how well templates are verified, 1:1. It is written as result.json, one flat
// object; over several splits a number is the mean and _std the deviation (divided by n). A
// number that can't be had is null.
type Comparison struct {
	TemplateInput

	AUC    *float64 `json:"auc"`
	AUCStd *float64 `json:"auc_std"`
	EER    *float64 `json:"eer"`
	EERStd *float64 `json:"eer_std"`

	TAR1    *float64 `json:"tar_at_far_1e-1"`
	TAR1Std *float64 `json:"tar_at_far_1e-1_std"`
	TAR2    *float64 `json:"tar_at_far_1e-2"`
	TAR2Std *float64 `json:"tar_at_far_1e-2_std"`
	TAR3    *float64 `json:"tar_at_far_1e-3"`
	TAR3Std *float64 `json:"tar_at_far_1e-3_std"`
	TAR4    *float64 `json:"tar_at_far_1e-4"`
	TAR4Std *float64 `json:"tar_at_far_1e-4_std"`
	TAR5    *float64 `json:"tar_at_far_1e-5"`
	TAR5Std *float64 `json:"tar_at_far_1e-5_std"`
	TAR6    *float64 `json:"tar_at_far_1e-6"`
	TAR6Std *float64 `json:"tar_at_far_1e-6_std"`
	// The FARs above that the impostor pairs of some split can't resolve.
	NotReachable []string `json:"far_not_reachable"`

	Splits        int `json:"splits"`         // used
	SplitsMissing int `json:"splits_missing"` // of IJB-A's ten
	GenuinePairs  int `json:"genuine_pairs"`  // used, of all splits
	ImpostorPairs int `json:"impostor_pairs"`
	PairsTotal    int `json:"pairs_total"` // in the files
	PairsLeftOut  int `json:"pairs_left_out"`
	LeftNoFace    int `json:"left_out_template_without_face"`
	LeftNoLength  int `json:"left_out_template_without_direction"`
	LeftUnknown   int `json:"left_out_unknown_template"`

	PerSplit []SplitComparison `json:"-"`
	left     []leftPair
}

// SplitComparison is one split of a [Comparison].
type SplitComparison struct {
	Split    int // from 1
	ROC      *ROC
	AUC, EER float64
	Rates    []Rate // TAR at FAR 1e-1 to 1e-6
	LeftOut  int
}

// LeftOut returns how many pairs could not be judged.
func (c *Comparison) LeftOut() (int, int, string) { return c.PairsLeftOut, c.PairsTotal, "pairs" }

// add takes a split's pairs.
func (c *Comparison) add(ctx context.Context, o TemplateOptions, split int, pairs []TemplatePair, t *templateVectors, bySubject bool) error {
	genuine, impostor, left, err := comparePairs(ctx, pairs, t, bySubject, split-1, o.Progress)
	if err != nil {
		return err
	}
	c.PairsTotal += len(pairs)
	c.PairsLeftOut += len(left)
	for _, p := range left {
		switch p.reason {
		case templateNoFace:
			c.LeftNoFace++
		case templateNoLength:
			c.LeftNoLength++
		default:
			c.LeftUnknown++
		}
	}
	c.left = append(c.left, left...)
	if t.len() == 0 && len(left) == len(pairs) {
		return nil // a split of which nothing has an embedding: all of it is left out
	}
	roc, err := NewROC(genuine, impostor)
	if err != nil {
		return fmt.Errorf("%s: split %d: of %d pairs %d were left out: %w", o.Meta, split, len(pairs), len(left), err)
	}
	s := SplitComparison{Split: split, ROC: roc, AUC: roc.AUC(), LeftOut: len(left)}
	s.EER, _ = roc.EER()
	for k := range 6 {
		s.Rates = append(s.Rates, roc.TARAtFAR(math.Pow10(-k-1)))
	}
	c.GenuinePairs += roc.Genuine()
	c.ImpostorPairs += roc.Impostor()
	c.PerSplit = append(c.PerSplit, s)
	return nil
}

// finish fills in means and deviations.
func (c *Comparison) finish() {
	c.Splits = len(c.PerSplit)
	c.NotReachable = []string{}
	of := func(f func(s SplitComparison) float64) (*float64, *float64) {
		var v []float64
		for _, s := range c.PerSplit {
			v = append(v, f(s))
		}
		return overSplits(v)
	}
	c.AUC, c.AUCStd = of(func(s SplitComparison) float64 { return s.AUC })
	c.EER, c.EERStd = of(func(s SplitComparison) float64 { return s.EER })
	for k, to := range c.rates() {
		*to[0], *to[1] = of(func(s SplitComparison) float64 { return s.Rates[k].TAR })
		if *to[0] == nil {
			c.NotReachable = append(c.NotReachable, farName(math.Pow10(-k-1)))
		}
	}
}

func (c *Comparison) rates() [6][2]**float64 {
	return [6][2]**float64{{&c.TAR1, &c.TAR1Std}, {&c.TAR2, &c.TAR2Std}, {&c.TAR3, &c.TAR3Std},
		{&c.TAR4, &c.TAR4Std}, {&c.TAR5, &c.TAR5Std}, {&c.TAR6, &c.TAR6Std}}
}

// overSplits returns mean and deviation: no mean where a split lacks the number, no deviation of
// a single split.
func overSplits(v []float64) (mean, std *float64) {
	m, s := meanStd(v)
	if len(v) < 2 {
		s = math.NaN()
	}
	return value(m), value(s)
}
