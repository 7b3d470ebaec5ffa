package export

import (
	"fmt"
	"image"

	"github.com/vf2prep/vf2prep/jpeg"
	"github.com/vf2prep/vf2prep/shard"
)

// The encodings of images.
const (
	PNG  = "png"  // without loss
	JPEG = "jpeg" // 4:4:4 of a quality; JPEGs of the source are passed on byte for byte
)

// DefaultQuality is that of JPEGs made here, where none is asked for.
const DefaultQuality = 95

// worker is what a goroutine that makes samples keeps from one to the next.
type worker struct {
	pixelsWanted bool
	image        string // PNG or JPEG
	quality      int

	jpeg   jpeg.Encoder
	png    pngEncoder
	pixels []uint8 // decoded, or with planes in another order
	slot   *slot
}

// slot holds the memory of one sample on its way to a file.
type slot struct {
	sample Sample
	image  []byte // room for an image
	planes []uint8
	record []byte
	reject *shard.Reject
}

// encode makes an image of planes and puts it into s. bgr says that they come in the order B, G, R.
func (w *worker) encode(s *Sample, pixels []uint8, shape shard.Shape, bgr bool) (err error) {
	switch w.image {
	case JPEG:
		if shape[0] != 3 {
			return fmt.Errorf("export: JPEGs have 3 channels, samples have %d", shape[0])
		}
		s.Ext = "jpg"
		o := jpeg.EncodeOptions{Quality: w.quality, Ratio: image.YCbCrSubsampleRatio444, BGR: bgr}
		w.slot.image, err = w.jpeg.Append(w.slot.image[:0], pixels, shape[2], shape[1], o)
	default:
		s.Ext = "png"
		w.slot.image, err = w.png.Append(w.slot.image[:0], pixels, shape, bgr)
	}
	s.Image = w.slot.image
	return err
}

// rgb returns planes in the order R, G, B.
func (w *worker) rgb(pixels []uint8, shape shard.Shape, bgr bool) []uint8 {
	if !bgr || shape[0] != 3 {
		return pixels
	}
	n := shape[1] * shape[2]
	w.slot.planes = append(w.slot.planes[:0], pixels[2*n:]...)
	w.slot.planes = append(w.slot.planes, pixels[n:2*n]...)
	w.slot.planes = append(w.slot.planes, pixels[:n]...)
	return w.slot.planes
}
