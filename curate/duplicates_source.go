package curate

import (
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/zeebo/xxh3"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/sheet"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/pixel"
	"github.com/vf2prep/vf2prep/shard"
	"github.com/vf2prep/vf2prep/split"
)

// pictures is a list of images in a fixed order. Several goroutines may ask at once.
type pictures interface {
	digest() string // of all that decides what the list holds
	len() int
	key(i int) string
	part(i int) string // "train", "val", ..; of photos without a split their subset
	// shrink fills t with image i and returns a digest of the image's own bytes. What is wrong with the image
	// is a *cache.Rejection.
	shrink(i int, t *thumb) (exact uint64, err error)
	show(i int) (image.Image, error)
}

// thumbRecipe makes a small picture of a whole photo.
var thumbRecipe = &cache.Recipe{Name: "thumb", Geometry: cache.Whole, Height: side, Width: side, Sampling: "antialias", Channels: "rgb"}

// shardPictures are the samples of a shard set, part by part.
type shardPictures struct {
	set   *shard.Set
	parts []*shard.Part
	ends  []int
}

func newShardPictures(set *shard.Set) (*shardPictures, error) {
	s := &shardPictures{set: set}
	n := 0
	for _, name := range set.Parts() {
		p, err := set.Part(name)
		if err != nil {
			return nil, err
		}
		n += p.Len()
		s.parts, s.ends = append(s.parts, p), append(s.ends, n)
	}
	if c := set.Index().Shape[0]; c != 3 {
		return nil, fmt.Errorf("samples of %d planes, want 3", c)
	}
	return s, nil
}

func (s *shardPictures) digest() string { return s.set.Digest() }
func (s *shardPictures) len() int       { return s.ends[len(s.ends)-1] }

func (s *shardPictures) at(i int) (*shard.Part, int) {
	k, _ := slices.BinarySearch(s.ends, i+1)
	if k > 0 {
		i -= s.ends[k-1]
	}
	return s.parts[k], i
}

func (s *shardPictures) key(i int) string {
	p, k := s.at(i)
	key, err := p.Key(k)
	if err != nil {
		return fmt.Sprintf("%s %d", p.Name(), k) // a damaged shard, which shrink reports
	}
	return key
}

func (s *shardPictures) part(i int) string {
	p, _ := s.at(i)
	return p.Name()
}

func (s *shardPictures) shrink(i int, t *thumb) (uint64, error) {
	p, k := s.at(i)
	sample, err := p.Sample(k)
	if errors.Is(err, shard.ErrCorrupt) {
		return 0, &cache.Rejection{Stage: "read", Reason: "damaged sample", Detail: err.Error()}
	}
	if err != nil {
		return 0, err
	}
	shape := s.set.Index().Shape
	shrinkPlanes(t, sample.Data, shape[1], shape[2], s.set.Index().Channels == "bgr")
	return xxh3.Hash(sample.Data), nil
}

func shrinkPlanes(t *thumb, data []uint8, h, w int, bgr bool) {
	src := pixel.Planes{W: w, H: h}
	for c := range 3 {
		src.Channel = append(src.Channel, pixel.Plane{Pix: data[c*h*w : (c+1)*h*w], Stride: w, W: w, H: h, DX: 1, DY: 1})
	}
	sx, sy := float64(w)/side, float64(h)/side
	pixel.Warp(t[:], side, side, src, [6]float64{sx, 0, sx/2 - 0.5, 0, sy, sy/2 - 0.5}, pixel.Antialias, bgr)
}

func (s *shardPictures) show(i int) (image.Image, error) {
	p, k := s.at(i)
	sample, err := p.Sample(k)
	if err != nil {
		return nil, err
	}
	x := s.set.Index()
	return sheet.Planes(sample.Data, x.Shape[0], x.Shape[1], x.Shape[2], x.Channels), nil
}

// photoPictures are the photos of a manifest: keys and parts in memory, paths where they say more than
// these.
type photoPictures struct {
	root  *os.Root
	from  string
	keys  []string
	parts []string
	paths map[int]string
}

// newPhotoPictures lists the photos that a manifest has files of. split is the directory of a split of it, or
// "".
func newPhotoPictures(m *manifest.Reader, rootDir, splitDir string) (*photoPictures, error) {
	root, err := os.OpenRoot(rootDir)
	if err != nil {
		return nil, err
	}
	p := &photoPictures{root: root, from: m.Digest(), paths: map[int]string{}}
	add := func(r *manifest.Record, part string) {
		if r.Missing() {
			return
		}
		key := r.ID.String()
		if r.Path != usualPath(part, r.Subset, key) {
			p.paths[len(p.keys)] = r.Path
		}
		p.keys, p.parts = append(p.keys, key), append(p.parts, part)
	}
	if splitDir == "" {
		for r, err := range m.All() {
			if err != nil {
				root.Close()
				return nil, err
			}
			add(r, string(r.Subset))
		}
		return p, nil
	}
	s, err := split.Open(splitDir)
	if err != nil {
		root.Close()
		return nil, err
	}
	p.from = digest.Bytes([]byte(p.from + s.Digest))
	for placed, err := range s.Join(m) {
		if err != nil {
			root.Close()
			return nil, err
		}
		add(placed.Record, placed.Part.String())
	}
	return p, nil
}

// usualPath is where VGGFace2 has a photo, if its part tells its subset.
func usualPath(part string, subset manifest.Subset, key string) string {
	if part != string(subset) {
		return ""
	}
	return string(subset) + "/" + key + ".jpg"
}

func (p *photoPictures) digest() string    { return p.from }
func (p *photoPictures) len() int          { return len(p.keys) }
func (p *photoPictures) key(i int) string  { return p.keys[i] }
func (p *photoPictures) part(i int) string { return p.parts[i] }

func (p *photoPictures) path(i int) string {
	if path, ok := p.paths[i]; ok {
		return path
	}
	return p.parts[i] + "/" + p.keys[i] + ".jpg"
}

var photoBuffers = sync.Pool{New: func() any { return new([]byte) }}

func (p *photoPictures) shrink(i int, t *thumb) (uint64, error) {
	f, size, err := capped.OpenIn(p.root, p.path(i), maxPhoto, nil)
	if err != nil {
		return 0, &cache.Rejection{Stage: "read", Reason: "can't be read", Detail: err.Error()}
	}
	defer f.Close()
	buf := photoBuffers.Get().(*[]byte)
	defer photoBuffers.Put(buf)
	*buf = slices.Grow((*buf)[:0], int(size))[:size]
	if _, err := io.ReadFull(f, *buf); err != nil {
		return 0, &cache.Rejection{Stage: "read", Reason: "can't be read", Detail: err.Error()}
	}
	if _, err := thumbRecipe.Transform(*buf, nil, nil, t[:]); err != nil {
		return 0, err
	}
	return xxh3.Hash(*buf), nil
}

func (p *photoPictures) show(i int) (image.Image, error) { return photo(p.root, p.path(i), nil) }
