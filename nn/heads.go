package nn

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Head is what a network learns to say of a face. Several stand side by side on the same features.
type Head struct {
	Kind   HeadKind
	Weight float64 // of its loss in the sum
}

// HeadKind names a head.
type HeadKind string

// The heads. Their layers are named fc, gender and age.
const (
	// Identity is a softmax over the classes.
	Identity HeadKind = "identity"
	// Gender is a softmax over male and female.
	Gender HeadKind = "gender"
	// Age is a softmax over the ages 0 to 100; the estimate is their expectation.
	//
	// R. Rothe, R. Timofte, L. Van Gool, "Deep expectation of real and apparent age from a single
	// image without facial landmarks" (DEX), IJCV 2018.
	Age HeadKind = "age"
	// AgeRank is a hundred yes or no, "older than k" for k = 0 to 99; the estimate is the count of yes.
	//
	// S. Chen et al., "Using Ranking-CNN for Age Estimation", CVPR 2017.
	AgeRank HeadKind = "age-rank"
	// Triplet is the triplet loss on the features of length 1, with alpha 0.2 and squared distances;
	// it has no layer of its own. Triplets are chosen in the batch, see [Config.Mining].
	//
	// F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet: A Unified Embedding for Face Recognition
	// and Clustering", CVPR 2015; Parkhi et al. 2015.
	Triplet HeadKind = "triplet"
)

// Ages is how many ages a head tells apart: 0 to 100 years.
const Ages = 101

// outputs is the number of a head's outputs, 0 for one without a layer.
func (k HeadKind) outputs(classes int) int {
	switch k {
	case Identity:
		return classes
	case Gender:
		return 2
	case Age:
		return Ages
	case AgeRank:
		return Ages - 1
	}
	return 0
}

// Named reports whether the head learns from labels of identities.
func (k HeadKind) Named() bool { return k == Identity || k == Triplet }

// layerName is the name of a head's layer.
func (k HeadKind) layerName() string {
	if k == AgeRank {
		return string(Age)
	}
	return string(k)
}

// ParseHeads reads a list of heads and their weights, "identity,gender=0.5,age". Weights are 1 where
// none is given. Empty is identity alone.
func ParseHeads(text string) ([]Head, error) {
	if text == "" {
		return []Head{{Identity, 1}}, nil
	}
	var heads []Head
	for part := range strings.SplitSeq(text, ",") {
		name, weight, given := strings.Cut(part, "=")
		h := Head{HeadKind(name), 1}
		if given {
			w, err := strconv.ParseFloat(weight, 64)
			if err != nil || !(w > 0) || math.IsInf(w, 0) {
				return nil, fmt.Errorf("head %q: weight %q, want a number above 0", name, weight)
			}
			h.Weight = w
		}
		known := []HeadKind{Identity, Gender, Age, AgeRank, Triplet}
		if !slices.Contains(known, h.Kind) {
			return nil, fmt.Errorf("no head %q; known are identity, gender, age, age-rank, triplet", name)
		}
		for _, other := range heads {
			if other.Kind.layerName() == h.Kind.layerName() {
				return nil, fmt.Errorf("heads %s and %s: want one of them", other.Kind, h.Kind)
			}
		}
		heads = append(heads, h)
	}
	return heads, nil
}

// Targets are what the samples of a batch should be; a nil slice is unknown for all.
type Targets struct {
	Label  []int32   // class, -1 unknown
	Age    []float32 // years, NaN unknown
	Gender []int8    // 0 male, 1 female, -1 unknown
}

// labels writes for each sample the output of a head that is right, or -1 where that is unknown.
func (t Targets) labels(k HeadKind, out []int32) {
	for i := range out {
		out[i] = -1
		switch k {
		case Identity, Triplet:
			if t.Label != nil {
				out[i] = t.Label[i]
			}
		case Gender:
			if t.Gender != nil {
				out[i] = int32(t.Gender[i])
			}
		case Age, AgeRank:
			if t.Age == nil {
				break
			}
			if a := float64(t.Age[i]); !math.IsNaN(a) {
				out[i] = int32(min(max(math.Round(a), 0), Ages-1))
			}
		}
	}
}

// AgeFromSoftmax is the expectation of the ages that logits [101] give.
func AgeFromSoftmax(logits []float32) float64 {
	top := slices.Max(logits)
	sum, mean := 0.0, 0.0
	for age, v := range logits {
		e := math.Exp(float64(v - top))
		sum += e
		mean += e * float64(age)
	}
	return mean / sum
}

// AgeFromRanks is the number of "older than" that logits [100] say, and how many of them
// contradict another: a yes above a no. Ranks without contradiction have none.
func AgeFromRanks(logits []float32) (age float64, contradictions int) {
	no := false
	for _, v := range logits {
		if v > 0 {
			age++
			if no {
				contradictions++
			}
		} else {
			no = true
		}
	}
	return age, contradictions
}
