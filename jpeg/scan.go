package jpeg

import (
	"bytes"
	"fmt"
	"image"
)

// maxMCU is the largest number of blocks in an MCU (ITU-T T.81, B.2.3).
const maxMCU = 10

// padding is more than decoding one MCU can read beyond the end of its data, which is looked at
// between MCUs: 64 codes of 16 bits with values of 15 a block, the 63 bits that the buffer holds
// in advance, and one load of eight bytes.
const padding = maxMCU*64*31/8 + 16

// scan is one scan's way through the image, in units that are MCUs where components are
// interleaved and blocks where there is one component alone.
type scan struct {
	component []*component
	last      bool            // nothing of the image follows
	w, h      int             // of the image, units
	region    image.Rectangle // units to decode
	hv        [3]image.Point  // blocks in a unit, by component

	marker   byte // that ended the segment at hand, 0 for the end of the file
	at       int  // its offset
	interval int  // of restarts, counting from 0
	bits     bits
	length   int // of the segment, bytes
	list     [3]*component

	// For the levels with kernels, the blocks of a unit in their order.
	block [maxMCU]unitBlock
	spot  [maxMCU]spot
	n     int
}

// scanHeader reads the body of an SOS segment.
func (d *Decoder) scanHeader(s []byte) (*scan, error) {
	sc := &d.scanning
	*sc = scan{}
	if len(s) < 1 || s[0] < 1 || int(s[0]) > d.h.Components || len(s) != 4+2*int(s[0]) {
		return nil, fmt.Errorf("scan header of %d bytes for an image of %d components: %w", len(s), d.h.Components, ErrFormat)
	}
	n := int(s[0])
	sc.component = sc.list[:0]
	blocks := 0
	for i := range n {
		id, tables := s[1+2*i], s[2+2*i]
		var c *component
		for j := range d.h.Components {
			if d.component[j].ID == id && !d.component[j].done {
				c = &d.component[j]
			}
		}
		if c == nil {
			return nil, fmt.Errorf("scan of component %d, which is decoded already or not there: %w", id, ErrFormat)
		}
		if tables>>4 > 3 || tables&15 > 3 {
			return nil, fmt.Errorf("component %d: Huffman tables %d and %d, want 0 to 3: %w", id, tables>>4, tables&15, ErrFormat)
		}
		c.dc, c.ac = d.dc[tables>>4], d.ac[tables&15]
		if c.dc == nil || c.ac == nil || !d.quantized[c.Tq] {
			return nil, fmt.Errorf("component %d: a scan before its tables: %w", id, ErrFormat)
		}
		c.done = true
		c.q.set(&d.quant[c.Tq], d.level)
		sc.hv[i] = image.Pt(c.H, c.V)
		sc.component = append(sc.component, c)
		blocks += c.H * c.V
	}
	if s[1+2*n] != 0 || s[2+2*n] != 63 || s[3+2*n] != 0 {
		d.planes.Warnings.ScanHeader++
	}

	sc.w, sc.h = (d.h.Width+8*d.hmax-1)/(8*d.hmax), (d.h.Height+8*d.vmax-1)/(8*d.vmax)
	sc.region = d.mcus
	if n == 1 {
		// Blocks that merely fill up an MCU are not there (T.81, A.2.2).
		c := sc.component[0]
		sc.w, sc.h = (d.h.Width*c.H+8*d.hmax-1)/(8*d.hmax), (d.h.Height*c.V+8*d.vmax-1)/(8*d.vmax)
		sc.region = image.Rect(d.mcus.Min.X*c.H, d.mcus.Min.Y*c.V, min(d.mcus.Max.X*c.H, sc.w), min(d.mcus.Max.Y*c.V, sc.h))
		sc.hv[0] = image.Pt(1, 1)
	} else if blocks > maxMCU {
		return nil, fmt.Errorf("%d blocks in an MCU, want %d at most: %w", blocks, maxMCU, ErrFormat)
	}
	for i, c := range sc.component {
		hv := sc.hv[i]
		for at := range hv.X * hv.Y {
			sc.block[sc.n] = unitBlock{&c.dc.fast[0], &c.ac.fast[0], &c.q[0], &c.pred}
			sc.spot[sc.n] = spot{c.at + 8*(at/hv.X*c.stride+at%hv.X), 8 * hv.X, 8 * hv.Y * c.stride, c.stride}
			sc.n++
		}
	}
	return sc, nil
}

// scan decodes the coded data at offset at, as much as the region needs. It returns the offset
// where markers go on, and whether the data was followed to its end.
func (d *Decoder) scan(s *scan, at int) (next int, ended bool, err error) {
	s.at = at
	d.load(s)
	units := d.restart // until the next restart marker
	stop := min(s.region.Max.Y, s.h)
	for y := range stop {
		rows, w := y >= s.region.Min.Y, s.w
		if y == stop-1 && stop < s.h {
			w = s.region.Max.X
		}
		for x := range w {
			if d.restart > 0 {
				if units == 0 {
					if err := d.nextInterval(s); err != nil {
						return 0, false, fmt.Errorf("MCU %d, %d: %w", x, y, err)
					}
					units = d.restart
				}
				units--
			}
			fault := 0
			if rows && x >= s.region.Min.X && x < s.region.Max.X {
				fault = d.unit(s, x-s.region.Min.X, y-s.region.Min.Y)
			} else {
				fault = s.skip(d.level)
			}
			if fault < 0 || s.bits.used() > 8*s.length {
				return 0, false, fmt.Errorf("MCU %d, %d: %w", x, y, s.fault(fault))
			}
		}
	}
	d.finish()
	if stop < s.h {
		if s.last {
			return 0, false, nil
		}
		return s.end(d.b), true, nil
	}
	d.leftover(s)
	return s.at, true, nil
}

// unit decodes a unit to its place in the region.
func (d *Decoder) unit(s *scan, x, y int) int {
	if d.level != portable {
		return d.fastUnit(s, x, y)
	}
	block := (*coefficients)(d.group[:])
	for i, c := range s.component {
		hv := s.hv[i]
		for v := range hv.Y {
			out := c.pix[8*((y*hv.Y+v)*c.stride+x*hv.X):]
			for h := range hv.X {
				*(*[64]int16)(block[:]) = [64]int16{}
				shape := s.bits.block(c.dc, c.ac, &c.q, block, &c.pred)
				if shape < 0 {
					return shape
				}
				idct(block, shape, &d.ws, out[8*h:], c.stride)
			}
		}
	}
	return 0
}

// fastUnit reads a unit and reconstructs blocks when there are enough to do so at once.
func (d *Decoder) fastUnit(s *scan, x, y int) int {
	slot := (*[maxMCU]int)(slots[d.level][d.next:])
	if fault := s.bits.fastBlocks(s.block[:s.n], &d.group, slot); fault < 0 {
		return fault
	}
	for i := range s.spot[:s.n] {
		p := &s.spot[i]
		at := p.at + x*p.dx + y*p.dy
		_ = d.pix[at+7*p.stride+7]
		d.to[(d.next+i)%ring] = target{at, p.stride}
	}
	d.next = (d.next + s.n) % ring
	d.waiting += s.n
	for lanes := d.level.lanes(); d.waiting >= lanes; d.waiting -= lanes {
		d.reconstruct()
	}
	return 0
}

// reconstruct makes the samples of the blocks that have waited longest, as many as the level takes.
func (d *Decoder) reconstruct() {
	first := (d.next - d.waiting + ring) % ring
	fastIDCT(d.level, d.group[64*first:], d.pix, (*[maxLanes]target)(d.to[first:]))
}

// finish reconstructs the last blocks of a scan, with some that nobody asked for.
func (d *Decoder) finish() {
	if d.waiting == 0 {
		return
	}
	for i := range d.level.lanes() - d.waiting {
		d.to[d.next+i] = target{len(d.pix) - 64, 8}
	}
	d.reconstruct()
	d.next, d.waiting = 0, 0
}

// skip reads past a unit.
func (s *scan) skip(l level) int {
	if l != portable {
		return s.bits.fastSkip(s.block[:s.n])
	}
	for i, c := range s.component {
		for range s.hv[i].X * s.hv[i].Y {
			if fault := s.bits.skip(c.dc, c.ac, &c.pred); fault < 0 {
				return fault
			}
		}
	}
	return 0
}

// fault explains why a unit could not be read.
func (s *scan) fault(fault int) error {
	used := s.bits.used()
	if fault == faultCode {
		used += 16 // that had no code among them
	}
	switch {
	case used > 8*s.length && s.marker == 0:
		return fmt.Errorf("the file ends in its scan: %w", ErrFormat)
	case used > 8*s.length:
		return fmt.Errorf("marker %#02x at offset %d before the data's end: %w", s.marker, s.at, ErrFormat)
	case fault == faultRange:
		return fmt.Errorf("a block of more than 64 coefficients before offset %d: %w", s.at, ErrFormat)
	}
	return fmt.Errorf("a bad Huffman code before offset %d: %w", s.at, ErrFormat)
}

// nextInterval goes on to the data behind a restart marker. libjpeg guesses where a wrong marker
// belongs and fills gaps with grey; here it is a fault.
func (d *Decoder) nextInterval(s *scan) error {
	d.leftover(s)
	want := mRST0 + byte(s.interval&7)
	if s.marker == 0 {
		return fmt.Errorf("the file ends in its scan: %w", ErrFormat)
	}
	if s.marker != want {
		return fmt.Errorf("marker %#02x at offset %d, want %#02x: %w", s.marker, s.at, want, ErrFormat)
	}
	s.interval++
	s.at += 2
	d.load(s)
	return nil
}

// leftover counts a warning if whole bytes are left of a segment that was decoded.
func (d *Decoder) leftover(s *scan) {
	if 8*s.length-s.bits.used() >= 8 {
		d.planes.Warnings.Extraneous++
	}
}

// load copies the coded data at s.at up to the next marker, without the zeros stuffed behind each
// 0xff, and starts over with bits and predictions.
func (d *Decoder) load(s *scan) {
	b := d.b[s.at:]
	if need := len(b) + padding; cap(d.segment) < need {
		// The segment may be shorter, but not by far unless there are restarts.
		d.segment = make([]byte, need)
	}
	out := d.segment[:cap(d.segment)]
	n, i := 0, 0
	for {
		j := bytes.IndexByte(b[i:], 0xff)
		if j < 0 {
			j = len(b) - i
		}
		n += copy(out[n:], b[i:i+j])
		i += j
		for i+1 < len(b) && b[i+1] == 0xff {
			i++ // fill
		}
		if i+1 >= len(b) {
			s.marker, s.at = 0, len(d.b)
			break
		}
		if b[i+1] != 0 {
			s.marker, s.at = b[i+1], s.at+i
			break
		}
		out[n] = 0xff
		n++
		i += 2
	}
	clear(out[n : n+padding])
	s.bits = bits{data: out[:n+padding]}
	s.length = n
	for _, c := range s.component {
		c.pred = 0
	}
}

// end returns the offset of the marker that ends the scan's data.
func (s *scan) end(b []byte) int {
	for at := s.at; ; {
		marker, next, err := nextMarker(b, at)
		if err != nil {
			return len(b)
		}
		if marker < mRST0 || marker >= mSOI {
			return next - 2
		}
		at = next
	}
}
