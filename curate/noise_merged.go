package curate

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// Merge is an identity that may be two people.
type Merge struct {
	k        int
	Identity string
	Images   [2]int     // of the larger and of the smaller part
	Likeness float64    // of the parts
	Across   float64    // mean similarity of an image of one part and an image of the other
	Within   [2]float64 // and of two images of one part
	P        float64    // of one person's images parting so well; NaN not computed
	Nearest  string     // the other identity that the smaller part is most like
	Other    float64    // similarity of its mean to that one's centre
	Flagged  bool
}

const (
	// mergedLevel is the largest P that is believed: of the identities of one person whose parts are as unlike
	// each other as two people, one in a hundred is flagged.
	mergedLevel = 0.01
	// hangTogether is the share of pairs of identities that images of one part must be more alike than.
	hangTogether = 0.99
)

// mergers flags identities whose images part in two that are like two people. Three things are asked for: each part
// hangs together, so that it is no bag of strays; the parts are like each other as different identities are; and one
// person's images would not part so well by chance.
func (n *noise) mergers(ctx context.Context, s strangers) error {
	least := quantile(s.across, hangTogether)
	var all []Merge
	var found []float64
	for k := range n.people {
		p := &n.people[k]
		if p.second == nil {
			n.r.NotParted++
			continue
		}
		a, b := &p.parts[0], &p.parts[1]
		m := Merge{k: k, Identity: p.id, Images: [2]int{a.n, b.n}, Within: [2]float64{a.within(), b.within()}, P: math.NaN()}
		if b.n < partImages || !(min(m.Within[0], m.Within[1]) > least) {
			continue
		}
		m.Across, m.Likeness = across(a, b), likeness(a, b, m.Within[0], m.Within[1])
		if math.IsNaN(m.Likeness) {
			continue
		}
		all, found = append(all, m), append(found, m.Likeness)
	}
	slices.Sort(found)
	t := given(n.MergedBelow, lowTail(found, s.likeness, knownStrangers, n.FalseAlarms).unlessMost(len(found)))
	slices.SortFunc(all, func(p, q Merge) int { return cmp.Or(cmp.Compare(p.Likeness, q.Likeness), cmp.Compare(p.k, q.k)) })
	// The test is long, so only what is listed is tested.
	listed, extra := 0, 0
	for _, m := range all {
		if t.Value == nil || m.Likeness > *t.Value {
			if extra++; extra > n.List {
				break
			}
		}
		listed++
	}
	all = all[:listed]
	which := make([]int, len(all))
	at := make(map[int]int, len(all))
	for i, m := range all {
		which[i], at[m.k] = m.k, i
	}
	have := make([]parting, len(all))
	err := n.eachPerson(ctx, "test parts", which, func(k int, v vectors) {
		m := &all[at[k]]
		have[at[k]] = howParted(v, n.Seed, n.people[k].id)
		m.Nearest, m.Other = n.nearestTo(&n.people[k].parts[1], k)
	})
	if err != nil {
		return err
	}
	t.Flagged = 0
	for i, p := range partsByChance(have, n.Seed) {
		m := &all[i]
		m.P = p
		if m.Flagged = t.Value != nil && m.Likeness <= *t.Value && m.P <= mergedLevel; m.Flagged {
			t.Flagged++
		}
	}
	// What is flagged comes first, then what is most like two people.
	slices.SortStableFunc(all, func(p, q Merge) int {
		if p.Flagged != q.Flagged {
			return 1 - 2*place(p.Flagged)
		}
		return 0
	})
	n.r.Merged, n.r.merged = t, all
	return nil
}

// nearestTo returns the person, other than own, that the mean of a group is most like.
func (n *noise) nearestTo(g *group, own int) (id string, similarity float64) {
	c := slices.Clone(g.sum)
	unit(c)
	similarity = math.Inf(-1)
	for k := range n.people {
		if k == own {
			continue
		}
		if s := dot(c, n.people[k].unit); s > similarity {
			id, similarity = n.people[k].id, s
		}
	}
	return id, similarity
}
