package eval

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/rng"
)

// randomTemplates makes unit vectors of few different directions, so that there are ties, some
// templates without a vector, and subjects of several templates.
func randomTemplates(r *rng.Rand, n, subjects, width int) *templateVectors {
	t := &templateVectors{at: map[int32]int{}, known: map[int32]string{}, lacks: map[int32]string{}, width: width}
	for id := range int32(n) {
		t.known[id] = fmt.Sprint(r.IntN(subjects))
		if r.Bool(0.1) {
			t.lacks[id] = templateNoFace
			continue
		}
		v := make([]float64, width)
		for i := range v {
			v[i] = float64(r.IntN(3) - 1)
		}
		if !unit64(v) {
			v[0] = 1
		}
		t.at[id] = len(t.at)
		t.data = append(t.data, v...)
	}
	return t
}

// The twin looks at every template of the gallery for every probe and tries every threshold.
func TestSearchEqualsBruteForce(t *testing.T) {
	r := rng.Stream(3, "search")
	mated := 0
	for n := range 200 {
		vectors := randomTemplates(r, 40+r.IntN(60), 4+r.IntN(20), 3+n%4)
		var galleryIDs, probes []int32
		for id := range int32(len(vectors.known)) {
			if r.Bool(0.3) {
				galleryIDs = append(galleryIDs, id)
			} else {
				probes = append(probes, id)
			}
		}
		got, skips, err := newGallery(galleryIDs, vectors).search(t.Context(), probes, vectors, progress.Or(nil))
		if err != nil {
			t.Fatal(err)
		}
		want, left := bruteSearch(vectors, galleryIDs, probes)
		if len(skips) != left || !slices.Equal(got.Mated, want.Mated) || !slices.Equal(got.NonMated, want.NonMated) || got.Subjects != want.Subjects {
			t.Fatalf("case %d: %+v and %d left out, want %+v and %d", n, got, len(skips), want, left)
		}
		mated += len(got.Mated)
		if len(got.Mated) == 0 {
			continue
		}
		cmc := got.CMC(8)
		for k := range cmc {
			count := 0
			for _, m := range want.Mated {
				if m.Rank <= k+1 {
					count++
				}
			}
			if w := float64(count) / float64(len(want.Mated)); math.Abs(cmc[k]-w) > 1e-12 {
				t.Errorf("case %d: CMC at %d = %v, want %v", n, k+1, cmc[k], w)
			}
		}
		for _, fpir := range []float64{0.01, 0.1, 0.3, 1} {
			got, w := got.TPIRAtFPIR(fpir), bruteTPIR(want, fpir)
			if !sameNumber(value(got.TAR), value(w)) {
				t.Errorf("case %d: TPIR at %v = %v, want %v", n, fpir, got.TAR, w)
			}
		}
	}
	if mated < 1000 {
		t.Errorf("%d mated searches in all, want some thousand", mated)
	}
}

func bruteSearch(t *templateVectors, galleryIDs, probes []int32) (s Searches, left int) {
	subjects := map[string]bool{}
	for _, id := range galleryIDs {
		if _, ok := t.at[id]; ok {
			subjects[t.known[id]] = true
		}
	}
	s.Subjects = len(subjects)
	listed := func(subject string) bool {
		return slices.ContainsFunc(galleryIDs, func(id int32) bool { return t.known[id] == subject })
	}
	for _, p := range probes {
		at, ok := t.at[p]
		mine := t.known[p]
		if !ok || listed(mine) && !subjects[mine] {
			left++
			continue
		}
		best := map[string]float64{}
		for _, id := range galleryIDs {
			if place, ok := t.at[id]; ok {
				d := t.distance(at, place)
				if old, ok := best[t.known[id]]; !ok || d < old {
					best[t.known[id]] = d
				}
			}
		}
		if !subjects[mine] {
			nearest := math.Inf(1)
			for _, d := range best {
				nearest = math.Min(nearest, d)
			}
			s.NonMated = append(s.NonMated, nearest)
			continue
		}
		m := Mate{0, best[mine]}
		for _, d := range best { // the mate itself too
			if d <= best[mine] {
				m.Rank++
			}
		}
		s.Mated = append(s.Mated, m)
	}
	return s, left
}

func bruteTPIR(s Searches, fpir float64) float64 {
	if fpir*float64(len(s.NonMated))*(1+1e-12) < 1 {
		return math.NaN()
	}
	best := 0.0
	thresholds := slices.Clone(s.NonMated)
	for _, m := range s.Mated {
		thresholds = append(thresholds, m.Distance)
	}
	for _, t := range thresholds {
		if float64(accepted(s.NonMated, t)) > fpir*float64(len(s.NonMated))*(1+1e-12) {
			continue
		}
		n := 0
		for _, m := range s.Mated {
			if m.Rank == 1 && m.Distance <= t {
				n++
			}
		}
		best = math.Max(best, float64(n)/float64(len(s.Mated)))
	}
	return best
}

func TestTPIRWithoutImpostorsOrFirstMates(t *testing.T) {
	s := Searches{Mated: []Mate{{1, 0.5}, {2, 0.4}}}
	if r := s.TPIRAtFPIR(0.1); r.Reachable || !math.IsNaN(r.TAR) {
		t.Errorf("without impostors TPIR = %+v, want not reachable", r)
	}
	s = Searches{Mated: []Mate{{2, 0.5}, {3, 0.4}}, NonMated: make([]float64, 20)}
	if r := s.TPIRAtFPIR(0.1); !r.Reachable || r.TAR != 0 {
		t.Errorf("without a mate that is first TPIR = %+v, want 0", r)
	}
	if c := s.Curve(); c != nil {
		t.Errorf("without a mate that is first the curve is %v, want none", c)
	}
}
