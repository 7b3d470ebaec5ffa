package curate

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"

	"github.com/zeebo/xxh3"

	"github.com/vf2prep/vf2prep/cache"
)

// pictures is a list of images in a fixed order. Several goroutines may ask at once.
type pictures interface {
	inputs() map[string]string // digests of what the list was made from, by what that is
	anonymous() bool           // images show nobody in particular
	len() int
	key(i int) string
	part(i int) string // "train", "val", ..; of photos without a split their subset
	pixels(i int) int  // that image i has where it is stored, 0 unknown
	id(i int) uint64   // of image i's key and bytes, as far as these are known without reading them, and of what is looked at
	// shrink fills t with image i and returns a digest of what it looked at. What is wrong with the image is a
	// *cache.Rejection, of stageRead where that may change.
	shrink(i int, t *thumb) (exact uint64, err error)
	show(i int) (image.Image, error)
	close()
}

const stageRead = "read"

// The recipes of small pictures: of the whole image, and of the face's box alone.
var (
	thumbRecipe = &cache.Recipe{Name: "thumb", Geometry: cache.Whole, Height: side, Width: side, Sampling: "antialias", Channels: "rgb"}
	boxRecipe   = &cache.Recipe{Name: "thumb of the box", Geometry: cache.Box, Fit: "stretch", Height: side, Width: side, Sampling: "antialias", Channels: "rgb"}
)

// idOf names an image by its key and what is known of its bytes; box is what is looked at, nil for all.
func idOf(key string, known uint64, box *[4]float32) uint64 {
	b := append(append(make([]byte, 0, 64), key...), 0)
	b = binary.LittleEndian.AppendUint64(b, known)
	if box != nil {
		for _, v := range box {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	}
	return xxh3.Hash(b)
}

// texts are many short texts in two pieces of memory.
type texts struct {
	b    []byte
	ends []uint32
}

func (t *texts) add(s string) error {
	if len(t.b)+len(s) > math.MaxUint32 {
		return fmt.Errorf("names of more than %d bytes", uint32(math.MaxUint32))
	}
	t.b = append(t.b, s...)
	t.ends = append(t.ends, uint32(len(t.b)))
	return nil
}

func (t *texts) at(i int) string {
	from := uint32(0)
	if i > 0 {
		from = t.ends[i-1]
	}
	return string(t.b[from:t.ends[i]])
}

func rejection(stage, reason, detail string) error {
	return &cache.Rejection{Stage: stage, Reason: reason, Detail: detail}
}
