package jpeg

import "slices"

// picture is a JPEG to be written for a test: random coefficients, so that no forward DCT is
// needed and the bytes are the same on every machine.
type picture struct {
	w, h     int
	sampling []byte  // H<<4 | V by component
	scans    [][]int // components by scan; nil for one scan of all
	restart  int     // MCUs
	wide     bool    // coefficients of any size, instead of a photo's
	deep     bool    // 16-bit quantisers
	seed     uint64
}

// random is a linear congruential generator (Knuth's MMIX).
type random uint64

func (r *random) below(n int) int {
	*r = *r*6364136223846793005 + 1442695040888963407
	return int(uint64(*r)>>33) % n
}

// The tests' Huffman tables: every symbol that sequential coding knows, with codes of 2 to 16
// bits.
var (
	testDC = append([]byte{0, 2, 1, 2, 2, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
	testAC = func() []byte {
		spec := []byte{0, 1, 1, 2, 2, 4, 0, 20, 0, 40, 0, 60, 0, 0, 0, 112, 0x00}
		for size := range byte(15) {
			for run := range byte(16) {
				spec = append(spec, run<<4|size+1)
			}
		}
		return slices.Insert(spec, 30, 0xf0)
	}()
)

// code is a Huffman code of n bits.
type code struct{ bits, n int }

func codes(spec []byte) map[byte]code {
	m := map[byte]code{}
	next, k := 0, 16
	for l := range 16 {
		for range int(spec[l]) {
			m[spec[k]] = code{next, l + 1}
			next++
			k++
		}
		next <<= 1
	}
	return m
}

// bitWriter writes coded data with stuffing.
type bitWriter struct {
	b      []byte
	acc, n int
}

func (w *bitWriter) put(v, n int) {
	for i := n - 1; i >= 0; i-- {
		w.acc = w.acc<<1 | v>>i&1
		if w.n++; w.n == 8 {
			w.b = append(w.b, byte(w.acc))
			if byte(w.acc) == 0xff {
				w.b = append(w.b, 0)
			}
			w.acc, w.n = 0, 0
		}
	}
}

func (w *bitWriter) flush() {
	for w.n != 0 {
		w.put(1, 1)
	}
}

// number writes a value of size bits behind its code.
func (w *bitWriter) number(c code, v, size int) {
	if c.n == 0 {
		panic("symbol without a code")
	}
	w.put(c.bits, c.n)
	if v < 0 {
		v += 1<<size - 1
	}
	w.put(v, size)
}

func sizeOf(v int) int {
	n := 0
	for v = max(v, -v); v > 0; v >>= 1 {
		n++
	}
	return n
}

// file returns the picture as a JPEG.
func (p picture) file() []byte {
	b := []byte{0xff, mSOI}
	quant := []byte{0}
	if p.deep {
		quant[0] = 0x10
	}
	for k := range 64 {
		q := 3 + k/3
		if p.deep {
			quant = append(quant, byte(q*37>>8))
		}
		quant = append(quant, byte(q*37))
		if !p.deep {
			quant[len(quant)-1] = byte(q)
		}
	}
	b = append(b, segment(mDQT, quant...)...)
	frame := []byte{8, byte(p.h >> 8), byte(p.h), byte(p.w >> 8), byte(p.w), byte(len(p.sampling))}
	hmax, vmax := 1, 1
	for i, s := range p.sampling {
		frame = append(frame, byte(i+1), s, 0)
		hmax, vmax = max(hmax, int(s>>4)), max(vmax, int(s&15))
	}
	b = append(b, segment(mSOF0, frame...)...)
	b = append(b, segment(mDHT, slices.Concat([]byte{0}, testDC, []byte{0x10}, testAC)...)...)
	if p.restart > 0 {
		b = append(b, segment(mDRI, byte(p.restart>>8), byte(p.restart))...)
	}
	scans := p.scans
	if scans == nil {
		all := []int{0, 1, 2}[:len(p.sampling)]
		scans = [][]int{all}
	}
	r := random(p.seed)
	for _, scan := range scans {
		head := []byte{byte(len(scan))}
		for _, c := range scan {
			head = append(head, byte(c+1), 0)
		}
		b = append(b, segment(mSOS, append(head, 0, 63, 0)...)...)
		mw, mh := (p.w+8*hmax-1)/(8*hmax), (p.h+8*vmax-1)/(8*vmax)
		if len(scan) == 1 {
			mw, mh = (p.w+7)/8, (p.h+7)/8
			if len(p.sampling) > 1 {
				h, v := int(p.sampling[scan[0]]>>4), int(p.sampling[scan[0]]&15)
				cw, ch := (p.w*h+hmax-1)/hmax, (p.h*v+vmax-1)/vmax
				mw, mh = (cw+7)/8, (ch+7)/8
			}
		}
		b = append(b, p.data(&r, scan, mw*mh)...)
	}
	return append(b, 0xff, mEOI)
}

// data returns the coded data of a scan of some MCUs.
func (p picture) data(r *random, scan []int, mcus int) []byte {
	dc, ac := codes(testDC), codes(testAC)
	var w bitWriter
	var pred [3]int
	for m := range mcus {
		if p.restart > 0 && m > 0 && m%p.restart == 0 {
			w.flush()
			w.b = append(w.b, 0xff, mRST0+byte((m/p.restart-1)&7))
			pred = [3]int{}
		}
		for _, c := range scan {
			n := 1
			if len(scan) > 1 {
				n = int(p.sampling[c]>>4) * int(p.sampling[c]&15)
			}
			for range n {
				v := r.below(500) - 250
				if p.wide {
					v = r.below(20000) - 10000
				}
				w.number(dc[byte(sizeOf(v-pred[c]))], v-pred[c], sizeOf(v-pred[c]))
				pred[c] = v
				p.coefficients(r, &w, ac)
			}
		}
	}
	w.flush()
	return w.b
}

// coefficients writes a block's AC coefficients: none, few at low frequencies, or many.
func (p picture) coefficients(r *random, w *bitWriter, ac map[byte]code) {
	last := [...]int{0, 1, 3, 9, 20, 40, 63, 63}[r.below(8)]
	run := 0
	for k := 1; k <= last; k++ {
		v := 0
		if r.below(3) == 0 || k == last {
			size := 1 + r.below(max(1, 6-k/8))
			if p.wide {
				size = 1 + r.below(15)
			}
			v = 1<<(size-1) + r.below(1<<(size-1))
			if r.below(2) == 0 {
				v = -v
			}
		}
		if v == 0 {
			run++
			continue
		}
		for ; run > 15; run -= 16 {
			w.number(ac[0xf0], 0, 0)
		}
		w.number(ac[byte(run<<4|sizeOf(v))], v, sizeOf(v))
		run = 0
	}
	if last < 63 {
		w.number(ac[0], 0, 0)
	}
}
