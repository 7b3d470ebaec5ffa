package curate

import (
	"cmp"
	"context"
	"slices"

	"github.com/vf2prep/vf2prep/rng"
)

// Strangers are drawn so that a share of one in a thousand rests on some hundred: no more are needed, and a small
// set's few centres are not compared with every image again and again.
const (
	maxStrangers    = 200_000
	strangersAnItem = 50
	strangersBlock  = 1000 // drawn from one stream
)

// strangers are what is known of different people, sorted.
type strangers struct {
	images   []float64 // similarity of an image to another identity's centre
	likeness []float64 // of two identities
	across   []float64 // mean similarity of an image of one identity and an image of another
}

// strangers draws images and identities and compares them with others.
func (n *noise) strangers(ctx context.Context) (strangers, error) {
	var judged []int
	for row, k := range n.of {
		if k >= 0 {
			judged = append(judged, row)
		}
	}
	count := min(maxStrangers, strangersAnItem*len(judged))
	out := strangers{images: make([]float64, count), likeness: make([]float64, 0, count), across: make([]float64, 0, count)}
	errs := make([]error, (count+strangersBlock-1)/strangersBlock)
	parallel(len(errs), func(b int) {
		r := rng.Stream(n.Seed, "curate-strangers", b)
		x := make([]float32, n.rows.Width)
		for i := b * strangersBlock; i < min(count, (b+1)*strangersBlock) && ctx.Err() == nil; i++ {
			row := judged[r.IntN(len(judged))]
			k := r.IntN(len(n.people) - 1)
			if k >= int(n.of[row]) {
				k++
			}
			if errs[b] = n.rows.Read(row, 1, x); errs[b] != nil {
				return
			}
			out.images[i] = product(x, n.people[k].unit)
		}
	})
	for _, err := range errs {
		if err != nil {
			return out, err
		}
	}
	pairs := len(n.people) * (len(n.people) - 1) / 2
	pair := func(a, b int) {
		out.likeness = append(out.likeness, n.likeness(a, b))
		out.across = append(out.across, across(&n.people[a].core, &n.people[b].core))
	}
	if pairs <= maxStrangers {
		for a := range n.people {
			for b := range a {
				pair(a, b)
			}
		}
	} else {
		r := rng.Stream(n.Seed, "curate-pairs")
		for range maxStrangers {
			a, b := r.IntN(len(n.people)), r.IntN(len(n.people)-1)
			if b >= a {
				b++
			}
			pair(a, b)
		}
	}
	for _, v := range [][]float64{out.images, out.likeness, out.across} {
		slices.Sort(v)
	}
	n.r.StrangerImages, n.r.StrangerPairs = len(out.images), len(out.likeness)
	return out, ctx.Err()
}

// Image is an image that may have a wrong label.
type Image struct {
	Row        int
	Key        string
	Identity   string
	Similarity float64 // to the identity's centre without the image
	Usual      float64 // median of that over the identity's images
	Nearest    string  // the other identity that it is most like
	Other      float64 // similarity to that one's centre
	Flagged    bool
}

// Margin is how much more the image is like another identity than like its own.
func (i *Image) Margin() float64 { return i.Other - i.Similarity }

func (n *noise) image(row int, flagged bool) Image {
	p := &n.people[n.of[row]]
	return Image{Row: row, Key: n.key(row), Identity: p.id, Similarity: n.own[row], Usual: p.usual,
		Nearest: n.people[n.nearest[row]].id, Other: n.other[row], Flagged: flagged}
}

// outliers flags images that are like their identity as a stranger is.
func (n *noise) outliers(s strangers) {
	var own []float64
	var rows []int
	for row, k := range n.of {
		if k >= 0 {
			own, rows = append(own, n.own[row]), append(rows, row)
		}
	}
	n.r.Judged = len(rows)
	slices.Sort(own)
	t := given(n.OutlierBelow, lowTail(own, s.images, knownStrangers, n.FalseAlarms).unlessMost(len(own)))
	t.Flagged = 0
	slices.SortFunc(rows, func(a, b int) int { return cmp.Or(cmp.Compare(n.own[a], n.own[b]), n.compareRows(a, b)) })
	extra := 0
	for _, row := range rows {
		flagged := t.Value != nil && n.own[row] <= *t.Value
		if !flagged {
			if extra++; extra > n.List {
				break
			}
		} else {
			t.Flagged++
		}
		n.r.outliers = append(n.r.outliers, n.image(row, flagged))
	}
	n.r.Outliers = t
}

// compareRows orders rows by identity and key.
func (n *noise) compareRows(a, b int) int {
	return cmp.Or(cmp.Compare(n.of[a], n.of[b]), cmp.Compare(n.rows.Keys[a], n.rows.Keys[b]))
}

// mislabelled flags images that are more like another identity than like their own, and as much like it as images
// with the right label seldom are like any other.
func (n *noise) mislabelled() {
	twin := map[[2]int32]bool{}
	apart := make([]bool, len(n.people)) // nobody else has this person's images
	for _, p := range n.r.split {
		if p.Flagged {
			twin[[2]int32{int32(p.a), int32(p.b)}], twin[[2]int32{int32(p.b), int32(p.a)}] = true, true
			apart[p.a], apart[p.b] = true, true
		}
	}
	var rows []int
	var found, usual []float64
	for row, k := range n.of {
		switch {
		case k < 0:
		case n.other[row] <= n.own[row]:
			if !apart[k] {
				usual = append(usual, n.other[row])
			}
		case !twin[[2]int32{k, n.nearest[row]}]:
			rows, found = append(rows, row), append(found, n.other[row])
		}
	}
	t := given(n.MislabelledAbove, stepUp(found, usual, n.FalseAlarms))
	t.Flagged = 0
	slices.SortFunc(rows, func(a, b int) int {
		return cmp.Or(cmp.Compare(n.other[b]-n.own[b], n.other[a]-n.own[a]), n.compareRows(a, b))
	})
	extra := 0
	for _, row := range rows {
		flagged := t.Value != nil && n.other[row] >= *t.Value
		if !flagged {
			if extra++; extra > n.List {
				continue
			}
		} else {
			t.Flagged++
		}
		n.r.mislabelled = append(n.r.mislabelled, n.image(row, flagged))
	}
	n.r.Mislabelled, n.r.NearerOther = t, len(rows)
}
