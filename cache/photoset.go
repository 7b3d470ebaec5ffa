package cache

import (
	"fmt"

	"github.com/zeebo/xxh3"

	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/jpeg"
)

// PhotoOptions say which photos [OpenPhotos] reads.
type PhotoOptions struct {
	Manifest string // file
	Split    string // directory
	Root     string // of the data set
	Scratch  string // directory for some 100 bytes a photo, which are gone after Close
	Seed     uint64 // of the photos' order, which is that of samples of the same seed
}

// Photos are the photos of a split as they are stored, for those who want files instead of
// samples. Many goroutines may use it at once.
type Photos struct {
	plan  *Plan
	items *items
	tree  *tree
}

// Photo is all that is known of a photo.
type Photo struct {
	Key       string
	Label     int32           // class, -1 none
	Age       float32         // years, NaN unknown
	Gender    int8            // 0 male, 1 female, -1 unknown
	Box       *face.Box       // pixels of the stored image, nil unknown
	Landmarks *face.Landmarks // the same
	Bytes     int64           // the file's length as the manifest has it, 0 unknown

	item item
}

// OpenPhotos joins manifest and split.
func OpenPhotos(o PhotoOptions) (*Photos, error) {
	r, err := LoadRecipe("whole-112", "") // any: pixels are not made
	if err != nil {
		return nil, err
	}
	plan, err := MakePlan(PlanOptions{Manifest: o.Manifest, Split: o.Split, Recipe: r, Out: o.Scratch, Seed: o.Seed, ShardSize: 1 << 30})
	if err != nil {
		return nil, err
	}
	p := &Photos{plan: plan}
	if p.tree, err = openTree(o.Root); err != nil {
		return nil, err
	}
	if p.items, err = plan.collect(o.Scratch, false); err != nil {
		p.tree.close()
		return nil, err
	}
	return p, nil
}

// Close gives back what [OpenPhotos] took.
func (p *Photos) Close() error {
	p.items.close()
	p.tree.close()
	return nil
}

// Manifest returns the manifest's digest.
func (p *Photos) Manifest() string { return p.plan.manifest }

// Split returns the split's digest.
func (p *Photos) Split() string { return p.plan.split.Digest }

// Classes returns the identity of each label.
func (p *Photos) Classes() []string { return p.plan.split.Classes }

// Parts returns the names of the parts and how many photos each has.
func (p *Photos) Parts() (names []string, counts []int) {
	for _, part := range p.plan.Parts {
		names, counts = append(names, part.Part), append(counts, part.Images)
	}
	return names, counts
}

// Photo returns photo i of a part, in the part's seeded order.
func (p *Photos) Photo(part string, i int) (Photo, error) {
	at := 0
	for _, q := range p.plan.Parts {
		if q.Part == part && i >= 0 && i < q.Images {
			var scratch []byte
			it, err := p.items.read(p.items.order[at+i], &scratch)
			if err != nil {
				return Photo{}, err
			}
			return Photo{it.key, it.label, it.age, it.gender, it.faceBox(), it.faceLandmarks(), it.bytes, it}, nil
		}
		at += q.Images
	}
	return Photo{}, fmt.Errorf("cache: photo %d of part %q: there is none", i, part)
}

// Read appends the bytes of a photo to buf. A photo that can't be read, that is no JPEG or that is
// not the one the manifest knows is a *[Rejection]; the pixels are not decoded.
func (p *Photos) Read(ph *Photo, buf []byte) ([]byte, error) {
	if ph.item.problem != "" {
		return buf, &Rejection{"manifest", ph.item.problem, ""}
	}
	f, err := p.tree.open(ph.item.path)
	if err != nil {
		return buf, err
	}
	defer f.close()
	start := len(buf)
	out, err := readAll(f, buf)
	if err != nil {
		return buf, err
	}
	b := out[start:]
	if want := ph.item.xxh3; want != 0 {
		if got := xxh3.Hash(b); got != want {
			return buf, &Rejection{"read", "changed since the manifest", fmt.Sprintf("XXH3 %016x, want %016x", got, want)}
		}
	}
	if _, err := jpeg.ReadHeader(b); err != nil {
		return buf, &Rejection{"decode", decodeReason(err, len(b)), err.Error()}
	}
	return out, nil
}
