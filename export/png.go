package export

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"slices"

	"github.com/klauspost/compress/flate"

	"github.com/vf2prep/vf2prep/pixel"
	"github.com/vf2prep/vf2prep/shard"
)

// pngEncoder writes planes as PNG files of 8 bits a channel, grey or RGB. Its settings are for
// speed: every row has the same filter, and deflate looks for no matches. The same pixels give the
// same bytes everywhere.
type pngEncoder struct {
	rows       []uint8 // filtered: what is deflated
	above, row []uint8
	text       bytes.Buffer
	z          *flate.Writer
}

const (
	pngSignature = "\x89PNG\r\n\x1a\n"
	pngGrey      = 0 // colour types
	pngRGB       = 2
	pngPaeth     = 4 // filter
)

// pngBound is the most bytes that a PNG of a shape has: rows with a filter's number each, hardly
// more when deflate can't make them smaller, and the chunks' frames.
func pngBound(shape shard.Shape) int64 {
	n := int64(shape[1]) * (1 + int64(shape[0])*int64(shape[2]))
	return n + n/256 + 256
}

// Append appends a PNG to dst. pixels are C, H, W bytes of 1 or 3 channels; bgr says that the planes
// come in the order B, G, R.
//
// W3C, "Portable Network Graphics (PNG) Specification (Second Edition)", 2003; RFC 1950 for the frame
// about the deflated rows.
func (e *pngEncoder) Append(dst []byte, pixels []uint8, shape shard.Shape, bgr bool) ([]byte, error) {
	c, h, w := shape[0], shape[1], shape[2]
	if c != 1 && c != 3 || h < 1 || w < 1 || len(pixels) != c*h*w {
		return dst, fmt.Errorf("export: no PNG of %v (%d bytes): want 1 or 3 channels", shape, len(pixels))
	}
	if err := e.filter(pixels, c, h, w, bgr); err != nil {
		return dst, err
	}
	dst = append(dst, pngSignature...)
	var head [13]byte
	binary.BigEndian.PutUint32(head[:], uint32(w))
	binary.BigEndian.PutUint32(head[4:], uint32(h))
	head[8], head[9] = 8, pngGrey
	if c == 3 {
		head[9] = pngRGB
	}
	dst = appendChunk(dst, "IHDR", head[:])
	dst = appendChunk(dst, "IDAT", e.text.Bytes())
	return appendChunk(dst, "IEND", nil), nil
}

func appendChunk(dst []byte, kind string, data []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(data)))
	start := len(dst)
	dst = append(append(dst, kind...), data...)
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
}

// filter fills e.text with the zlib stream of the filtered rows.
func (e *pngEncoder) filter(pixels []uint8, c, h, w int, bgr bool) error {
	n, plane := c*w, h*w
	if len(e.row) != n {
		e.row, e.above = make([]uint8, n), make([]uint8, n)
	}
	clear(e.above)
	e.rows = e.rows[:0]
	for y := range h {
		switch {
		case c == 1:
			copy(e.row, pixels[y*w:(y+1)*w])
		default:
			r, g, b := pixels[y*w:][:w], pixels[plane+y*w:][:w], pixels[2*plane+y*w:][:w]
			if bgr {
				r, b = b, r
			}
			for x := range w {
				o := e.row[3*x : 3*x+3 : 3*x+3]
				o[0], o[1], o[2] = r[x], g[x], b[x]
			}
		}
		at := len(e.rows) + 1
		e.rows = slices.Grow(append(e.rows, pngPaeth), n)[:at+n]
		pixel.Paeth(e.rows[at:], e.row, e.above, c)
		e.row, e.above = e.above, e.row
	}
	e.text.Reset()
	e.text.Write([]byte{0x78, 0x01}) // deflate, window of 32 KiB, fastest
	if e.z == nil {
		z, err := flate.NewWriter(&e.text, flate.HuffmanOnly)
		if err != nil {
			return err
		}
		e.z = z
	} else {
		e.z.Reset(&e.text)
	}
	if _, err := e.z.Write(e.rows); err != nil {
		return err
	}
	if err := e.z.Close(); err != nil {
		return err
	}
	return binary.Write(&e.text, binary.BigEndian, adler32.Checksum(e.rows))
}
