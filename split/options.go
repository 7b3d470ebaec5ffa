package split

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrOption says that a strategy can't split a manifest's images.
var ErrOption = errors.New("split")

// The strategies' names.
const (
	FirstN     = "first-n"
	Ratio      = "ratio"
	ByIdentity = "identity"
	Random     = "random"
	KFold      = "k-fold"
)

// Strategies lists the names that Make takes.
func Strategies() []string { return []string{FirstN, Ratio, ByIdentity, Random, KFold} }

// What the folds of [KFold] are made of.
const (
	FoldImages     = "images"     // each fold validates a share of each identity's images
	FoldIdentities = "identities" // each fold validates a share of the identities, with all their images
)

// Photo is the group of the faces that were found in one photo: they share identity and image number.
const Photo = "photo"

// maxFolds is beyond what anybody trains; a fold is a byte.
const maxFolds = 100

// Options say how to split.
type Options struct {
	Strategy string  // one of Strategies
	Val      int     // first-n: validation images of each identity
	Ratio    float64 // ratio, identity, random: validation's share, above 0 and below 1
	Seed     uint64  // all but first-n
	MinTrain int     // identities with fewer training images are excluded

	Folds  int    // k-fold: how many, 2 to 100
	Fold   int    // k-fold: the one that validates, from 0
	FoldBy string // k-fold: FoldImages or FoldIdentities

	Group    string // Photo keeps the faces of a photo in one part; "" does not
	Stratify Traits // strata that get the same share of validation; not of first-n
}

// Check says what is wrong with the options.
func (o Options) Check() error {
	switch o.Strategy {
	case FirstN:
		if o.Val < 1 {
			return fmt.Errorf("split: %d validation images an identity, want at least 1", o.Val)
		}
		if o.Stratify != 0 {
			return fmt.Errorf("split: %s goes by number and draws nothing that could be stratified; take another strategy", o.Strategy)
		}
	case Ratio, ByIdentity, Random:
		if !(o.Ratio > 0 && o.Ratio < 1) {
			return fmt.Errorf("split: a share of %v for validation, want between 0 and 1", o.Ratio)
		}
	case KFold:
		switch {
		case o.Folds < 2 || o.Folds > maxFolds:
			return fmt.Errorf("split: %d folds, want 2 to %d", o.Folds, maxFolds)
		case o.Fold < 0 || o.Fold >= o.Folds:
			return fmt.Errorf("split: fold %d of %d, want 0 to %d", o.Fold, o.Folds, o.Folds-1)
		case o.FoldBy != FoldImages && o.FoldBy != FoldIdentities:
			return fmt.Errorf("split: folds of %q, want %s or %s", o.FoldBy, FoldImages, FoldIdentities)
		}
	default:
		return fmt.Errorf("split: no strategy %q, there are %v", o.Strategy, Strategies())
	}
	if o.MinTrain < 0 {
		return fmt.Errorf("split: at least %d training images, want 0 or more", o.MinTrain)
	}
	if o.Group != "" && o.Group != Photo {
		return fmt.Errorf("split: group %q, want %s", o.Group, Photo)
	}
	if o.Stratify >= allTraits {
		return fmt.Errorf("split: no such traits as %d", o.Stratify)
	}
	return nil
}

// wholeIdentities reports whether train and validation may share nobody.
func (o Options) wholeIdentities() bool {
	return o.Strategy == ByIdentity || o.Strategy == KFold && o.FoldBy == FoldIdentities
}

// val is the cell that validates.
func (o Options) val() uint8 {
	if o.Strategy == KFold {
		return uint8(o.Fold)
	}
	return 1
}

// Traits is a set of what strata are told apart by.
type Traits uint8

// What strata may be told apart by.
const (
	Age    Traits = 1 << iota // tens of years
	Gender                    // f or m
	Pose                      // frontal, three-quarter or profile, by the landmarks
	allTraits
)

var traitNames = []string{"age", "gender", "pose"}

// String returns the names with commas between them, "age,pose", and "" of none.
func (t Traits) String() string {
	var out []string
	for i, name := range traitNames {
		if t>>i&1 == 1 {
			out = append(out, name)
		}
	}
	return strings.Join(out, ",")
}

// ParseTraits reads what String writes, in any order.
func ParseTraits(s string) (t Traits, err error) {
	for name := range strings.SplitSeq(s, ",") {
		i := slices.Index(traitNames, strings.TrimSpace(name))
		switch {
		case s == "":
		case i < 0:
			return 0, fmt.Errorf("%q is none of %s", name, strings.Join(traitNames, ", "))
		default:
			t |= 1 << i
		}
	}
	return t, nil
}

// MarshalText writes t as String does.
func (t Traits) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (t *Traits) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTraits(string(b))
	return err
}
