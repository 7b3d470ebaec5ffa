package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

const goldenTolerance = 1e-9

// testdata/attributes.py says how numpy and scikit-learn made the file.
func TestAttributeMetricsEqualScikitLearn(t *testing.T) {
	text, err := os.ReadFile("testdata/attributes.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Truth, Estimate, Sigma []float64
		Gender, Said           []int8
		Older                  [][]bool
		MAE, Bias              float64
		CS                     []float64
		Epsilon, Constant      float64
		Decade                 map[string]float64
		Accuracy               float64
		Balanced               *float64
		Confusion              GenderCounts
		Inversions             []int
		Percentiles            []float64
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != 6 {
		t.Fatalf("%d cases, want 6", len(cases))
	}
	for k, c := range cases {
		same := func(name string, got, want float64) {
			t.Helper()
			if !(math.Abs(got-want) <= goldenTolerance) {
				t.Errorf("case %d: %s = %v, want %v", k, name, got, want)
			}
		}
		same("AgeMAE", AgeMAE(c.Estimate, c.Truth), c.MAE)
		same("AgeBias", AgeBias(c.Estimate, c.Truth), c.Bias)
		for y, want := range c.CS {
			same(fmt.Sprint("CS ", y), CumulativeScore(c.Estimate, c.Truth, float64(y)), want)
		}
		same("EpsilonError", EpsilonError(c.Estimate, c.Truth, c.Sigma), c.Epsilon)
		same("ConstantMAE", ConstantMAE(c.Truth), c.Constant)
		g := CountGenders(c.Said, c.Gender)
		if g != c.Confusion {
			t.Errorf("case %d: CountGenders = %v, want %v", k, g, c.Confusion)
		}
		same("Accuracy", g.Accuracy(), c.Accuracy)
		if c.Balanced != nil {
			same("Balanced", g.Balanced(), *c.Balanced)
		} else if !math.IsNaN(g.Balanced()) {
			t.Errorf("case %d: Balanced = %v of one gender alone", k, g.Balanced())
		}
		for i, older := range c.Older {
			if got := Inversions(older); got != c.Inversions[i] {
				t.Errorf("case %d: Inversions(%v) = %d, want %d", k, older, got, c.Inversions[i])
			}
		}
		var list []Estimate
		errors := make([]float64, len(c.Truth))
		for i := range c.Truth {
			e := unknownEstimate(fmt.Sprintf("n%06d/0001_01", i))
			e.Age, e.AgeLabel, e.Sigma, e.Gender, e.GenderLabel = c.Estimate[i], c.Truth[i], c.Sigma[i], c.Said[i], c.Gender[i]
			list = append(list, e)
			errors[i] = c.Estimate[i] - c.Truth[i]
		}
		slices.Sort(errors)
		same("2.5 %", quantileOf(errors, 0.025), c.Percentiles[0])
		same("97.5 %", quantileOf(errors, 0.975), c.Percentiles[1])
		r := &Attributes{Estimates: list, heads: attributeHeads{age: true, gender: true}}
		r.count(AttributeOptions{})
		same("age_mae", *r.AgeMAE, c.MAE)
		same("age_epsilon_error", *r.AgeEpsilon, c.Epsilon)
		n := 0
		for _, group := range r.Groups {
			if group.By != "decade" {
				continue
			}
			var from, to int
			if _, err := fmt.Sscanf(group.Group, "%d-%d", &from, &to); err != nil {
				t.Fatal(err)
			}
			same("decade "+group.Group, group.MAE, c.Decade[fmt.Sprint(from/10)])
			n++
		}
		if n != len(c.Decade) {
			t.Errorf("case %d: %d decades, want %d", k, n, len(c.Decade))
		}
	}
}

// Nothing has no mean, and one image no interval.
func TestAttributeMetricsOfLittle(t *testing.T) {
	for name, got := range map[string]float64{
		"AgeMAE": AgeMAE(nil, nil), "AgeBias": AgeBias(nil, nil), "CS": CumulativeScore(nil, nil, 5), "EpsilonError": EpsilonError(nil, nil, nil),
		"ConstantMAE": ConstantMAE(nil), "Accuracy": GenderCounts{}.Accuracy(), "Balanced": GenderCounts{}.Balanced(), "Majority": GenderCounts{}.Majority(),
		"quantileOf": quantileOf(nil, 0.5),
	} {
		if !math.IsNaN(got) {
			t.Errorf("%s of nothing = %v, want NaN", name, got)
		}
	}
	if got := resampled(rng.Stream(1, "x"), nil, nil); got != nil {
		t.Errorf("resampled(nothing) = %v", got)
	}
	one := resampled(rng.Stream(1, "x"), [][]float64{{2, 3}}, func(s []float64) []float64 { return []float64{s[1] / s[0]} })
	if len(one) != 1 || !math.IsNaN(one[0].Low) || !math.IsNaN(one[0].High) {
		t.Errorf("resampled(one group) = %v, want no interval", one)
	}
	if got := CumulativeScore([]float64{35, 25, 36}, []float64{30, 30, 30}, 5); got != 2.0/3 {
		t.Errorf("CS(5) with two errors of exactly 5 = %v, want 2/3", got)
	}
}

// The interval is that of means over the images of groups drawn one by one.
func TestResampledEqualsDrawingImages(t *testing.T) {
	r := rng.Stream(5, "groups")
	var groups [][]float64
	var sums [][]float64
	for range 17 {
		var g []float64
		s := []float64{0, 0}
		for range 1 + r.IntN(9) {
			v := math.Round(r.Between(-9, 9)*4) / 4 // ties, and sums without rounding
			g = append(g, v)
			s[0]++
			s[1] += v
		}
		groups, sums = append(groups, g), append(sums, s)
	}
	mean := func(s []float64) []float64 { return []float64{s[1] / s[0], math.NaN()} }
	got := resampled(rng.Stream(3, "draws"), sums, mean)

	draws := rng.Stream(3, "draws")
	var means []float64
	for range resamples {
		sum, n := 0.0, 0
		for range groups {
			for _, v := range groups[draws.IntN(len(groups))] {
				sum += v
				n++
			}
		}
		means = append(means, sum/float64(n))
	}
	slices.Sort(means)
	// 1,000 values: 2.5 % lies at place 24.975, 97.5 % at 974.025.
	low, high := means[24]+0.975*(means[25]-means[24]), means[974]+0.025*(means[975]-means[974])
	if math.Abs(got[0].Low-low) > 1e-12 || math.Abs(got[0].High-high) > 1e-12 {
		t.Errorf("interval %v, want %v to %v", got[0], low, high)
	}
	if !math.IsNaN(got[1].Low) {
		t.Errorf("interval %v of a number that never exists", got[1])
	}
}
