package split

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"github.com/vf2prep/vf2prep/manifest"
)

// Report is the outcome of [Check].
type Report struct {
	Images   int      `json:"images"`
	Folds    int      `json:"folds,omitempty"` // that were checked
	Problems []string `json:"problems"`        // empty: the split is sound
}

// maxProblems is how many problems are spelt out.
const maxProblems = 100

// Check proves of a split in dir that it was made from the manifest, that it says of every image
// of the manifest exactly once where it goes, that train and test identities are disjoint, that
// the classes are the identities that train, that the faces of photos and components of duplicates are
// together where that was asked for, and that making it again gives the same split. Of one from which images
// were taken out on request, classes may be without images, and it is not made again.
//
// Of the folds that split make writes at once it proves that of each, and that each image is in
// val in exactly one of them or excluded from all.
func Check(dir string, m *manifest.Reader) (*Report, error) { return CheckWith(dir, m, Inputs{}) }

// CheckWith is [Check] with the lists that the split was made with. Without them the split's own
// record of what they named in the manifest has to do.
func CheckWith(dir string, m *manifest.Reader, in Inputs) (*Report, error) {
	if _, err := os.Stat(filepath.Join(dir, jsonName)); os.IsNotExist(err) {
		if _, err := os.Stat(filepath.Join(FoldDir(dir, 0), jsonName)); err == nil {
			return checkFolds(dir, m, in)
		}
	}
	r := &Report{Problems: []string{}}
	_, err := r.check(dir, m, in)
	return r, err
}

func (r *Report) check(dir string, m *manifest.Reader, given Inputs) (*Split, error) {
	s, err := Read(dir)
	if err != nil {
		return nil, err
	}
	if s.Manifest != m.Digest() {
		return nil, fmt.Errorf("%s was made from manifest %s, this one is %s: %w", dir, s.Manifest, m.Digest(), ErrMismatch)
	}
	in, err := s.recorded()
	if err != nil {
		return nil, err
	}
	in = r.given(s, in, given)
	where := map[manifest.ImageID]Part{}
	identities := [parts]map[string]bool{}
	for p := range parts {
		identities[p] = map[string]bool{}
		for _, id := range s.Parts[p] {
			if q, ok := where[id]; ok {
				r.add("%s is in %s and in %s", id, q, p)
			}
			where[id] = p
			identities[p][id.Identity] = true
		}
	}
	r.together(s, in.Duplicates, where)
	r.Images = 0
	for rec, err := range m.All() {
		if err != nil {
			return nil, err
		}
		r.Images++
		p, ok := where[rec.ID]
		switch {
		case !ok:
			r.add("%s of the manifest is in no part", rec.ID)
		case p != Excluded && (rec.Subset == manifest.Test) != (p == Test):
			r.add("%s belongs to the official %s set but is in %s", rec.ID, rec.Subset, p)
		}
		delete(where, rec.ID)
	}
	for id, p := range where {
		r.add("%s of %s is not in the manifest", id, p)
	}
	for id := range identities[Test] {
		if identities[Train][id] || identities[Val][id] {
			r.add("identity %s is in train or val and in test", id)
		}
	}
	if m.Anonymous() {
		if len(s.Classes) > 0 {
			r.add("%d classes, but the manifest has no identities", len(s.Classes))
		}
	} else if s.Forgotten == 0 && len(s.Classes) != len(identities[Train]) {
		r.add("%d classes, but %d identities train", len(s.Classes), len(identities[Train]))
	}
	for _, c := range s.Classes {
		if !identities[Train][c] && s.Forgotten == 0 {
			r.add("class %s has no training image", c)
		}
	}
	if s.Options.wholeIdentities() {
		for id := range identities[Val] {
			if identities[Train][id] {
				r.add("identity %s is in train and in val", id)
			}
		}
	}
	if s.Forgotten > 0 { // what is left is no longer what the strategy makes of what is left
		return s, nil
	}
	return s, r.again(s, m, in)
}

// again makes the split anew and compares.
func (r *Report) again(s *Split, m *manifest.Reader, in Inputs) error {
	a, err := MakeWith(m, s.Options, in)
	if err != nil {
		return err
	}
	var next [parts]int
	for _, row := range a.Rows {
		list := s.Parts[row.Part]
		i := next[row.Part]
		next[row.Part]++
		if i >= len(list) || list[i] != row.ID {
			r.add("%s: strategy %s puts %s at place %d", row.Part, s.Options.Strategy, row.ID, i+1)
			return nil
		}
		if row.Part == Excluded && s.reasons[i] != row.Reason {
			r.add("%s is excluded because of %q, want %q", row.ID, s.reasons[i], row.Reason)
			return nil
		}
	}
	if got, want := s.Counts, a.Counts(); !reflect.DeepEqual(got, want) {
		r.add("split.json counts %+v, want %+v", got, want)
	}
	return nil
}

func (r *Report) add(format string, args ...any) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}
