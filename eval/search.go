package eval

import (
	"context"
	"fmt"
	"math"
	"sort"

	"github.com/vf2prep/vf2prep/internal/progress"
)

// Mate is what a search for a subject of the gallery found.
type Mate struct {
	Rank     int     // 1 + other subjects that are as near as the mate or nearer
	Distance float64 // to the mate
}

// Searches are the outcomes of an open set's searches in one gallery. A search is mated when the
// probe's subject is in the gallery. Other searches are an impostor's: whatever they find is
// wrong.
//
// The distance to a subject is that to the nearest of its templates. Subjects at the same
// distance as the mate rank before it: a tie is no success.
type Searches struct {
	Mated    []Mate
	NonMated []float64 // distance to the nearest subject
	Subjects int       // in the gallery
}

// CMC returns the share of mated searches whose mate has at most rank 1, 2, .. n.
func (s *Searches) CMC(n int) []float64 {
	out := make([]float64, n)
	for _, m := range s.Mated {
		if m.Rank <= n {
			out[m.Rank-1]++
		}
	}
	for i := range out {
		if i > 0 {
			out[i] += out[i-1]
		}
	}
	for i := range out {
		out[i] /= float64(len(s.Mated))
	}
	return out
}

// roc returns the distances of the mated searches with rank 1 as genuine pairs and those of the
// others as impostor pairs, and the share of mated searches that have rank 1; nil where one of
// the two is lacking.
func (s *Searches) roc() (*ROC, float64) {
	var first []float64
	for _, m := range s.Mated {
		if m.Rank == 1 {
			first = append(first, m.Distance)
		}
	}
	share := float64(len(first)) / float64(len(s.Mated))
	roc, err := NewROC(first, append([]float64(nil), s.NonMated...))
	if err != nil {
		return nil, share
	}
	return roc, share
}

// TPIRAtFPIR returns, as TAR and FAR, the largest true positive identification rate of all
// thresholds whose false positive identification rate is at most fpir. FPIR is the share of
// impostor searches whose nearest subject is within the threshold; TPIR the share of mated
// searches whose mate has rank 1 and is within it. Not reachable: fpir is less than one search.
//
// P. Grother, M. Ngan, "Face Recognition Vendor Test", NIST IR 8009, 2014: TPIR is 1 - FNIR(N, R
// = 1, T).
func (s *Searches) TPIRAtFPIR(fpir float64) Rate {
	roc, share := s.roc()
	return s.rate(roc, share, fpir)
}

func (s *Searches) rate(roc *ROC, share, fpir float64) Rate {
	switch {
	case len(s.Mated) == 0 || allowedAccepts(fpir, len(s.NonMated)) < 1:
		return Rate{FAR: fpir, TAR: math.NaN(), Threshold: math.NaN()}
	case roc == nil: // no mate is first
		return Rate{FAR: fpir, Threshold: math.NaN(), Reachable: true}
	}
	r := roc.TARAtFAR(fpir)
	r.TAR *= share
	return r
}

// Curve returns FPIR, as FAR, and TPIR, as TAR, for a picture.
func (s *Searches) Curve() []CurvePoint {
	roc, share := s.roc()
	if roc == nil {
		return nil
	}
	out := roc.Curve()
	for i := range out {
		out[i].TAR *= share
	}
	return out
}

// gallery is the templates of a gallery by subject: subject k has the places of[k].
type gallery struct {
	subjects []string
	of       [][]int
	at       map[string]int // place of a subject; -1 for one whose templates all lack a vector
}

func newGallery(ids []int32, t *templateVectors) *gallery {
	g := &gallery{at: map[string]int{}}
	for _, id := range ids {
		if s := t.known[id]; s != "" {
			g.at[s] = -1
		}
	}
	for s := range g.at {
		g.subjects = append(g.subjects, s)
	}
	sort.Strings(g.subjects)
	places := map[string][]int{}
	for _, id := range ids {
		if i, ok := t.at[id]; ok {
			places[t.known[id]] = append(places[t.known[id]], i)
		}
	}
	kept := g.subjects[:0]
	for _, s := range g.subjects {
		if len(places[s]) > 0 {
			g.at[s] = len(kept)
			kept = append(kept, s)
			g.of = append(g.of, places[s])
		}
	}
	g.subjects = kept
	return g
}

// search looks every probe up in the gallery. A probe that has no vector, or whose mate has none,
// is left out with the reason.
func (g *gallery) search(ctx context.Context, probes []int32, t *templateVectors, bar progress.Reporter) (*Searches, []Skip, error) {
	var skips []Skip
	var used []int32
	for _, id := range probes {
		reason := t.whyNot(id)
		if mate, ok := g.at[t.known[id]]; reason == "" && ok && mate < 0 {
			reason = mateNotInGallery
		}
		if reason != "" {
			skips = append(skips, Skip{fmt.Sprintf("probe %d", id), reason, ""})
			continue
		}
		used = append(used, id)
	}
	mates, nearest := make([]Mate, len(used)), make([]float64, len(used))
	bar.Start(int64(len(used)), "search")
	defer bar.Done()
	err := eachBlock(ctx, len(used), 8, bar, func(from, to int) {
		d := make([]float64, len(g.of))
		for p := from; p < to; p++ {
			probe := t.at[used[p]]
			for k, places := range g.of {
				d[k] = math.Inf(1)
				for _, i := range places {
					d[k] = math.Min(d[k], t.distance(probe, i))
				}
			}
			mate, ok := g.at[t.known[used[p]]]
			if !ok {
				mate = -1
			}
			mates[p], nearest[p] = judgeSearch(d, mate)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	s := &Searches{Subjects: len(g.of)}
	for p, m := range mates {
		if m.Rank > 0 {
			s.Mated = append(s.Mated, m)
		} else {
			s.NonMated = append(s.NonMated, nearest[p])
		}
	}
	return s, skips, nil
}

// judgeSearch takes the distances to the subjects of a gallery and the place of the mate, -1 for
// none: then the Mate's rank is 0.
func judgeSearch(d []float64, mate int) (m Mate, nearest float64) {
	nearest = math.Inf(1)
	for _, x := range d {
		nearest = math.Min(nearest, x)
	}
	if mate < 0 {
		return Mate{}, nearest
	}
	m = Mate{1, d[mate]}
	for k, x := range d {
		if k != mate && x <= m.Distance {
			m.Rank++
		}
	}
	return m, nearest
}
