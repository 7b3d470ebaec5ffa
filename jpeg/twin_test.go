package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// twin is the slow and obvious decoder that Decoder is held against: whole images, bit by bit,
// each Huffman code looked up in a map. Images that Decoder does not take it must not be given.
type twin struct {
	b          []byte
	h          Header
	hmax, vmax int
	quant      [4][64]int64
	known      [4]bool
	tables     [8]map[[2]int]byte // class*4 + id: length and code to symbol
	restart    int
	done       [3]bool
	plane      [3][]uint8 // of whole MCUs
	stride     [3]int
	// peak is the largest sum of a block's absolute coefficients. Up to 2,000, arithmetic of 32
	// bits overflows in no decoder.
	peak int64

	at        int // next byte
	acc, left int // bits at hand
}

var errTwin = errors.New("twin: damaged")

func (t *twin) bit() int {
	if t.left == 0 {
		for t.at+1 < len(t.b) && t.b[t.at] == 0xff && t.b[t.at+1] == 0xff {
			t.at++
		}
		if t.at+1 >= len(t.b) && (t.at >= len(t.b) || t.b[t.at] == 0xff) || t.b[t.at] == 0xff && t.b[t.at+1] != 0 {
			panic(errTwin)
		}
		t.acc, t.left = int(t.b[t.at]), 8
		if t.b[t.at] == 0xff {
			t.at++
		}
		t.at++
	}
	t.left--
	return t.acc >> t.left & 1
}

func (t *twin) symbol(table map[[2]int]byte) byte {
	code := 0
	for n := 1; n <= 16; n++ {
		code = code<<1 | t.bit()
		if s, ok := table[[2]int{n, code}]; ok {
			return s
		}
	}
	panic(errTwin)
}

func (t *twin) number(size int) int64 {
	v := int64(0)
	for range size {
		v = v<<1 | int64(t.bit())
	}
	if size > 0 && v>>(size-1) == 0 {
		v -= 1<<size - 1
	}
	return v
}

// decode returns an error where the data is damaged.
func (t *twin) decode(b []byte) (err error) {
	defer func() {
		if r := recover(); r == errTwin {
			err = errTwin
		} else if r != nil {
			panic(r)
		}
	}()
	t.b = b
	if t.h, err = ReadHeader(b); err != nil {
		return err
	}
	if t.h.Components == 1 {
		t.h.Component[0].H, t.h.Component[0].V = 1, 1
	}
	t.hmax, t.vmax = t.h.Component[0].H, t.h.Component[0].V
	for i, c := range t.h.Component[:t.h.Components] {
		t.stride[i] = 8 * c.H * t.mcus(t.h.Width, t.hmax)
		t.plane[i] = make([]uint8, t.stride[i]*8*c.V*t.mcus(t.h.Height, t.vmax))
	}
	left := t.h.Components
	for at := 2; ; {
		marker, next, err := nextMarker(b, at)
		if err != nil {
			if left == 0 {
				return nil
			}
			return err
		}
		if marker == mEOI {
			if left == 0 {
				return nil
			}
			return errTwin
		}
		if marker == mSOI || marker == mTEM || marker >= mRST0 && marker < mSOI {
			at = next
			continue
		}
		if len(b) < next+2 || len(b) < next+int(binary.BigEndian.Uint16(b[next:])) || b[next] == 0 && b[next+1] < 2 {
			return errTwin
		}
		at = next + int(binary.BigEndian.Uint16(b[next:]))
		body := b[next+2 : at]
		switch {
		case marker == mDQT:
			t.quantTables(body)
		case marker == mDHT:
			t.huffmanTables(body)
		case marker == mDRI:
			if len(body) != 2 {
				return errTwin
			}
			t.restart = int(body[0])<<8 | int(body[1])
		case marker == mSOS:
			if left == 0 {
				return errTwin
			}
			t.at = at
			left -= t.scan(body)
			at = t.at
		case marker >= mSOF0 && marker <= mSOF15 && marker != mJPG && marker != mDAC && next-2 > t.h.Scan:
			return errTwin
		}
	}
}

func (t *twin) mcus(pixels, factor int) int { return (pixels + 8*factor - 1) / (8 * factor) }

func (t *twin) quantTables(s []byte) {
	for len(s) > 0 {
		size := 1 + int(s[0]>>4)
		if size > 2 || s[0]&15 > 3 || len(s) < 1+64*size {
			panic(errTwin)
		}
		for k := range 64 {
			q := int64(s[1+k])
			if size == 2 {
				q = int64(s[1+2*k])<<8 | int64(s[2+2*k])
			}
			t.quant[s[0]&15][k] = q
		}
		t.known[s[0]&15] = true
		s = s[1+64*size:]
	}
}

func (t *twin) huffmanTables(s []byte) {
	for len(s) > 0 {
		if len(s) < 17 || s[0]>>4 > 1 || s[0]&15 > 3 {
			panic(errTwin)
		}
		table := map[[2]int]byte{}
		code, k := 0, 0
		for n := 1; n <= 16; n++ {
			for range int(s[n]) {
				if 17+k >= len(s) || k > 255 || code >= 1<<n {
					panic(errTwin)
				}
				table[[2]int{n, code}] = s[17+k]
				code++
				k++
			}
			code <<= 1
		}
		t.tables[s[0]>>4*4+s[0]&15] = table
		s = s[17+k:]
	}
}

func (t *twin) scan(s []byte) int {
	if len(s) < 1 || s[0] < 1 || int(s[0]) > t.h.Components || len(s) != 4+2*int(s[0]) {
		panic(errTwin)
	}
	n := int(s[0])
	var list [3]int
	blocks := 0
	for i := range n {
		list[i] = -1
		for j, c := range t.h.Component[:t.h.Components] {
			if c.ID == s[1+2*i] && !t.done[j] {
				list[i] = j
			}
		}
		if list[i] < 0 || s[2+2*i]>>4 > 3 || s[2+2*i]&15 > 3 {
			panic(errTwin)
		}
		c := t.h.Component[list[i]]
		if !t.known[c.Tq] || t.tables[s[2+2*i]>>4] == nil || t.tables[4+s[2+2*i]&15] == nil {
			panic(errTwin)
		}
		t.done[list[i]] = true
		blocks += c.H * c.V
	}
	w, h := t.mcus(t.h.Width, t.hmax), t.mcus(t.h.Height, t.vmax)
	if c := t.h.Component[list[0]]; n == 1 {
		w, h = t.mcus(t.h.Width*c.H, t.hmax), t.mcus(t.h.Height*c.V, t.vmax)
	} else if blocks > 10 {
		panic(errTwin)
	}
	var pred [3]int64
	t.left = 0
	for m := range w * h {
		if t.restart > 0 && m > 0 && m%t.restart == 0 {
			t.toMarker()
			if t.at+1 >= len(t.b) || int(t.b[t.at+1]) != mRST0+(m/t.restart-1)%8 {
				panic(errTwin)
			}
			t.at += 2
			pred = [3]int64{}
		}
		for i, k := range list[:n] {
			c := t.h.Component[k]
			if n == 1 {
				t.block(s[2+2*i], k, m%w, m/w, &pred[i])
				continue
			}
			for y := range c.V {
				for x := range c.H {
					t.block(s[2+2*i], k, m%w*c.H+x, m/w*c.V+y, &pred[i])
				}
			}
		}
	}
	t.toMarker()
	return n
}

// toMarker drops what is left of the coded data.
func (t *twin) toMarker() {
	t.left = 0
	for t.at < len(t.b) && (t.b[t.at] != 0xff || t.at+1 < len(t.b) && t.b[t.at+1] == 0) {
		t.at++
		if t.b[t.at-1] == 0xff {
			t.at++
		}
	}
	for t.at+1 < len(t.b) && t.b[t.at+1] == 0xff {
		t.at++
	}
	if t.at+1 < len(t.b) && t.b[t.at+1] == 0 { // 0xff 0xff 0x00 is stuffing as well
		t.at += 2
		t.toMarker()
	}
}

func (t *twin) block(tables byte, k, x, y int, pred *int64) {
	q := &t.quant[t.h.Component[k].Tq]
	var c coefficients
	size := t.symbol(t.tables[tables>>4])
	if size > 15 {
		panic(errTwin)
	}
	*pred += t.number(int(size))
	c[0] = int16(*pred * q[0])
	sum := max(*pred*q[0], -*pred*q[0])
	for i := 1; i < 64; i++ {
		s := t.symbol(t.tables[4+tables&15])
		if s == 0 {
			break
		}
		if s&15 == 0 && s != 0xf0 {
			panic(errTwin)
		}
		i += int(s >> 4)
		v := t.number(int(s & 15))
		if s == 0xf0 {
			continue
		}
		if i > 63 {
			panic(errTwin)
		}
		c[zigzag[i]] = int16(v * q[i])
		sum += max(v*q[i], -v*q[i])
	}
	t.peak = max(t.peak, sum)
	out := t.plane[k][8*(y*t.stride[k]+x):]
	idctWide(&c, out, t.stride[k])
}

// same compares planes with the twin's.
func (t *twin) same(p *Planes) error {
	for i, c := range p.Channel {
		for y := range c.H {
			for x := range c.W {
				sx, sy := p.Region.Min.X/c.DX+x, p.Region.Min.Y/c.DY+y
				if got, want := c.Pix[y*c.Stride+x], t.plane[i][sy*t.stride[i]+sx]; got != want {
					return fmt.Errorf("region %v: plane %d, sample %d, %d is %d, want %d", p.Region, i, sx, sy, got, want)
				}
			}
		}
	}
	return nil
}
