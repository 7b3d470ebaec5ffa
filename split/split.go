package split

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/rng"
)

// ErrMismatch says that a split and a manifest do not belong together.
var ErrMismatch = errors.New("split and manifest do not belong together")

// ErrOption says that a strategy can't split a manifest's images.
var ErrOption = errors.New("split")

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

// The strategies' names.
const (
	FirstN     = "first-n"
	Ratio      = "ratio"
	ByIdentity = "identity"
	Random     = "random"
)

// Strategies lists the names that Make takes.
func Strategies() []string { return []string{FirstN, Ratio, ByIdentity, Random} }

// Options say how to split.
type Options struct {
	Strategy string  // one of Strategies
	Val      int     // first-n: validation images of each identity
	Ratio    float64 // ratio, identity, random: validation's share, above 0 and below 1
	Seed     uint64  // ratio, identity, random
	MinTrain int     // identities with fewer training images are excluded
}

// Check says what is wrong with the options.
func (o Options) Check() error {
	switch o.Strategy {
	case FirstN:
		if o.Val < 1 {
			return fmt.Errorf("split: %d validation images an identity, want at least 1", o.Val)
		}
	case Ratio, ByIdentity, Random:
		if !(o.Ratio > 0 && o.Ratio < 1) {
			return fmt.Errorf("split: a share of %v for validation, want between 0 and 1", o.Ratio)
		}
	default:
		return fmt.Errorf("split: no strategy %q, there are %v", o.Strategy, Strategies())
	}
	if o.MinTrain < 0 {
		return fmt.Errorf("split: at least %d training images, want 0 or more", o.MinTrain)
	}
	return nil
}

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
}

// Make splits the images of a manifest.
func Make(m *manifest.Reader, o Options) (*Assignment, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if m.Anonymous() && o.Strategy != Random {
		return nil, fmt.Errorf("%w: strategy %s goes by identities, which layout %s has not; take %s", ErrOption, o.Strategy, m.Layout(), Random)
	}
	return assign(m.All(), m.Digest(), m.Anonymous(), o)
}

func assign(records iter.Seq2[*manifest.Record, error], digest string, anonymous bool, o Options) (*Assignment, error) {
	a := &Assignment{Options: o, Manifest: digest, Anonymous: anonymous}
	from := 0 // first row of the identity under way
	flush := func() {
		if from < len(a.Rows) && a.Rows[from].Part != Test {
			a.identity(a.Rows[from:])
		}
		from = len(a.Rows)
	}
	for r, err := range records {
		if err != nil {
			return nil, err
		}
		part := Train
		if r.Subset == manifest.Test {
			part = Test
		}
		if from < len(a.Rows) && (a.Rows[from].ID.Identity != r.ID.Identity || a.Rows[from].Part != part) {
			flush()
		}
		a.Rows = append(a.Rows, Row{ID: r.ID, Part: part})
	}
	flush()
	slices.Sort(a.Classes)
	return a, nil
}

// identity assigns the images of one train identity, which are sorted.
func (a *Assignment) identity(rows []Row) {
	id := rows[0].ID.Identity
	o := a.Options
	val := 0
	switch o.Strategy {
	case FirstN:
		val = min(o.Val, len(rows))
		for i := range val {
			rows[i].Part = Val
		}
	case Ratio:
		// At least one of each kind wherever there are two images.
		val = int(float64(float64(len(rows))*o.Ratio) + 0.5)
		val = max(min(1, len(rows)-1), min(val, len(rows)-1))
		for _, i := range rng.Stream(o.Seed, "split ratio", id).Perm(len(rows))[:val] {
			rows[i].Part = Val
		}
	case ByIdentity:
		if rng.Stream(o.Seed, "split identity", id).Float64() < o.Ratio {
			for i := range rows {
				rows[i].Part = Val
			}
			return // not meant to train
		}
	case Random:
		for i := range rows {
			if rng.Stream(o.Seed, "split random", rows[i].ID.String()).Float64() < o.Ratio {
				rows[i].Part = Val
				val++
			}
		}
	}
	if a.Anonymous {
		return
	}
	train := len(rows) - val
	if train < o.MinTrain {
		reason := fmt.Sprintf("identity has %d training images, fewer than %d", train, o.MinTrain)
		for i := range rows {
			rows[i].Part, rows[i].Reason = Excluded, reason
		}
		a.Dropped = append(a.Dropped, id)
		return
	}
	if train == 0 {
		a.Untrained = append(a.Untrained, id)
		return
	}
	a.Classes = append(a.Classes, id)
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
	Dropped         []string `json:"excluded_identities"`
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
	}
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
