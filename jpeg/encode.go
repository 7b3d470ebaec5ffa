package jpeg

import (
	"encoding/binary"
	"fmt"
	"image"
	"slices"
)

// EncodeOptions says how [Encoder] writes a JPEG.
type EncodeOptions struct {
	// Quality is 1 to 100 and scales the quantisation tables of ITU-T T.81, annex K, as libjpeg
	// does: 50 takes them as they are, 100 has steps of 1 throughout.
	Quality int
	// Ratio is 4:4:4, the zero value, or 4:2:0.
	Ratio image.YCbCrSubsampleRatio
	// BGR says that the planes come in the order B, G, R.
	BGR bool
}

func (o EncodeOptions) check(values, w, h int) error {
	switch {
	case o.Quality < 1 || o.Quality > 100:
		return fmt.Errorf("jpeg: quality %d, want 1 to 100", o.Quality)
	case o.Ratio != image.YCbCrSubsampleRatio444 && o.Ratio != image.YCbCrSubsampleRatio420:
		return fmt.Errorf("jpeg: can't encode with ratio %v, want 4:4:4 or 4:2:0", o.Ratio)
	case w < 1 || h < 1 || w > maxSide || h > maxSide:
		return fmt.Errorf("jpeg: can't encode %dx%d pixels, want 1 to %d a side", w, h, maxSide)
	case int64(values) != 3*int64(w)*int64(h):
		return fmt.Errorf("jpeg: %d values for %dx%d pixels, want 3 for each", values, w, h)
	}
	return nil
}

// maxSide is the longest side that a frame header can tell.
const maxSide = 1<<16 - 1

// Encoder writes small colour images as baseline JPEGs: JFIF, one interleaved scan, the Huffman
// tables of ITU-T T.81, annex K. It keeps buffers and tables from one image to the next; what it
// writes does not depend on the images before. The zero value is ready. Not for two goroutines at
// once.
//
// All of its arithmetic is integer, so that the same pixels and options give the same bytes on
// every machine: colours by ITU-T T.871 with 16 bits of fraction, libjpeg's accurate forward DCT
// ("islow"), quantisation to the nearest. With 4:4:4 the coefficients are those that libjpeg
// writes. With 4:2:0 a chroma sample is the colour of its four pixels' mean, rounded once, where
// libjpeg rounds each pixel's before.
type Encoder struct {
	quality int           // that quant is for
	quant   [2]quantizer  // of luma and chroma
	lines   [3][2][]uint8 // a pair of rows of R, G and B, extended to whole MCUs
	strip   [3][]uint8    // a row of MCUs, Y, Cb and Cr
	freq    [3][]forward  // its blocks, row by row
	coded   codedBits
	ws      workspace
}

// Append appends a JPEG of w x h pixels to dst. rgb holds the planes R, G and B, or B, G and R
// if so told, of w*h values each, row by row. Unknown options, sides of no or more than 65,535
// pixels and a wrong number of values are errors.
func (e *Encoder) Append(dst []byte, rgb []uint8, w, h int, o EncodeOptions) ([]byte, error) {
	return e.append(inForce, dst, rgb, w, h, o)
}

func (e *Encoder) append(l level, dst []byte, rgb []uint8, w, h int, o EncodeOptions) ([]byte, error) {
	if err := o.check(len(rgb), w, h); err != nil {
		return dst, err
	}
	if e.quality != o.Quality {
		e.quality = o.Quality
		e.quant[0].set(&lumaSteps, o.Quality)
		e.quant[1].set(&chromaSteps, o.Quality)
	}
	n := w * h
	planes := [3][]uint8{rgb[:n], rgb[n : 2*n], rgb[2*n:]}
	if o.BGR {
		planes[0], planes[2] = planes[2], planes[0]
	}
	factor := 1 // of sampling, luma's in both directions
	if o.Ratio == image.YCbCrSubsampleRatio420 {
		factor = 2
	}
	dst = e.appendHeader(dst, w, h, factor)

	side := 8 * factor // of an MCU
	mcus := (w + side - 1) / side
	stride := mcus * side
	lanes := l.lanes()
	for i := range e.strip {
		rows, blocks := side, stride/8
		if i > 0 {
			rows, blocks = 8, mcus
		}
		// Kernels take whole vectors.
		e.strip[i] = slices.Grow(e.strip[i][:0], rows*8*blocks+8*lanes)[:rows*8*blocks+8*lanes]
		e.freq[i] = slices.Grow(e.freq[i][:0], rows/8*blocks+lanes)[:rows/8*blocks+lanes]
	}
	e.coded = codedBits{b: dst}
	var pred [3]int32
	for y := 0; y < h; y += side {
		for i := 0; i < side; i += 2 {
			a := e.pair(planes, w, h, y+i, stride)
			if factor == 2 {
				convert420(e.strip[0][i*stride:], e.strip[1][i/2*mcus*8:], e.strip[2][i/2*mcus*8:], &a, stride)
				continue
			}
			for j := range 2 {
				at := (i + j) * stride
				l.convert444(e.strip[0][at:], e.strip[1][at:], e.strip[2][at:], a[0][j], a[1][j], a[2][j], stride)
			}
		}
		for v := range factor {
			l.fdcts(e.strip[0][8*v*stride:], stride, &e.ws, e.freq[0][v*stride/8:], stride/8)
		}
		for i := 1; i < 3; i++ {
			l.fdcts(e.strip[i], 8*mcus, &e.ws, e.freq[i], mcus)
		}
		for m := range mcus {
			e.coded.reserve(maxMCU)
			for v := range factor {
				for u := range factor {
					x := m*factor + u
					if 8*x >= w || y+8*v >= h {
						e.coded.filler(&lumaCodes)
						continue
					}
					e.coded.block(&e.freq[0][v*stride/8+x], &e.quant[0], &lumaCodes, &pred[0])
				}
			}
			for i := 1; i < 3; i++ {
				e.coded.block(&e.freq[i][m], &e.quant[1], &chromaCodes, &pred[i])
			}
		}
	}
	dst = append(e.coded.finish(), 0xff, mEOI)
	e.coded.b = nil // the caller's, not to be kept alive
	return dst, nil
}

// pair returns rows y and y+1 of the planes, extended to n values by the last one and, below the
// image, by the last row.
func (e *Encoder) pair(planes [3][]uint8, w, h, y, n int) (out [3][2][]uint8) {
	for i, p := range planes {
		for j := range out[i] {
			at := min(y+j, h-1) * w
			row := p[at : at+w]
			if w < n {
				long := append(e.lines[i][j][:0], row...)
				for len(long) < n {
					long = append(long, row[w-1])
				}
				e.lines[i][j], row = long, long
			}
			out[i][j] = row
		}
	}
	return out
}

// appendHeader appends all that comes before the coded data.
func (e *Encoder) appendHeader(dst []byte, w, h, factor int) []byte {
	dst = append(dst, 0xff, mSOI,
		0xff, mAPP0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, // 1.01, square pixels
		0xff, mDQT, 0, 2+2*65)
	for i := range e.quant {
		dst = append(dst, byte(i))
		dst = append(dst, e.quant[i].steps[:]...)
	}
	dst = append(dst, 0xff, mSOF0, 0, 17, 8)
	dst = binary.BigEndian.AppendUint16(dst, uint16(h))
	dst = binary.BigEndian.AppendUint16(dst, uint16(w))
	dst = append(dst, 3, 1, byte(factor<<4|factor), 0, 2, 0x11, 1, 3, 0x11, 1)
	dst = append(dst, 0xff, mDHT)
	dst = binary.BigEndian.AppendUint16(dst, uint16(2+4+len(lumaDC)+len(lumaAC)+len(chromaDC)+len(chromaAC)))
	dst = append(append(dst, 0x00), lumaDC...)
	dst = append(append(dst, 0x10), lumaAC...)
	dst = append(append(dst, 0x01), chromaDC...)
	dst = append(append(dst, 0x11), chromaAC...)
	return append(dst, 0xff, mSOS, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0)
}

// Whole decodes all of a JPEG that must have w x h pixels, such as one that an [Encoder] wrote.
// Another size gives an error wrapping [ErrFormat] before anything is allocated; otherwise it is
// [Decoder.Decode].
func (d *Decoder) Whole(b []byte, w, h int) (*Planes, error) {
	head, err := ReadHeader(b)
	if err != nil {
		return nil, err
	}
	if head.Width != w || head.Height != h {
		return nil, fmt.Errorf("%dx%d pixels, want %dx%d: %w", head.Width, head.Height, w, h, ErrFormat)
	}
	return d.Decode(b, image.Rectangle{}, w*h)
}
