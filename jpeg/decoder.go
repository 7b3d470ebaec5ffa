package jpeg

import (
	"encoding/binary"
	"fmt"
	"image"
)

// Decoder decodes regions of baseline JPEGs, which nearly all photos are, several times as fast
// as [Decode]. It keeps buffers and Huffman tables from one image to the next; what it returns
// does not depend on the images before. What it keeps is as large as the largest file and region
// it has met. The zero value is ready. Not for two goroutines at once.
//
// It reads sequential images with Huffman codes (baseline, and extended with 8 bits), grey or
// YCbCr, sampled 4:4:4, 4:4:0, 4:2:2, 4:2:0, 4:1:1 or 4:1:0, with or without restart markers, in
// one scan or several. The samples are those of libjpeg's accurate integer inverse DCT
// ("islow"), bit for bit.
type Decoder struct {
	h         Header
	b         []byte
	restart   int     // MCUs between restart markers, 0 without
	quantized [4]bool // tables that the file has defined
	quant     [4][64]uint16
	dc, ac    [4]*huffman

	hmax, vmax int             // largest sampling factors
	mcus       image.Rectangle // the region in MCUs
	component  [3]component
	channel    [3]Plane
	planes     Planes

	scanning scan
	segment  []byte // coded data without stuffing, and padding
	level    level
	pix      []uint8 // all planes, and room for blocks that nobody asked for
	group    group
	to       [ring + maxLanes]target // where the group's blocks go
	next     int                     // slot of the next block
	waiting  int                     // blocks before it that are to be reconstructed
	ws       workspace

	tables []*huffman
	clock  uint64 // counts look-ups of tables
}

// component is one colour plane on its way.
type component struct {
	Component
	done   bool // its scan is over
	dc, ac *huffman
	q      dequantizer
	pred   int32 // the DC coefficient before, in quantiser steps
	pix    []uint8
	at     int // of pix in Decoder.pix
	stride int
}

// Decode decodes the part of a JPEG that shows the pixels of region; an empty region stands for
// the whole image. As in the function [Decode], an EXIF rotation is not applied.
//
// Blocks outside the region are read past without being reconstructed, and reading ends with the
// last row of MCUs that the region touches: damage behind it goes unnoticed. The result is valid
// until the next call.
//
// Memory is bounded by the region and by the length of b, which must be able to hold the
// region's blocks. A header that claims more than maxPixels for the whole image gives
// [ErrTooLarge], a damaged stream [ErrFormat] or, within its header, [ErrShort]. Of the kinds
// that Decoder doesn't read, those that the function Decode can be asked for give
// [ErrFallback], the others [ErrUnsupported]. A region outside the image gives [ErrRegion].
// Faults that leave the samples as they were meant are counted in Planes.Warnings.
func (d *Decoder) Decode(b []byte, region image.Rectangle, maxPixels int) (*Planes, error) {
	return d.decode(inForce, b, region, maxPixels)
}

func (d *Decoder) decode(l level, b []byte, region image.Rectangle, maxPixels int) (*Planes, error) {
	h, err := ReadHeader(b)
	if err != nil {
		return nil, err
	}
	if err := h.regional(); err != nil {
		return nil, err
	}
	if int64(h.Width)*int64(h.Height) > int64(maxPixels) {
		return nil, fmt.Errorf("%dx%d pixels, at most %d are decoded: %w", h.Width, h.Height, maxPixels, ErrTooLarge)
	}
	d.level, d.h, d.b = l, h, b
	defer func() { d.b = nil }() // the caller's, not to be kept alive
	if err := d.start(region); err != nil {
		return nil, err
	}
	if err := d.segments(); err != nil {
		return nil, err
	}
	return &d.planes, nil
}

// regional says why a JPEG isn't for Decoder, if it isn't.
func (h *Header) regional() error {
	if !h.Supported() {
		return fmt.Errorf("%s with %d bits and %d components: %w", h.Format(), h.Precision, h.Components, ErrUnsupported)
	}
	switch {
	case h.Progressive:
		return fmt.Errorf("%s: %w", h.Format(), ErrFallback)
	case h.Components == 4:
		return fmt.Errorf("4 components: %w", ErrFallback)
	case h.Components == 1:
		return nil
	}
	c := h.Component
	if !h.JFIF && (h.Adobe == 0 || h.Adobe < 0 && c[0].ID == 'R' && c[1].ID == 'G' && c[2].ID == 'B') {
		return fmt.Errorf("RGB: %w", ErrFallback)
	}
	if c[0].ID == c[1].ID || c[0].ID == c[2].ID || c[1].ID == c[2].ID {
		return fmt.Errorf("components %d, %d and %d, want three of them: %w", c[0].ID, c[1].ID, c[2].ID, ErrFormat)
	}
	dx, dy := c[0].H/c[1].H, c[0].V/c[1].V
	if c[1].H != c[2].H || c[1].V != c[2].V || dx*c[1].H != c[0].H || dy*c[1].V != c[0].V || dx == 3 || dy > 2 {
		return fmt.Errorf("sampling %dx%d, %dx%d, %dx%d: %w", c[0].H, c[0].V, c[1].H, c[1].V, c[2].H, c[2].V, ErrFallback)
	}
	return nil
}

// start lays out the planes for the region and forgets the image before.
func (d *Decoder) start(region image.Rectangle) error {
	whole := image.Rect(0, 0, d.h.Width, d.h.Height)
	d.restart = 0
	d.quantized = [4]bool{}
	d.dc, d.ac = [4]*huffman{}, [4]*huffman{}
	if region.Empty() {
		region = whole
	} else if region = region.Intersect(whole); region.Empty() {
		return fmt.Errorf("image of %dx%d pixels: %w", d.h.Width, d.h.Height, ErrRegion)
	}

	d.hmax, d.vmax = 1, 1
	for i := range d.h.Components {
		c := &d.component[i]
		c.Component, c.done = d.h.Component[i], false
		if d.h.Components == 1 {
			c.H, c.V = 1, 1 // whatever the factors, T.81, A.2.2
		}
		d.hmax, d.vmax = max(d.hmax, c.H), max(d.vmax, c.V)
	}
	w, h := 8*d.hmax, 8*d.vmax
	d.mcus = image.Rect(region.Min.X/w, region.Min.Y/h, (region.Max.X+w-1)/w, (region.Max.Y+h-1)/h)
	region = image.Rect(d.mcus.Min.X*w, d.mcus.Min.Y*h, d.mcus.Max.X*w, d.mcus.Max.Y*h).Intersect(whole)

	// A block takes at least two bits, one for its DC difference and one for its end. Where the
	// rest of the file can't hold those of the MCUs to be read, nothing is allocated for them.
	blocks := 0
	for _, c := range d.component[:d.h.Components] {
		blocks += c.H * c.V
	}
	least := int64(blocks) * (int64(d.mcus.Max.Y-1)*int64((d.h.Width+w-1)/w) + int64(d.mcus.Max.X))
	if data := int64(len(d.b) - d.h.Scan); 4*data < least {
		return fmt.Errorf("offset %d: %d bytes for %d blocks, ends too early: %w", d.h.Scan, data, least, ErrFormat)
	}

	d.planes = Planes{Width: d.h.Width, Height: d.h.Height, Region: region, Channel: d.channel[:d.h.Components]}
	size := 64 * blocks * d.mcus.Dx() * d.mcus.Dy()
	if cap(d.pix) < size+64 {
		d.pix = make([]uint8, size+64)
	}
	d.pix = d.pix[:size+64]
	at := 0
	for i := range d.h.Components {
		c, p := &d.component[i], &d.channel[i]
		p.DX, p.DY = d.hmax/c.H, d.vmax/c.V
		p.W, p.H = (region.Dx()+p.DX-1)/p.DX, (region.Dy()+p.DY-1)/p.DY
		p.Stride = 8 * c.H * d.mcus.Dx()
		size := p.Stride * 8 * c.V * d.mcus.Dy()
		c.pix, c.at, c.stride = d.pix[at:at+size:at+size], at, p.Stride
		p.Pix = c.pix[:p.Stride*p.H]
		at += size
	}
	clear(d.group[:])
	d.next, d.waiting = 0, 0
	return nil
}

// segments reads the file from its first marker until every component of the region is decoded.
// ReadHeader has been as far as the first scan before.
func (d *Decoder) segments() error {
	for at, left := 2, d.h.Components; ; {
		marker, next, err := nextMarker(d.b, at)
		if err != nil {
			if left == 0 {
				d.planes.Warnings.NoEOI = 1
				return nil
			}
			return fmt.Errorf("offset %d: the file ends with %d components missing: %w", len(d.b), left, ErrFormat)
		}
		start := next - 2
		switch {
		case marker == mSOI || marker == mTEM || marker >= mRST0 && marker < mSOI:
			at = next // these have no length
			continue
		case marker == mEOI:
			if left == 0 {
				return nil
			}
			return fmt.Errorf("offset %d: the image ends with %d components missing: %w", start, left, ErrFormat)
		}
		if len(d.b) < next+2 {
			return fmt.Errorf("offset %d: segment %#02x is cut off: %w", start, marker, ErrFormat)
		}
		n := int(binary.BigEndian.Uint16(d.b[next:]))
		if n < 2 || len(d.b) < next+n {
			return fmt.Errorf("offset %d: segment %#02x of %d bytes, %d are left: %w", start, marker, n, len(d.b)-next, ErrFormat)
		}
		body := d.b[next+2 : next+n]
		at = next + n
		switch {
		case marker == mDHT:
			err = d.huffmanTables(body)
		case marker == mDQT:
			err = d.quantTables(body)
		case marker == mDRI:
			if len(body) != 2 {
				err = fmt.Errorf("restart interval in %d bytes, want 2: %w", len(body), ErrFormat)
				break
			}
			d.restart = int(binary.BigEndian.Uint16(body))
		case marker >= mSOF0 && marker <= mSOF15 && marker != mJPG && marker != mDAC:
			if start > d.h.Scan {
				err = fmt.Errorf("a second frame: %w", ErrFormat)
			}
		case marker == mSOS && left == 0:
			err = fmt.Errorf("a scan of what was decoded before: %w", ErrFormat)
		case marker == mSOS:
			var s *scan
			if s, err = d.scanHeader(body); err != nil {
				break
			}
			left -= len(s.component)
			s.last = left == 0
			var ended bool
			if at, ended, err = d.scan(s, at); err == nil && !ended {
				return nil
			}
		}
		if err != nil {
			return fmt.Errorf("offset %d: %w", start, err)
		}
	}
}

// quantTables reads the body of a DQT segment.
func (d *Decoder) quantTables(s []byte) error {
	for len(s) > 0 {
		precision, id := s[0]>>4, s[0]&15
		if precision > 1 || id > 3 {
			return fmt.Errorf("quantisation table %d of precision %d, want 0 to 3 of 0 or 1: %w", id, precision, ErrFormat)
		}
		n := 64 << precision
		if len(s) < 1+n {
			return fmt.Errorf("%d bytes left for a quantisation table, want %d: %w", len(s), 1+n, ErrFormat)
		}
		for i := range d.quant[id] {
			if precision == 0 {
				d.quant[id][i] = uint16(s[1+i])
			} else {
				d.quant[id][i] = binary.BigEndian.Uint16(s[1+2*i:])
			}
		}
		d.quantized[id] = true
		s = s[1+n:]
	}
	return nil
}
