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
	Box      bool   // of photos look at the face's box alone

	Hashes []string // journals of hashes of other searches, which are not made again

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

// Scopes say what a pair of duplicates has in common. Of two parts it says so whoever is shown.
const (
	SameIdentity     = "same-identity"
	AcrossIdentities = "across-identities"
	AcrossParts      = "across-parts"
	UnknownIdentity  = "unknown-identity" // images that show nobody in particular
)

// Duplicate is a pair of images, A before B in the data set's order.
type Duplicate struct {
	A, B         string // keys
	Kind         string
	Distance     int // bits
	Difference   float64
	Scope        string
	SameIdentity bool
	PartA, PartB string
	a, b         int
}

// Duplicates is what was found; it is written as duplicates.json.
type Duplicates struct {
	Inputs     map[string]string `json:"inputs"`    // digests of manifest, split, shards
	Looked     string            `json:"looked_at"` // "sample", "photo" or "box"
	Distance   int               `json:"max_distance"`
	Difference float64           `json:"max_difference"`

	Images   int `json:"images"` // looked at
	Rejected int `json:"rejected"`
	Hashes   int `json:"hashes"` // different ones

	Pairs            int `json:"pairs"`
	Exact            int `json:"exact"`
	Near             int `json:"near"`
	Candidates       int `json:"candidates"`        // pairs of alike hashes, of which pictures were compared
	Crowded          int `json:"crowded"`           // images of a hash that very many have, compared with some of these only
	AcrossIdentities int `json:"across_identities"` // pairs of two labels: one of them is wrong
	AcrossParts      int `json:"across_parts"`      // pairs that leak from one part into another
	Groups           int `json:"groups"`
	Extra            int `json:"extra_images"` // all of the groups but one each

	List    []Duplicate `json:"-"` // the worst first: across parts, across identities, by difference
	Members [][]int     `json:"-"`
	Resumed int         `json:"-"` // images whose hashes were there already

	nobody bool
}

const (
	duplicatesCSV  = "duplicates.csv"
	duplicatesJSON = "duplicates.json"
	groupsCSV      = "groups.csv"
	rejectsCSV     = "rejects.csv"
	duplicatesPNG  = "duplicates.png"
	hashesName     = "hashes.bin"
	lockName       = "lock"
)

// FindDuplicates looks for images that come twice, within an identity and across, within a part and
// across. It hashes every image that the journal in o.Out lacks, searches for hashes that are alike, and compares
// these images' small pictures.
//
// Memory: about 150 bytes an image of VGGFace2, see docs/curation.md for what was measured; 24 for each pair of
// alike hashes, of which there may be twenty million; and one photo a CPU, of those with many pixels one alone.
func FindDuplicates(ctx context.Context, o DuplicateOptions) (*Duplicates, error) {
	o.Progress = progress.Or(o.Progress)
	if err := o.check(); err != nil {
		return nil, err
	}
	list, err := picturesOf(o)
	if err != nil {
		return nil, err
	}
	defer list.close()
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
	h, err := hashAll(ctx, list, filepath.Join(o.Out, hashesName), o.Hashes, o.Progress)
	if err != nil {
		return nil, err
	}
	f := &finder{list: list, h: h, distance: o.Distance, difference: o.Difference, progress: o.Progress}
	if err := f.find(ctx); err != nil {
		return nil, err
	}
	d := &Duplicates{Inputs: list.inputs(), Looked: o.looked(), Distance: o.Distance, Difference: o.Difference,
		Images: list.len(), Rejected: len(h.rejected), Hashes: f.hashes, Candidates: f.candidates, Crowded: f.crowded,
		List: f.found, Resumed: h.resumed, nobody: list.anonymous()}
	d.count()
	return d, d.write(o, list, h)
}

func (o DuplicateOptions) check() error {
	switch {
	case o.Distance < 0 || o.Distance > MaxDistance || !(o.Difference >= 0 && o.Difference <= 128):
		return fmt.Errorf("distance of %d bits and difference of %g, want 0 to %d and 0 to 128", o.Distance, o.Difference, MaxDistance)
	case o.Box && o.Shards != nil:
		return errors.New("samples of shards have no box")
	}
	return nil
}

func (o DuplicateOptions) looked() string {
	switch {
	case o.Shards != nil:
		return "sample"
	case o.Box:
		return "box"
	}
	return "photo"
}

func picturesOf(o DuplicateOptions) (pictures, error) {
	if o.Shards != nil {
		return newShardPictures(o.Shards)
	}
	return newPhotoPictures(o.Manifest, o.Root, o.Split, o.Box)
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
		if !x.SameIdentity && !d.nobody {
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
	rank := map[string]int{AcrossParts: 0, AcrossIdentities: 1, UnknownIdentity: 2, SameIdentity: 3}
	slices.SortStableFunc(d.List, func(x, y Duplicate) int {
		return cmp.Or(cmp.Compare(rank[x.Scope], rank[y.Scope]), cmp.Compare(x.Difference, y.Difference), cmp.Compare(x.Distance, y.Distance))
	})
}
