package jpeg

import (
	"bytes"
	"hash/crc32"
	"image"
	"slices"
	"testing"
)

// pictures are small images of every sampling and structure.
var pictures = map[string]picture{
	"grey":             {w: 45, h: 37, sampling: []byte{0x11}, seed: 1},
	"grey, factors":    {w: 45, h: 37, sampling: []byte{0x22}, seed: 2},
	"444":              {w: 45, h: 37, sampling: []byte{0x11, 0x11, 0x11}, seed: 3},
	"444, factors":     {w: 45, h: 37, sampling: []byte{0x21, 0x21, 0x21}, seed: 4},
	"440":              {w: 45, h: 37, sampling: []byte{0x12, 0x11, 0x11}, seed: 5},
	"440, factors":     {w: 45, h: 37, sampling: []byte{0x22, 0x21, 0x21}, seed: 6},
	"422":              {w: 45, h: 37, sampling: []byte{0x21, 0x11, 0x11}, seed: 7},
	"420":              {w: 45, h: 37, sampling: []byte{0x22, 0x11, 0x11}, seed: 8},
	"411":              {w: 75, h: 37, sampling: []byte{0x41, 0x11, 0x11}, seed: 9},
	"410":              {w: 75, h: 37, sampling: []byte{0x42, 0x11, 0x11}, seed: 10},
	"420, restarts":    {w: 145, h: 67, sampling: []byte{0x22, 0x11, 0x11}, seed: 11, restart: 3},
	"444, restart 1":   {w: 145, h: 37, sampling: []byte{0x11, 0x11, 0x11}, seed: 12, restart: 1},
	"420, three scans": {w: 75, h: 67, sampling: []byte{0x22, 0x11, 0x11}, seed: 13, scans: [][]int{{0}, {1}, {2}}},
	"422, two scans":   {w: 75, h: 67, sampling: []byte{0x21, 0x11, 0x11}, seed: 14, scans: [][]int{{1, 2}, {0}}, restart: 7},
	"16-bit table":     {w: 45, h: 37, sampling: []byte{0x22, 0x11, 0x11}, seed: 15, deep: true},
	"wide":             {w: 145, h: 137, sampling: []byte{0x11}, seed: 16, wide: true},
	"wide, 420":        {w: 145, h: 137, sampling: []byte{0x22, 0x11, 0x11}, seed: 17, wide: true, deep: true},
}

// golden are CRC-32s of the planes of pictures, one by component. They agree with what
// libjpeg-turbo 2.1.5 (x86-64, AVX2) gives by jpeg_read_raw_data with JDCT_ISLOW.
var golden = map[string][]uint32{
	"grey":             {0xb4a2d38a},
	"grey, factors":    {0x2404f4ce},
	"444":              {0xcc6dbab9, 0x2179f2b9, 0x692574f0},
	"444, factors":     {0xe92d164e, 0x63acd776, 0xa9e58df9},
	"440":              {0x60bb23e2, 0x51ba4112, 0xca80d282},
	"440, factors":     {0xa788daa3, 0x8343c4c8, 0x9fcfa563},
	"422":              {0x9684670b, 0xa69301ae, 0xc562e6fb},
	"420":              {0xe4047f11, 0xfde7c6e4, 0x2724eab4},
	"411":              {0xa0c23425, 0xd430702f, 0x65bf5c73},
	"410":              {0xcbe87fe2, 0x16edd353, 0xf879bbd4},
	"420, restarts":    {0x90fabcf9, 0xcad5a863, 0x02638bc7},
	"444, restart 1":   {0x865cdd51, 0x89b94547, 0x3fb91123},
	"420, three scans": {0xb2a42a90, 0x139cc841, 0x2a06817f},
	"422, two scans":   {0x851037dd, 0xafeb32db, 0x94ef1bfe},
	"16-bit table":     {0x3102c356, 0xf83f6aa5, 0xe20fc4cb},
	"wide":             {0x331fc3c5},
	"wide, 420":        {0x85fd4758, 0x79bb6d75, 0xabfae649},
}

func sums(p *Planes) (s []uint32) {
	for _, c := range p.Channel {
		h := crc32.NewIEEE()
		for y := range c.H {
			h.Write(c.Pix[y*c.Stride : y*c.Stride+c.W])
		}
		s = append(s, h.Sum32())
	}
	return s
}

func TestGolden(t *testing.T) {
	var d Decoder
	for name, p := range pictures {
		got, err := d.Decode(p.file(), image.Rectangle{}, MaxPixels)
		if err != nil || got.Warnings.Total() != 0 {
			t.Errorf("%s: %v, warnings %v", name, err, got.Warnings)
			continue
		}
		if s := sums(got); !slices.Equal(s, golden[name]) {
			t.Errorf("%s: CRC-32 %#08x, want %#08x", name, s, golden[name])
		}
	}
}

// Whole images and regions of every kind must be what the slow decoder makes of them.
func TestTwin(t *testing.T) {
	r := random(99)
	var d Decoder
	for name, p := range pictures {
		b := p.file()
		var slow twin
		if err := slow.decode(b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all := image.Rect(0, 0, p.w, p.h)
		for i := range 20 {
			x, y := r.below(p.w), r.below(p.h)
			want := image.Rect(x, y, x+1+r.below(p.w-x+9), y+1+r.below(p.h-y+9))
			if i == 0 {
				want = image.Rectangle{}
			}
			got, err := d.Decode(b, want, MaxPixels)
			if err != nil {
				t.Fatalf("%s: %v: %v", name, want, err)
			}
			if i == 0 {
				want = all
			}
			if !want.Intersect(all).In(got.Region) || !got.Region.In(all) || got.Width != p.w || got.Height != p.h {
				t.Errorf("%s: decoded %v of %dx%d for %v", name, got.Region, got.Width, got.Height, want)
			}
			if err := slow.same(got); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Every size around one and two MCUs, in each sampling.
func TestSizes(t *testing.T) {
	var d Decoder
	for _, sampling := range [][]byte{{0x11}, {0x11, 0x11, 0x11}, {0x12, 0x11, 0x11}, {0x21, 0x11, 0x11}, {0x22, 0x11, 0x11}, {0x41, 0x11, 0x11}, {0x42, 0x11, 0x11}} {
		for w := 1; w <= 17; w++ {
			for h := 1; h <= 17; h++ {
				for _, scans := range [][][]int{nil, {{0}, {1}, {2}}} {
					if len(sampling) == 1 && scans != nil {
						continue
					}
					b := picture{w: w, h: h, sampling: sampling, scans: scans, seed: uint64(w<<8 | h)}.file()
					var slow twin
					p, err := d.Decode(b, image.Rectangle{}, MaxPixels)
					if err == nil {
						if err = slow.decode(b); err == nil {
							err = slow.same(p)
						}
					}
					if err != nil {
						t.Fatalf("%x, %dx%d, scans %v: %v", sampling, w, h, scans, err)
					}
					c := p.Channel[len(p.Channel)-1]
					if c.W != (w+c.DX-1)/c.DX || c.H != (h+c.DY-1)/c.DY {
						t.Fatalf("%x, %dx%d: the last plane is %dx%d of %dx%d pixels", sampling, w, h, c.W, c.H, c.DX, c.DY)
					}
				}
			}
		}
	}
}

// A result must not depend on the images before it, whose tables and buffers are still there.
func TestDecoderIsReusable(t *testing.T) {
	var d Decoder
	for range 2 {
		for seed := range uint64(30) {
			p := picture{w: 20 + int(seed*7%50), h: 20 + int(seed*5%40), sampling: []byte{0x22, 0x11, 0x11}, seed: seed}
			b := p.file()
			// Another order of the symbols of one length makes another table.
			at := bytes.Index(b, testAC)
			slices.Sort(b[at+16+28 : at+16+30+int(seed)])
			got, err := d.Decode(b, image.Rectangle{}, MaxPixels)
			var fresh Decoder
			want, wantErr := fresh.Decode(b, image.Rectangle{}, MaxPixels)
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("seed %d: %v, a fresh decoder %v", seed, err, wantErr)
			}
			if err == nil && !slices.Equal(sums(got), sums(want)) {
				t.Fatalf("seed %d: other samples than a fresh decoder's", seed)
			}
			if len(d.tables) > maxTables {
				t.Fatalf("%d tables kept, want %d at most", len(d.tables), maxTables)
			}
		}
	}
}

func TestDecoderDoesNotAllocate(t *testing.T) {
	var d Decoder
	b := pictures["420, restarts"].file()
	n := testing.AllocsPerRun(10, func() {
		if _, err := d.Decode(b, image.Rectangle{}, MaxPixels); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations a photo, want 0", n)
	}
}
