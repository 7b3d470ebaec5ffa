package split

import (
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/rng"
)

// draw gives the images of one train identity, rows[lo:hi], their cells: of k-fold the fold in which
// they validate, of others 0 for train and 1 for val. It sees nothing of other identities.
//
// Every list of units is drawn from a stream of the seed and the identity's name.
func (a *Assignment) draw(lo, hi int) {
	o, id := a.Options, a.Rows[lo].ID.Identity
	if o.wholeIdentities() {
		cell := uint8(0)
		if o.Strategy == KFold {
			cell = uint8(rng.Stream(o.Seed, "split k-fold identity", id).IntN(o.Folds))
		} else if rng.Stream(o.Seed, "split identity", id).Float64() < o.Ratio {
			cell = 1
		}
		a.fill(lo, hi, cell)
		return
	}
	units := a.units(lo, hi)
	end := func(i int) int { return unitEnd(units, i, hi) }
	n := len(units)
	switch o.Strategy {
	case FirstN:
		for i, from := range units {
			if from-lo >= o.Val { // enough; a photo that is begun is finished
				break
			}
			a.fill(from, end(i), 1)
		}
	case Ratio:
		// At least one of each kind wherever there are two units.
		val := int(float64(float64(n)*o.Ratio) + 0.5)
		val = max(min(1, n-1), min(val, n-1))
		if o.Stratify == 0 {
			for _, i := range rng.Stream(o.Seed, "split ratio", id).Perm(n)[:val] {
				a.fill(units[i], end(i), 1)
			}
			break
		}
		// Every n/val-th of the row from a random place: exactly val in all, and of each stratum, which
		// stands together, its share rounded up or down.
		r := rng.Stream(o.Seed, "split ratio strata", id)
		order, phase := a.byStratum(units, r), r.IntN(n)
		for i, u := range order {
			if ((i+1)*val+phase)/n > (i*val+phase)/n {
				a.fill(units[u], end(u), 1)
			}
		}
	case Random:
		for i, from := range units {
			key := a.Rows[from].ID
			if o.Group == Photo {
				key.Face = 1 // whether or not there is such a face: others that come move nothing
			}
			if rng.Stream(o.Seed, "split random", key.String()).Float64() < o.Ratio {
				a.fill(from, end(i), 1)
			}
		}
	case KFold:
		r := rng.Stream(o.Seed, "split k-fold", id)
		order, first := a.byStratum(units, r), r.IntN(o.Folds)
		for i, u := range order { // dealt like cards, strata one after another
			a.fill(units[u], end(u), uint8((first+i)%o.Folds))
		}
	}
}

// units returns the first row of everything in rows[lo:hi] that goes to one part: photos or images.
func (a *Assignment) units(lo, hi int) []int {
	out := make([]int, 0, hi-lo)
	for i := lo; i < hi; i++ {
		if i == lo || a.Options.Group != Photo || !samePhoto(a.Rows[i].ID, a.Rows[i-1].ID) {
			out = append(out, i)
		}
	}
	return out
}

func unitEnd(units []int, i, hi int) int {
	if i+1 < len(units) {
		return units[i+1]
	}
	return hi
}

func samePhoto(a, b manifest.ImageID) bool { return a.Image == b.Image && a.Identity == b.Identity }

func (a *Assignment) fill(lo, hi int, cell uint8) {
	for i := lo; i < hi; i++ {
		a.cells[i] = cell
	}
}

// byStratum returns the places in units in random order, those of a stratum together. A photo has
// the stratum of its first face.
func (a *Assignment) byStratum(units []int, r *rng.Rand) []int {
	if a.strata == nil {
		return r.Perm(len(units))
	}
	var members [256][]int
	for i, row := range units {
		s := a.strata[row]
		members[s] = append(members[s], i)
	}
	var there [][]int
	for _, m := range members {
		if len(m) > 0 {
			there = append(there, m)
		}
	}
	r.Shuffle(len(there), func(i, j int) { there[i], there[j] = there[j], there[i] })
	out := make([]int, 0, len(units))
	for _, m := range there {
		r.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] })
		out = append(out, m...)
	}
	return out
}
