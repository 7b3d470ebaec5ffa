package manifest

import (
	"context"
	"slices"

	"github.com/vf2prep/vf2prep/face"
)

// finish looks at what was joined and records what does not fit.
func (b *builder) finish() {
	for _, p := range b.store.people {
		if len(p.rows) == 0 {
			continue
		}
		if b.loaded[kindIdentityMeta] && !p.listed {
			b.log.add(UnknownIdentity, "", 0, "%s has %d images, but identity_meta does not name it", p.ID, len(p.rows))
		}
		files, guessed := 0, false
		for i := range p.rows {
			r := &p.rows[i]
			if r.is(hasFile) && !r.has(NoImage) {
				files++
			}
			guessed = b.check(p, r) || guessed
		}
		if guessed {
			b.log.add(NoSubset, "", 0, "%s: nothing tells its subset; taken for train", p.ID)
		}
		if p.Samples >= 0 && p.Samples != files {
			b.log.add(SampleCount, "", 0, "%s has %d images, Sample_Num says %d", p.ID, files, p.Samples)
		}
		if p.Subset == "" {
			p.Subset = b.subset(p, &p.rows[0])
		}
	}
	// An identity that has no image at all shows in the counts too.
	for _, p := range b.store.people {
		if len(p.rows) == 0 && p.Samples > 0 {
			b.log.add(SampleCount, "", 0, "%s has 0 images, Sample_Num says %d", p.ID, p.Samples)
		}
	}
}

// subset decides by directory, then list, then Flag, then the name of the file of boxes or
// landmarks; "" where nothing tells.
func (b *builder) subset(p *person, r *row) Subset {
	switch {
	case r.is(onDiskTrain):
		return Train
	case r.is(onDiskTest):
		return Test
	case r.is(listedTrain) && !r.is(listedTest):
		return Train
	case r.is(listedTest) && !r.is(listedTrain):
		return Test
	case p.listed:
		return p.Subset
	case r.is(labelTest) && !r.is(labelTrain):
		return Test
	case r.is(labelTrain):
		return Train
	}
	return ""
}

// check sets the problems of one row and reports whether its subset had to be guessed.
func (b *builder) check(p *person, r *row) (guessed bool) {
	subset := b.subset(p, r)
	if subset == "" {
		subset, guessed = Train, true
	}
	inList, other := listedTrain, listedTest
	if subset == Test {
		inList, other = listedTest, listedTrain
	}
	if !r.is(hasFile) {
		r.set(NoImage)
	} else if b.listed[subset] && !r.is(inList) {
		r.set(Unlisted)
	}
	if r.is(other) && !r.is(inList) || p.listed && p.Subset != subset {
		r.set(SubsetConflict)
	}
	w, h := float64(r.width), float64(r.height)
	if !r.is(hasBox) {
		if b.loaded[kindBoxes] {
			r.set(NoBox)
		}
	} else if box := r.faceBox(); box.Empty() {
		r.set(BoxEmpty)
	} else if w > 0 && box.Intersect(face.Box{W: w, H: h}).Empty() {
		r.set(BoxOutside)
	}
	if !r.is(hasMarks) {
		if b.loaded[kindLandmarks] {
			r.set(NoLandmarks)
		}
		return guessed
	}
	for _, m := range r.landmarks() {
		// A point counts from the centre of the first pixel.
		if w > 0 && (m.X < -0.5 || m.Y < -0.5 || m.X > w-0.5 || m.Y > h-0.5) {
			r.set(LandmarksOutside)
		}
	}
	return guessed
}

func (r *row) faceBox() face.Box {
	return face.Box{X: float64(r.box[0]), Y: float64(r.box[1]), W: float64(r.box[2]), H: float64(r.box[3])}
}

func (r *row) landmarks() (l face.Landmarks) {
	for i := range l {
		l[i] = face.Point{X: float64(r.marks[2*i]), Y: float64(r.marks[2*i+1])}
	}
	return l
}

// records yields the rows as records, in the manifest's order. The record is valid until the
// next one: making one anew for each of millions of rows would double the memory that is needed.
func (b *builder) records(ctx context.Context, yield func(*Record) error) error {
	codes := problemSets{}
	var rec Record
	for _, subset := range []Subset{Train, Test} {
		for _, p := range b.store.people {
			if err := ctx.Err(); err != nil {
				return err
			}
			for i := range p.rows {
				r := &p.rows[i]
				s := b.subset(p, r)
				if s == "" {
					s = Train
				}
				if s != subset {
					continue
				}
				b.record(&rec, p, r, s)
				rec.Problems = codes.get(r.problems)
				if err := yield(&rec); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *builder) record(rec *Record, p *person, r *row, subset Subset) {
	*rec = Record{
		ID:         ImageID{p.ID, int32(r.key >> 32), int32(uint32(r.key))},
		Subset:     subset,
		Path:       r.path(b.prefix, subset, p.ID),
		Width:      int32(r.width),
		Height:     int32(r.height),
		Components: int8(r.components),
		Format:     formats[r.format],
		Bytes:      r.bytes,
		XXH3:       r.xxh3,
		Gender:     p.Gender,
		Age:        r.age,
		AgeSource:  b.store.ageSources[r.ageSource],
		Attributes: Attributes{names: b.store.attributes},
	}
	if r.ageSource == 0 {
		rec.Age, rec.AgeSource = p.Age, b.store.ageSources[p.ageSource]
	}
	if r.is(hasBox) {
		rec.HasBox, rec.Box = true, r.faceBox()
	}
	if r.is(hasMarks) {
		rec.HasLandmarks, rec.Landmarks = true, r.landmarks()
	}
	if r.attr > 0 {
		a := p.attrs[r.attr-1]
		rec.Attributes.known, rec.Attributes.yes = a.known, a.yes
	}
}

// problemSets keeps one sorted list of codes for each set of bits that occurs.
type problemSets map[uint32][]string

func (s problemSets) get(bits uint32) []string {
	if bits == 0 {
		return nil
	}
	list, ok := s[bits]
	if !ok {
		for i, code := range rowCodes {
			if bits>>i&1 == 1 {
				list = append(list, code)
			}
		}
		slices.Sort(list)
		s[bits] = list
	}
	return list
}
