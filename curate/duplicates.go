package curate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/internal/lockfile"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
)

// DuplicateOptions say where to look for images that come twice, and what counts as twice.
type DuplicateOptions struct {
	Shards   *shard.Set       // samples to look at, or
	Manifest *manifest.Reader // photos, below Root
	Root     string
	Split    string // directory of a split of Manifest, which says the parts; "": the subsets do

	Distance   int     // bits that two hashes may differ in, 0 to MaxDistance
	Difference float64 // of the small pictures, 0 to 128; see docs/curation.md
	Out        string  // directory, made where missing
	Sheet      int     // rows of the contact sheet; 0 draws none
	Progress   progress.Reporter
}

// The usual bounds. Of 60 copies of real photos, re-encoded at quality 60, shrunk to 60 % or brightened by
// a tenth, all are within them. So are 19 pairs of vf2real's 2,930 photos, all of one shot each; the
// nearest pair of different shots among its aligned crops is 17.7 apart.
const (
	UsualDistance   = 4
	UsualDifference = 12
)

// The kinds of duplicates.
const (
	Exact = "exact" // the same bytes; of samples, the same pixels
	Alike = "near"
)

// Duplicate is a pair of images, A before B in the data set's order.
type Duplicate struct {
	A, B         string // keys
	Kind         string
	Distance     int // bits
	Difference   float64
	SameIdentity bool
	PartA, PartB string
	a, b         int
}

// Duplicates is what was found; it is written as duplicates.json.
type Duplicates struct {
	Source     string  `json:"source"` // digest of the shard set's index; or of manifest and split
	Distance   int     `json:"max_distance"`
	Difference float64 `json:"max_difference"`

	Images   int `json:"images"` // looked at
	Rejected int `json:"rejected"`
	Hashes   int `json:"hashes"` // different ones

	Pairs            int `json:"pairs"`
	Exact            int `json:"exact"`
	Near             int `json:"near"`
	Candidates       int `json:"candidates"`        // pairs of alike hashes, of which pictures were compared
	AcrossIdentities int `json:"across_identities"` // pairs of two labels: one of them is wrong
	AcrossParts      int `json:"across_parts"`      // pairs that leak from one part into another
	Groups           int `json:"groups"`
	Extra            int `json:"extra_images"` // all of the groups but one each

	List    []Duplicate `json:"-"` // the worst first: across parts, across identities, by difference
	Members [][]int     `json:"-"`
	Resumed int         `json:"-"` // images whose hashes were there already
}

const (
	duplicatesCSV  = "duplicates.csv"
	duplicatesJSON = "duplicates.json"
	groupsCSV      = "groups.csv"
	rejectsCSV     = "rejects.csv"
	duplicatesPNG  = "duplicates.png"
	hashesName     = "hashes.bin"
	lockName       = "lock"

	maxCandidates = 20_000_000
)

// FindDuplicates looks for images that come twice, within an identity and across, within a part and
// across. It hashes every image, which goes on where it stopped when o.Out holds the hashes of the
// same images, searches for hashes that are alike, and compares these images' small pictures.
//
// It takes 100 bytes an image and a key, 100 MB for the million.
func FindDuplicates(ctx context.Context, o DuplicateOptions) (*Duplicates, error) {
	o.Progress = progress.Or(o.Progress)
	if o.Distance < 0 || o.Distance > MaxDistance || !(o.Difference >= 0 && o.Difference <= 128) {
		return nil, fmt.Errorf("distance of %d bits and difference of %g, want 0 to %d and 0 to 128", o.Distance, o.Difference, MaxDistance)
	}
	list, err := picturesOf(o)
	if err != nil {
		return nil, err
	}
	if list.len() == 0 {
		return nil, errors.New("no image to look at")
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	release, err := lockfile.Acquire(filepath.Join(o.Out, lockName))
	if err != nil {
		return nil, err
	}
	defer release()
	h, err := hashAll(ctx, list, filepath.Join(o.Out, hashesName), o.Progress)
	if err != nil {
		return nil, err
	}
	d := &Duplicates{Source: list.digest(), Distance: o.Distance, Difference: o.Difference, Images: list.len(), Rejected: len(h.rejected)}
	pairs, err := d.candidates(h)
	if err != nil {
		return nil, err
	}
	if err := d.compare(ctx, list, h, pairs, o.Progress); err != nil {
		return nil, err
	}
	d.count()
	return d, d.write(o, list, h)
}

func picturesOf(o DuplicateOptions) (pictures, error) {
	if o.Shards != nil {
		return newShardPictures(o.Shards)
	}
	return newPhotoPictures(o.Manifest, o.Root, o.Split)
}

// manyAlike is how many images of one hash are compared each with each. More of them are compared with
// those before that are no duplicates themselves, so that a thousand black images make a thousand pairs.
const manyAlike = 16

// pairOf are two places in the list, a < b, and the bits between their hashes.
type pairOf struct{ a, b, distance int }

// candidates lists the pairs whose pictures are to be compared, by a, then b.
func (d *Duplicates) candidates(h *hashed) ([]pairOf, error) {
	unique, places := collapse(h.near, func(i int) bool { _, bad := h.rejected[i]; return bad })
	d.Hashes = len(unique)
	found, err := Search(unique, d.Distance, maxCandidates)
	if err != nil {
		return nil, err
	}
	var pairs []pairOf
	add := func(a, b uint32, distance int) {
		pairs = append(pairs, pairOf{int(min(a, b)), int(max(a, b)), distance})
	}
	for _, p := range places {
		for i := range p {
			for j := i + 1; j < len(p); j++ {
				if i < manyAlike {
					add(p[i], p[j], 0)
				}
			}
		}
	}
	for _, n := range found {
		a, b := places[n.A], places[n.B]
		for _, i := range a[:min(len(a), manyAlike)] {
			for _, j := range b[:min(len(b), manyAlike)] {
				add(i, j, int(n.Distance))
			}
		}
	}
	if len(pairs) > maxCandidates {
		return nil, &ErrTooMany{maxCandidates}
	}
	slices.SortFunc(pairs, func(x, y pairOf) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) })
	d.Candidates = len(pairs)
	return pairs, nil
}

// compare keeps the pairs whose pictures differ little.
func (d *Duplicates) compare(ctx context.Context, list pictures, h *hashed, pairs []pairOf, p progress.Reporter) error {
	p.Start(int64(len(pairs)), "compare pictures")
	defer p.Done()
	const piece = 64
	failed := make([]error, (len(pairs)+piece-1)/piece)
	kept := make([][]Duplicate, len(failed))
	parallel(len(failed), func(k int) {
		var a, b thumb
		last := -1
		mine := pairs[k*piece : min(len(pairs), (k+1)*piece)]
		for _, q := range mine {
			if failed[k] = ctx.Err(); failed[k] != nil {
				return
			}
			x := Duplicate{A: list.key(q.a), B: list.key(q.b), Kind: Alike, Distance: q.distance, a: q.a, b: q.b, PartA: list.part(q.a), PartB: list.part(q.b)}
			if h.exact[q.a] == h.exact[q.b] {
				x.Kind = Exact
			} else {
				if last != q.a {
					if _, failed[k] = list.shrink(q.a, &a); failed[k] != nil {
						return
					}
					last = q.a
				}
				if _, failed[k] = list.shrink(q.b, &b); failed[k] != nil {
					return
				}
				if x.Difference = difference(&a, &b); x.Difference > d.Difference {
					continue
				}
			}
			x.SameIdentity = identity(x.A) == identity(x.B)
			kept[k] = append(kept[k], x)
		}
		p.Add(int64(len(mine)))
	})
	d.List = slices.Concat(kept...)
	return errors.Join(failed...)
}

// identity is what stands before a key's last slash.
func identity(key string) string { return key[:max(strings.LastIndexByte(key, '/'), 0)] }

// count fills in the numbers, orders the list and forms the groups.
func (d *Duplicates) count() {
	parent := map[int]int{}
	find := func(i int) int {
		for {
			up, ok := parent[i]
			if !ok || up == i {
				return i
			}
			if next, ok := parent[up]; ok {
				parent[i] = next
			}
			i = up
		}
	}
	d.Pairs = len(d.List)
	for _, x := range d.List {
		if x.Kind == Exact {
			d.Exact++
		} else {
			d.Near++
		}
		if !x.SameIdentity {
			d.AcrossIdentities++
		}
		if x.PartA != x.PartB {
			d.AcrossParts++
		}
		for _, i := range []int{x.a, x.b} {
			if _, ok := parent[i]; !ok {
				parent[i] = i
			}
		}
		a, b := find(x.a), find(x.b)
		parent[max(a, b)] = min(a, b)
	}
	groups := map[int][]int{}
	for i := range parent {
		groups[find(i)] = append(groups[find(i)], i)
	}
	for _, g := range groups {
		slices.Sort(g)
		d.Members = append(d.Members, g)
		d.Extra += len(g) - 1
	}
	slices.SortFunc(d.Members, func(a, b []int) int { return cmp.Compare(a[0], b[0]) })
	d.Groups = len(d.Members)
	rank := func(x *Duplicate) int {
		switch {
		case x.PartA != x.PartB:
			return 0
		case !x.SameIdentity:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(d.List, func(x, y Duplicate) int {
		return cmp.Or(cmp.Compare(rank(&x), rank(&y)), cmp.Compare(x.Difference, y.Difference), cmp.Compare(x.Distance, y.Distance))
	})
}
