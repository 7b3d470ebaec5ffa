package curate

import (
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/internal/sheet"
	"github.com/vf2prep/vf2prep/pixel"
	"github.com/vf2prep/vf2prep/shard"
)

// shardPictures are the samples of a shard set, part by part.
type shardPictures struct {
	set   *shard.Set
	index shard.Index
	parts []*shard.Part
	ends  []int
	form  uint64 // names shape, channels and encoding
}

func newShardPictures(set *shard.Set) (*shardPictures, error) {
	s := &shardPictures{set: set, index: set.Index()}
	if c := s.index.Shape[0]; c != 3 {
		return nil, fmt.Errorf("samples of %d planes, want 3", c)
	}
	s.form = xxh3.HashString(fmt.Sprintf("%s %s %s", s.index.Shape, s.index.Channels, s.index.Encoding))
	n := 0
	for _, name := range set.Parts() {
		p, err := set.Part(name)
		if err != nil {
			return nil, err
		}
		n += p.Len()
		s.parts, s.ends = append(s.parts, p), append(s.ends, n)
	}
	return s, nil
}

func (s *shardPictures) inputs() map[string]string {
	return map[string]string{"shards": s.set.Digest()}
}
func (s *shardPictures) anonymous() bool { return len(s.index.Classes) == 0 }
func (s *shardPictures) len() int        { return s.ends[len(s.ends)-1] }
func (s *shardPictures) pixels(int) int  { return s.index.Shape[1] * s.index.Shape[2] }
func (s *shardPictures) close()          {}

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

func (s *shardPictures) id(i int) uint64 {
	p, k := s.at(i)
	sum := uint64(0) // of a damaged shard, whose samples are not kept
	if f, j, err := p.At(k); err == nil {
		sum = uint64(f.Checksum(j))
	}
	return idOf(s.key(i), s.form^sum, nil)
}

func (s *shardPictures) shrink(i int, t *thumb) (uint64, error) {
	p, k := s.at(i)
	sample, err := p.Sample(k)
	if errors.Is(err, shard.ErrCorrupt) {
		return 0, &cache.Rejection{Stage: stageRead, Reason: "damaged sample", Detail: err.Error()}
	}
	if err != nil {
		return 0, err
	}
	shrinkPlanes(t, sample.Data, s.index.Shape[1], s.index.Shape[2], s.index.Channels == "bgr")
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
	return sheet.Planes(sample.Data, s.index.Shape[0], s.index.Shape[1], s.index.Shape[2], s.index.Channels), nil
}
