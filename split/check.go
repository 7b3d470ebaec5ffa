package split

import (
	"fmt"

	"github.com/vf2prep/vf2prep/manifest"
)

// Report is the outcome of [Check].
type Report struct {
	Images   int      `json:"images"`
	Problems []string `json:"problems"` // empty: the split is sound
}

// maxProblems is how many problems are spelt out.
const maxProblems = 100

// Check proves of a split in dir that it was made from the manifest, that it says of every image
// of the manifest exactly once where it goes, that train and test identities are disjoint, that
// the classes are the identities that train, and that making it again gives the same split. Of one from
// which images were taken out on request, classes may be without images, and it is not made again.
func Check(dir string, m *manifest.Reader) (*Report, error) {
	s, err := Read(dir)
	if err != nil {
		return nil, err
	}
	r := &Report{Problems: []string{}}
	if s.Manifest != m.Digest() {
		return nil, fmt.Errorf("%s was made from manifest %s, this one is %s: %w", dir, s.Manifest, m.Digest(), ErrMismatch)
	}
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
	for rec, err := range m.All() {
		if err != nil {
			return nil, err
		}
		r.Images++
		p, ok := where[rec.ID]
		switch {
		case !ok:
			r.add("%s of the manifest is in no part", rec.ID)
		case (rec.Subset == manifest.Test) != (p == Test):
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
	if s.Options.Strategy == ByIdentity {
		for id := range identities[Val] {
			if identities[Train][id] {
				r.add("identity %s is in train and in val", id)
			}
		}
	}
	if s.Forgotten > 0 { // what is left is no longer what the strategy makes of what is left
		return r, nil
	}
	return r, r.again(s, m)
}

// again makes the split anew and compares.
func (r *Report) again(s *Split, m *manifest.Reader) error {
	a, err := Make(m, s.Options)
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
	}
	return nil
}

func (r *Report) add(format string, args ...any) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}
