package split

import (
	"fmt"
	"strings"

	"github.com/vf2prep/vf2prep/manifest"
)

// recorded returns the lists that a split was made with, as far as its own files tell: the images
// that lists excluded, each by itself, and the components of duplicates.
func (s *Split) recorded() (Inputs, error) {
	in := Inputs{AllowUnknown: true}
	for i, id := range s.Parts[Excluded] {
		reason := s.reasons[i]
		into := &in.Exclude
		switch {
		case reason == forgottenReason:
			into = &in.Tombstones
		case reason != listedReason && !strings.HasPrefix(reason, listedReason+": "):
			continue
		}
		if *into == nil {
			*into = newExclusions(fileName(Excluded))
		}
		if err := (*into).add(id.String(), reason, i+2); err != nil {
			return in, err
		}
	}
	if _, ok := s.lists[duplicatesName]; !ok {
		return in, nil
	}
	f, _, err := s.openFile(duplicatesName)
	if err != nil {
		return in, err
	}
	defer f.Close()
	in.Duplicates = newDuplicates(duplicatesName)
	if err := in.Duplicates.parse(f); err != nil {
		return in, fmt.Errorf("%s:%w: %w", f.Name(), err, ErrCorrupt)
	}
	return in, nil
}

// given puts the lists of a caller in the place of the recorded ones, once they have been found to be those that the
// split was made with.
func (r *Report) given(s *Split, recorded, given Inputs) Inputs {
	is := func(kind, file, digest string) bool {
		for _, in := range s.Inputs {
			if in.Kind == kind {
				if in.Digest != digest {
					r.add("%s: digest %s, the split was made with %s %s", file, digest, kind, in.Digest)
				}
				return in.Digest == digest
			}
		}
		r.add("%s: the split was made without %s", file, kind)
		return false
	}
	if x := given.Exclude; x != nil && is("exclude", x.File, x.Digest) {
		recorded.Exclude = x
	}
	if x := given.Tombstones; x != nil && is("tombstones", x.File, x.Digest) {
		recorded.Tombstones = x
	}
	if d := given.Duplicates; d != nil && is("duplicates", d.File, d.Digest) {
		recorded.Duplicates = d
	}
	return recorded
}

// together proves that photos and components of duplicates have all their images in one of train,
// val and test. What is excluded is nowhere.
func (r *Report) together(s *Split, d *Duplicates, where map[manifest.ImageID]Part) {
	if s.Options.Group == Photo {
		type place struct {
			id   manifest.ImageID
			part Part
		}
		photos := map[manifest.ImageID]place{}
		for p := Train; p < Excluded; p++ {
			for _, id := range s.Parts[p] {
				photo := id
				photo.Face = 0
				if first, ok := photos[photo]; !ok {
					photos[photo] = place{id, p}
				} else if first.part != p {
					r.add("%s of %s and %s of %s are faces of one photo", first.id, first.part, id, p)
				}
			}
		}
	}
	if d == nil {
		return
	}
	connected := newSets(len(d.images))
	for _, p := range d.pairs {
		connected.join(p[0], p[1])
	}
	first := map[int32]manifest.ImageID{}
	for n, id := range d.images {
		p, ok := where[id]
		if !ok || p == Excluded {
			continue
		}
		root := connected.root(int32(n))
		if other, ok := first[root]; !ok {
			first[root] = id
		} else if where[other] != p {
			r.add("%s of %s and %s of %s are duplicates", other, where[other], id, p)
		}
	}
}
