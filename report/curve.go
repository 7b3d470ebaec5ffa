package report

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
)

const (
	maxThreshold = 1e9  // a distance that can still be drawn
	maxCurves    = 1000 // splits or galleries of a result
)

// curvePoint is what a threshold accepts: rates, FAR and TAR or FPIR and TPIR.
type curvePoint struct{ threshold, far, tar float64 }

// curve is points by threshold; no rate falls.
type curve []curvePoint

// at returns the largest TAR whose FAR is at most far, 0 where even the first point has more.
func (c curve) at(far float64) float64 {
	i := sort.Search(len(c), func(i int) bool { return c[i].far > far })
	if i == 0 {
		return 0
	}
	return c[i-1].tar
}

// which returns the place of the curve that a row belongs to, a new one where its name is new.
func (r *result) which(kind, name string, n int) (int, error) {
	if r.place == nil {
		r.place = map[string]int{}
	}
	at, ok := r.place[kind+name]
	if !ok {
		if n == maxCurves {
			return 0, fmt.Errorf("more than %d curves", maxCurves)
		}
		at = n
		r.place[kind+name] = at
	}
	return at, nil
}

// readROC takes a row of roc.csv: threshold and two rates, in front the split or gallery where a
// result has several. A file with another head is passed over.
func (r *result) readROC(head, row []string) error {
	name := ""
	if len(head) == 4 && (head[0] == "split" || head[0] == "gallery") {
		name, head, row = row[0], head[1:], row[1:]
	}
	if len(head) != 3 || head[0] != "threshold" || head[1]+","+head[2] != "far,tar" && head[1]+","+head[2] != "fpir,tpir" {
		return nil
	}
	r.rates = head[1] + "," + head[2]
	var v [3]float64
	for i, text := range row {
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || !(math.Abs(x) <= maxThreshold) || i > 0 && (x < 0 || x > 1) {
			return fmt.Errorf("%s: %q, want a number, rates from 0 to 1", head[i], text)
		}
		v[i] = x
	}
	at, err := r.which("roc ", name, len(r.roc))
	if err != nil {
		return err
	}
	if at == len(r.roc) {
		r.roc = append(r.roc, nil)
	}
	c, p := r.roc[at], curvePoint{v[0], v[1], v[2]}
	if n := len(c); n > 0 && (p.threshold < c[n-1].threshold || p.far < c[n-1].far || p.tar < c[n-1].tar) {
		return errors.New("a curve that falls")
	}
	r.roc[at] = append(c, p)
	return nil
}

// readCMC takes a row of cmc.csv: rank and share, in front the gallery where a result has several.
func (r *result) readCMC(head, row []string) error {
	name := ""
	if len(head) == 3 && head[0] == "gallery" {
		name, head, row = row[0], head[1:], row[1:]
	}
	if len(head) != 2 || head[0] != "rank" {
		return nil
	}
	at, err := r.which("cmc ", name, len(r.cmc))
	if err != nil {
		return err
	}
	if at == len(r.cmc) {
		r.cmc = append(r.cmc, nil)
	}
	c := r.cmc[at]
	rank, err := strconv.Atoi(row[0])
	if err != nil || rank != len(c)+1 {
		return fmt.Errorf("rank %q, want %d", row[0], len(c)+1)
	}
	share, err := strconv.ParseFloat(row[1], 64)
	if err != nil || !(share >= 0 && share <= 1) || rank > 1 && share < c[rank-2] {
		return fmt.Errorf("share %q, want one from 0 to 1 that does not fall", row[1])
	}
	r.cmc[at] = append(c, share)
	return nil
}

// meanSteps is how many FARs a decade a mean curve has.
const meanSteps = 50

// drawn returns a result's curve from the FAR least on: its own points, or the mean TAR of its splits
// at equal FARs.
//
// T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27(8), 2006, section 8.1:
// vertical averaging.
func (r *result) drawn(least float64) (x, y []float64) {
	if len(r.roc) > 1 {
		n := int(math.Round(-math.Log10(least) * meanSteps))
		for k := range n + 1 {
			far, sum := math.Pow(least, 1-float64(k)/float64(n)), 0.0
			for _, c := range r.roc {
				sum += c.at(far * (1 + 1e-12)) // a power of ten as it was written
			}
			x, y = append(x, far), append(y, sum/float64(len(r.roc)))
		}
		return x, y
	}
	start := 0.0
	for _, c := range r.roc {
		for _, p := range c {
			if p.far == 0 {
				start = p.tar
				continue
			}
			if len(x) == 0 { // what is accepted before the first impostor pair
				x, y = append(x, math.Min(least, p.far), p.far), append(y, start, start)
			}
			x, y = append(x, p.far), append(y, p.tar)
		}
	}
	return x, y
}

// meanCMC returns the share of images by rank, the mean over galleries as far as all of them go.
func (r *result) meanCMC() (x, y []float64) {
	for rank := 0; len(r.cmc) > 0; rank++ {
		sum := 0.0
		for _, c := range r.cmc {
			if rank >= len(c) {
				return x, y
			}
			sum += c[rank]
		}
		x, y = append(x, float64(rank+1)), append(y, sum/float64(len(r.cmc)))
	}
	return x, y
}
