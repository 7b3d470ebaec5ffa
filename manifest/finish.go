package manifest

import (
	"context"
	"slices"
	"unsafe"

	"github.com/vf2prep/vf2prep/face"
)

// finish looks at what was joined and records what does not fit.
func (b *builder) finish() {
	given := inputKinds{
		boxes: b.loaded[kindBoxes], landmarks: b.loaded[kindLandmarks],
		trainList: b.listed[Train], testList: b.listed[Test],
	}
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
			guessed = b.check(p, i, given) || guessed
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
	case b.o.Layout != VGGFace2 && p.listed: // directories say nothing
		return p.Subset
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

// inputKinds says what there is to hold a row against.
type inputKinds struct{ boxes, landmarks, trainList, testList bool }

// check sets the subset and the problems of one row and reports whether its subset had to be
// guessed.
func (b *builder) check(p *person, i int, given inputKinds) (guessed bool) {
	r := &p.rows[i]
	subset := b.subset(p, r)
	if subset == "" {
		subset, guessed = Train, true
	}
	inList, other, listed := listedTrain, listedTest, given.trainList
	if subset == Test {
		inList, other, listed = listedTest, listedTrain, given.testList
		r.flags |= isTest
		p.test++
	}
	if !r.is(hasFile) {
		r.set(NoImage)
	} else if listed && !r.is(inList) {
		r.set(Unlisted)
	}
	if r.is(other) && !r.is(inList) || p.listed && p.Subset != subset {
		r.set(SubsetConflict)
	}
	f := p.file(i)
	w, h := float64(f.width), float64(f.height)
	if !r.is(hasBox) {
		if given.boxes {
			r.set(NoBox)
		}
	} else if box := r.faceBox(); box.Empty() {
		r.set(BoxEmpty)
	} else if w > 0 && box.Intersect(face.Box{W: w, H: h}).Empty() {
		r.set(BoxOutside)
	}
	if !r.is(hasMarks) {
		if given.landmarks {
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

// span is the rows of a person that belong to one subset.
type span struct {
	first  int // place of its first row in the manifest
	person *person
	subset Subset
}

// spans lists the rows in the manifest's order.
func (b *builder) spans() (list []span, rows int) {
	for _, subset := range []Subset{Train, Test} {
		for _, p := range b.store.people {
			n := p.test
			if subset == Train {
				n = len(p.rows) - p.test
			}
			if n > 0 {
				list = append(list, span{rows, p, subset})
				rows += n
			}
		}
	}
	return list, rows
}

// fill encodes the rows of the row group that begins with row first.
func (b *builder) fill(ctx context.Context, spans []span, first int, g *group, done func(rows int)) error {
	codes := problemSets{}
	records := make([]Record, 0, batchRows)
	var paths []byte // of the records; they read it where it lies
	flush := func() error {
		err := g.add(records)
		done(len(records))
		records, paths = records[:0], paths[:0]
		return err
	}
	at, _ := slices.BinarySearchFunc(spans, first, func(s span, first int) int { return s.first - first })
	if at == len(spans) || spans[at].first > first {
		at--
	}
	skip, left := first-spans[at].first, rowGroupRows
	for _, s := range spans[at:] {
		if err := ctx.Err(); err != nil {
			return err
		}
		test := s.subset == Test
		for i := range s.person.rows {
			r := &s.person.rows[i]
			if r.is(isTest) != test {
				continue
			}
			if skip > 0 {
				skip--
				continue
			}
			// A buffer that grows leaves the old one to the records that read it.
			from := len(paths)
			if s.person.names != nil {
				paths = append(paths, b.path(s.person, i)...)
			} else {
				paths = r.appendPath(paths, b.prefix, s.subset, s.person.ID)
			}
			records = append(records, Record{})
			b.record(&records[len(records)-1], s.person, i, s.subset)
			records[len(records)-1].Path = unsafe.String(&paths[from], len(paths)-from)
			records[len(records)-1].Problems = codes.get(r.problems)
			left--
			if len(records) == batchRows || left == 0 {
				if err := flush(); err != nil {
					return err
				}
			}
			if left == 0 {
				return nil
			}
		}
	}
	return flush()
}

func (b *builder) record(rec *Record, p *person, i int, subset Subset) {
	r := &p.rows[i]
	f := p.file(i)
	*rec = Record{
		ID:         ImageID{p.ID, int32(r.key >> 32), int32(uint32(r.key))},
		Subset:     subset,
		Width:      int32(f.width),
		Height:     int32(f.height),
		Components: int8(f.components),
		Format:     formats[f.format],
		Bytes:      f.bytes,
		XXH3:       f.xxh3,
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
