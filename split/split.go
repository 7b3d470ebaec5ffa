package split

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/vf2prep/vf2prep/manifest"
)

// ErrMismatch says that a split and a manifest do not belong together.
var ErrMismatch = errors.New("split and manifest do not belong together")

// ErrCorrupt says that the files of a split are not what was written.
var ErrCorrupt = errors.New("split: corrupt")

// Part is where an image goes.
type Part uint8

// The parts, in the order in which they are listed.
const (
	Train Part = iota
	Val
	Test
	Excluded
	parts
)

var partNames = [parts]string{"train", "val", "test", "excluded"}

// String returns "train", "val", "test" or "excluded".
func (p Part) String() string { return partNames[p] }

// Row is where one image goes.
type Row struct {
	ID     manifest.ImageID
	Part   Part
	Reason string // of Excluded
}

// Assignment is a whole split, rows in the manifest's order: train identities, then test.
type Assignment struct {
	Options  Options
	Manifest string // digest
	Inputs   []Input
	Rows     []Row
	Classes  []string // identities that train, sorted; an identity's place is its label

	// Anonymous says that images show nobody in particular: there are no classes, and no image
	// has a label.
	Anonymous bool

	// Untrained are the train identities without a training image although nothing excluded
	// them; their validation images have no label.
	Untrained []string
	// Dropped are the identities that MinTrain excluded.
	Dropped []string

	cells     []uint8 // of each row, see draw
	strata    []uint8 // of each row; nil where nothing is stratified
	test      int     // the first row of the official test set
	listed    int     // images that Inputs.Exclude excluded
	forgotten int     // images that Inputs.Tombstones excluded
	together  *DuplicateCounts
	stars     [][2]int32 // rows of an image and of the first image of its component
}

// Make splits the images of a manifest.
func Make(m *manifest.Reader, o Options) (*Assignment, error) { return MakeWith(m, o, Inputs{}) }

// MakeWith is [Make] with lists of what to leave out and of what to keep together. The error wraps
// [ErrUnknown] where a list names what the manifest has not.
func MakeWith(m *manifest.Reader, o Options, in Inputs) (*Assignment, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if m.Anonymous() && o.Strategy != Random && o.Strategy != KFold {
		return nil, fmt.Errorf("%w: strategy %s goes by identities, which layout %s has not; take %s or %s", ErrOption, o.Strategy, m.Layout(), Random, KFold)
	}
	if err := checkTraits(m, o.Stratify); err != nil {
		return nil, err
	}
	in.named = func(id string) bool {
		_, ok := slices.BinarySearchFunc(m.Identities(), id, func(p manifest.Identity, id string) int {
			return manifest.ImageID{Identity: p.ID}.Compare(manifest.ImageID{Identity: id})
		})
		return ok
	}
	return assign(m.All(), m.Digest(), m.Anonymous(), o, in)
}

func assign(records iter.Seq2[*manifest.Record, error], digest string, anonymous bool, o Options, in Inputs) (*Assignment, error) {
	a := &Assignment{Options: o, Manifest: digest, Anonymous: anonymous}
	for r, err := range records {
		if err != nil {
			return nil, err
		}
		part := Train
		if r.Subset == manifest.Test {
			part = Test
		} else {
			a.test++
		}
		a.Rows = append(a.Rows, Row{ID: r.ID, Part: part})
		if o.Stratify != 0 {
			a.strata = append(a.strata, stratum(r, o.Stratify))
		}
	}
	a.cells = make([]uint8, len(a.Rows))
	for lo, hi := range a.identities() {
		a.draw(lo, hi)
	}
	if err := a.leaveOut(in); err != nil {
		return nil, err
	}
	if err := a.keepTogether(in); err != nil {
		return nil, err
	}
	a.drop()
	a.place()
	return a, nil
}

// identities yields the rows, from lo to before hi, of each train identity.
func (a *Assignment) identities() iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for lo := 0; lo < a.test; {
			hi := lo + 1
			for hi < a.test && a.Rows[hi].ID.Identity == a.Rows[lo].ID.Identity {
				hi++
			}
			if !yield(lo, hi) {
				return
			}
			lo = hi
		}
	}
}

// drop excludes identities with fewer than MinTrain training images. Of k-fold the fold with the
// fewest counts, so that all folds exclude the same.
func (a *Assignment) drop() {
	o := a.Options
	for lo, hi := range a.identities() {
		var cells [maxFolds]int
		kept := 0
		for i := lo; i < hi; i++ {
			if a.Rows[i].Part != Excluded {
				cells[a.cells[i]]++
				kept++
			}
		}
		train, where := kept, ""
		switch {
		case kept == 0 || a.Anonymous || o.Strategy == ByIdentity && a.cells[lo] == 1: // not meant to train
			continue
		case o.Strategy == KFold && o.FoldBy == FoldImages:
			train, where = kept-slices.Max(cells[:o.Folds]), " in a fold"
		case o.Strategy != KFold:
			train = kept - cells[1]
		}
		if train >= o.MinTrain {
			continue
		}
		reason := fmt.Sprintf("identity has %d training images%s, fewer than %d", train, where, o.MinTrain)
		for i := lo; i < hi; i++ {
			if a.Rows[i].Part != Excluded {
				a.Rows[i].Part, a.Rows[i].Reason = Excluded, reason
			}
		}
		a.Dropped = append(a.Dropped, a.Rows[lo].ID.Identity)
	}
}

// place turns cells into parts and finds the classes.
func (a *Assignment) place() {
	a.Classes, a.Untrained = nil, nil
	for lo, hi := range a.identities() {
		var n [parts]int
		for i := lo; i < hi; i++ {
			r := &a.Rows[i]
			if r.Part == Train || r.Part == Val {
				r.Part = Train
				if a.cells[i] == a.Options.val() {
					r.Part = Val
				}
			}
			n[r.Part]++
		}
		switch id := a.Rows[lo].ID.Identity; {
		case a.Anonymous:
		case n[Train] > 0:
			a.Classes = append(a.Classes, id)
		case n[Val] > 0 && !a.Options.wholeIdentities():
			a.Untrained = append(a.Untrained, id)
		}
	}
	slices.Sort(a.Classes)
}

// Fold returns the same k-fold split with fold i for validation. What is excluded is excluded from
// every fold.
func (a *Assignment) Fold(i int) *Assignment {
	b := *a
	b.Options.Fold = i
	b.Rows = slices.Clone(a.Rows)
	b.place()
	return &b
}

// Labels returns each class's label: its place in Classes.
func (a *Assignment) Labels() map[string]int32 {
	m := make(map[string]int32, len(a.Classes))
	for i, c := range a.Classes {
		m[c] = int32(i)
	}
	return m
}

// Counts are what a split comes to.
type Counts struct {
	Train           int      `json:"train_images"`
	Val             int      `json:"val_images"`
	Test            int      `json:"test_images"`
	Excluded        int      `json:"excluded_images"`
	TrainIdentities int      `json:"train_identities"`
	ValIdentities   int      `json:"val_identities"`
	TestIdentities  int      `json:"test_identities"`
	Untrained       []string `json:"identities_without_training_image"`
	Dropped         []string `json:"excluded_identities"` // with too few training images

	Listed     int              `json:"listed_images,omitempty"`    // excluded by an exclusion list
	Forgotten  int              `json:"forgotten_images,omitempty"` // excluded by tombstones
	Duplicates *DuplicateCounts `json:"duplicates,omitempty"`
	Strata     []Stratum        `json:"strata,omitempty"`
}

// Counts returns the numbers of images and identities of each part.
func (a *Assignment) Counts() Counts {
	var images, identities [parts]int
	var last [parts]string
	for _, r := range a.Rows {
		images[r.Part]++
		if a.Anonymous {
			continue
		}
		if last[r.Part] != r.ID.Identity {
			last[r.Part] = r.ID.Identity
			identities[r.Part]++
		}
	}
	return Counts{
		Train: images[Train], Val: images[Val], Test: images[Test], Excluded: images[Excluded],
		TrainIdentities: identities[Train], ValIdentities: identities[Val], TestIdentities: identities[Test],
		Untrained: notNil(a.Untrained), Dropped: notNil(a.Dropped),
		Listed: a.listed, Forgotten: a.forgotten, Duplicates: a.together, Strata: a.shares(),
	}
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
