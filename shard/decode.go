package shard

import (
	"sync"

	"github.com/vf2prep/vf2prep/jpeg"
	"github.com/vf2prep/vf2prep/pixel"
)

// decoders keeps Huffman tables and buffers from one sample to the next.
var decoders = sync.Pool{New: func() any { return new(jpeg.Decoder) }}

// decode turns the JPEG of a sample into its planes. A JPEG of another size is an error.
func decode(dst []uint8, text []byte, s Shape, bgr bool) error {
	d := decoders.Get().(*jpeg.Decoder)
	defer decoders.Put(d)
	p, err := d.Whole(text, s[2], s[1])
	if err != nil {
		return err
	}
	if s[0] == 1 {
		for y := range s[1] {
			copy(dst[y*s[2]:(y+1)*s[2]], p.Channel[0].Pix[y*p.Channel[0].Stride:])
		}
		return nil
	}
	var c [3]pixel.Plane
	for i := range c {
		c[i] = pixel.Plane(p.Channel[min(i, len(p.Channel)-1)])
	}
	pixel.RGB(dst, pixel.Planes{W: s[2], H: s[1], YCbCr: len(p.Channel) == 3, Channel: c[:]}, bgr)
	return nil
}
