package jpeg

import (
	"bytes"
	"fmt"
	"image"
	"testing"
)

// fast lists the levels with kernels that this machine has, or skips.
func fast(t testing.TB) (all []level) {
	for l := portable + 1; l <= best(); l++ {
		all = append(all, l)
	}
	if len(all) == 0 {
		t.Skip("this CPU has the portable level alone")
	}
	return all
}

// anyBlock fills a block with coefficients of one of many kinds.
func anyBlock(r *random, c *coefficients) {
	*c = coefficients{}
	switch kind := r.below(8); kind {
	case 0: // a photo's
		some(r, c, r.below(20), 1+r.below(8), 1+r.below(8), 100)
	case 1: // whatever fits in 16 bits
		for i := range 64 {
			c[i] = int16(r.below(1 << 16))
		}
	case 2: // extremes
		for i := range 64 {
			c[i] = [5]int16{-1 << 15, 1<<15 - 1, -1, 0, 1}[r.below(5)]
		}
	case 3: // a first row without others
		for i := range 8 {
			c[i] = int16(r.below(1<<16) >> r.below(16))
		}
	case 4: // and with one small coefficient elsewhere
		for i := range 8 {
			c[i] = int16(r.below(1 << 16))
		}
		c[8+r.below(56)] = 1
	case 5: // one column
		x := r.below(8)
		for y := range 8 {
			c[8*y+x] = int16(r.below(1<<16) >> r.below(16))
		}
	case 6: // around the ends of the samples' range
		for range r.below(6) {
			c[r.below(64)] = int16(r.below(4096) - 2048)
		}
	case 7: // few of any size
		for range 1 + r.below(4) {
			c[r.below(64)] = int16(r.below(1<<16) >> r.below(16))
		}
	}
}

func TestVectorIDCT(t *testing.T) {
	for _, l := range fast(t) {
		r := random(7)
		var g group
		lanes := l.lanes()
		for range 60000 {
			var block [maxLanes]coefficients
			var to [maxLanes]target
			pix := make([]uint8, 64*8) // the blocks lie side by side, with more columns between
			for i := range lanes {
				anyBlock(&r, &block[i])
				for k := range 64 {
					g[8*i+l.place(k)] = block[i][k]
				}
				to[i] = target{16*i + r.below(8), 64}
			}
			want := bytes.Clone(pix)
			for i := range lanes {
				idctWide(&block[i], want[to[i][0]:], to[i][1])
			}
			fastIDCT(l, g[:], pix, &to)
			if !bytes.Equal(pix, want) {
				t.Fatalf("%v: blocks %v: got %v, want %v", l, block[:lanes], pix, want)
			}
			if g != (group{}) {
				t.Fatalf("%v: coefficients are left", l)
			}
		}
	}
}

// Each place of a block is its own.
func TestPlaces(t *testing.T) {
	for l := portable; l <= avx512; l++ {
		seen := map[int]bool{}
		for i := range l.lanes() {
			for k := range 64 {
				seen[8*i+l.place(k)] = true
			}
		}
		if len(seen) != 64*l.lanes() || seen[64*l.lanes()] {
			t.Errorf("%v: %d places for %d blocks", l, len(seen), l.lanes())
		}
	}
}

// sameOutcome fails unless two decoders agree in every sample, warning and error.
func sameOutcome(p, want *Planes, err, wantErr error) error {
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		return fmt.Errorf("error %v, want %v", err, wantErr)
	}
	if err != nil {
		return nil
	}
	if p.Region != want.Region || p.Warnings != want.Warnings || len(p.Channel) != len(want.Channel) {
		return fmt.Errorf("region %v, warnings %v, %d planes, want %v, %v, %d", p.Region, p.Warnings, len(p.Channel), want.Region, want.Warnings, len(want.Channel))
	}
	for i, c := range p.Channel {
		if w := want.Channel[i]; c.W != w.W || c.H != w.H || c.DX != w.DX || c.DY != w.DY || c.Stride != w.Stride || !bytes.Equal(c.Pix, w.Pix) {
			return fmt.Errorf("plane %d differs", i)
		}
	}
	return nil
}

// agree decodes with every level and returns the portable result.
func agree(t *testing.T, b []byte, region image.Rectangle, maxPixels int) (*Planes, error) {
	t.Helper()
	want, wantErr := new(Decoder).decode(portable, b, region, maxPixels)
	for l := portable + 1; l <= best(); l++ {
		p, err := new(Decoder).decode(l, b, region, maxPixels)
		if err := sameOutcome(p, want, err, wantErr); err != nil {
			t.Fatalf("%v, region %v: %v", l, region, err)
		}
	}
	return want, wantErr
}

func TestLevelsAgree(t *testing.T) {
	fast(t)
	r := random(8)
	for name, p := range pictures {
		b := p.file()
		for i := range 10 {
			x, y := r.below(p.w), r.below(p.h)
			region := image.Rect(x, y, x+1+r.below(p.w), y+1+r.below(p.h))
			if i == 0 {
				region = image.Rectangle{}
			}
			if _, err := agree(t, b, region, MaxPixels); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestLevelsAgreeOnPhotos(t *testing.T) {
	fast(t)
	for i, b := range photos(t, 7, 1000) {
		h, err := ReadHeader(b)
		if err != nil {
			t.Fatal(err)
		}
		region := image.Rectangle{}
		if i%2 == 0 {
			region = middle(h.Width, h.Height)
		}
		if _, err := agree(t, b, region, MaxPixels); err != nil {
			t.Errorf("photo %d: %v", i, err)
		}
	}
}

func TestChooseLevel(t *testing.T) {
	for _, c := range []struct {
		name string
		best level
		want level
	}{
		{"", avx512, avx512}, {"", portable, portable}, {"avx2", avx512, avx2}, {"portable", avx512, portable},
		{"avx512", avx512, avx512}, {"avx512", avx2, avx2}, {"sse", avx2, avx2},
	} {
		if got := choose(c.name, c.best); got != c.want {
			t.Errorf("choose(%q, %v) = %v, want %v", c.name, c.best, got, c.want)
		}
	}
}

// Blocks of random bits, most of which end in a fault sooner or later, read alike and leave off at
// the same bit.
func TestBlockKernels(t *testing.T) {
	all := fast(t)
	// Tables of all codes, of short ones alone, of one, and without an end of block.
	var dcs, acs []*huffman
	for _, spec := range [][]byte{testDC, append([]byte{0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), append(make([]byte, 15), 1, 15)} {
		h := new(huffman)
		if err := h.build(spec, false); err != nil {
			t.Fatal(err)
		}
		dcs = append(dcs, h)
	}
	for i, spec := range [][]byte{testAC, append([]byte{0, 2, 1, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1, 0x11, 0, 2, 0x31, 0x53, 0xf0), append(make([]byte, 15), 1, 15), append([]byte{0, 3, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0x31, 0x52, 0xe1, 0x73, 0xf0), testAC} {
		h := new(huffman)
		if err := h.build(spec, true); err != nil {
			t.Fatal(err)
		}
		if i < 4 {
			h.group()
		}
		acs = append(acs, h)
	}
	r := random(9)
	outcomes := map[int]int{}
	for range 3000 {
		data := make([]byte, 600+padding)
		mask := byte(r.below(256)) | 1<<r.below(8) // some bits are always 0, which makes short codes likelier
		for i := range 600 {
			data[i] = byte(r.below(256)) & mask
		}
		var table [64]uint16
		for i := range table {
			table[i] = uint16(r.below(1<<16) >> r.below(16))
		}
		dc, ac := dcs[r.below(len(dcs))], acs[r.below(len(acs))]
		for _, l := range all {
			var q, fastQ dequantizer
			q.set(&table, portable)
			fastQ.set(&table, l)
			b, fb := bits{data: data}, bits{data: data}
			pred, fastPred := int32(0), int32(0)
			list := []unitBlock{{&dc.fast[0], &ac.fast[0], &fastQ[0], &fastPred}}
			for b.used() < 8*600 {
				if r.below(3) == 0 {
					fault, fastFault := b.skip(dc, ac, &pred), fb.fastSkip(list)
					outcomes[fault]++
					if fault != fastFault || b.used() != fb.used() || fault == 0 && pred != fastPred {
						t.Fatalf("%v: skip returns %d at bit %d, DC %d, want %d, %d, %d", l, fastFault, fb.used(), fastPred, fault, b.used(), pred)
					}
					if fault < 0 {
						break
					}
					continue
				}
				var c coefficients
				var g group
				slot := [maxMCU]int{slots[l][r.below(2*ring)]}
				shape, fastFault := b.block(dc, ac, &q, &c, &pred), fb.fastBlocks(list, &g, &slot)
				outcomes[min(shape, 0)]++
				if min(shape, 0) != min(fastFault, 0) || b.used() != fb.used() {
					t.Fatalf("%v: returns %d at bit %d, want %d, %d", l, fastFault, fb.used(), shape, b.used())
				}
				if shape < 0 {
					break
				}
				if pred != fastPred {
					t.Fatalf("%v: DC %d, want %d", l, fastPred, pred)
				}
				for k := range 64 {
					at := slot[0] + l.place(k)
					if got := g[at]; got != c[k] {
						t.Fatalf("%v: coefficient %d = %d, want %d", l, k, got, c[k])
					}
					g[at] = 0
				}
				if g != (group{}) {
					t.Fatalf("%v: wrote beside its block", l)
				}
			}
		}
	}
	if outcomes[0] < 1000 || outcomes[faultCode] < 100 || outcomes[faultRange] < 100 {
		t.Errorf("outcomes %v: too few of a kind", outcomes)
	}
}

// Skipping takes several symbols at a time, but never one behind the end of the block: with tables
// of few short codes and long runs, that would often happen.
func TestSkipEndsWithTheBlock(t *testing.T) {
	dc := new(huffman)
	if err := dc.build(testDC, false); err != nil {
		t.Fatal(err)
	}
	r := random(10)
	ends := 0
	for range 10000 {
		spec := make([]byte, 16)
		for left, l := 2, 0; left > 1 && l < 4; l++ {
			n := r.below(left)
			spec[l] = byte(n)
			left = 2 * (left - n)
		}
		for n := int(spec[0] + spec[1] + spec[2] + spec[3]); n > 0; n-- {
			spec = append(spec, byte(r.below(16)<<4|1+r.below(2)))
		}
		if len(spec) > 17 {
			spec[16+r.below(len(spec)-16)] = 0xf0
		}
		ac := new(huffman)
		if err := ac.build(spec, true); err != nil {
			t.Fatal(err)
		}
		ac.group()
		data := make([]byte, 200+padding)
		for i := range 200 {
			data[i] = byte(r.below(256))
		}
		var q dequantizer
		q.set(new([64]uint16), portable)
		var c coefficients
		pred, skipPred, fastPred := int32(0), int32(0), int32(0)
		list := []unitBlock{{&dc.fast[0], &ac.fast[0], &q[0], &fastPred}}
		b, sb, fb := bits{data: data}, bits{data: data}, bits{data: data}
		for b.used() < 8*200 {
			want := min(b.block(dc, ac, &q, &c, &pred), 0)
			got, fast := sb.skip(dc, ac, &skipPred), want
			if best() != portable {
				fast = fb.fastSkip(list)
			} else {
				fb, fastPred = b, pred
			}
			if want != got || want != fast || want == 0 && (b.used() != sb.used() || b.used() != fb.used() || pred != skipPred || pred != fastPred) {
				t.Fatalf("table %v: skipping returns %d at bit %d, in assembly %d at %d, want %d at %d", spec, got, sb.used(), fast, fb.used(), want, b.used())
			}
			if want < 0 {
				break
			}
			ends++
		}
	}
	if ends < 1000 {
		t.Errorf("%d blocks ended, want 1000 at least", ends)
	}
}
