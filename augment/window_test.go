package augment

import (
	"bytes"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// Where Window says that it is all, a plain crop gives what Apply gives; where Apply changes a
// value, Window says so.
func TestWindowIsWhatApplyDoes(t *testing.T) {
	const c, h, w = 3, 14, 11
	src := make([]uint8, c*h*w)
	r := rng.Stream(1, "window")
	for i := range src {
		src[i] = uint8(r.Uint64())
	}
	for spec, always := range map[string]bool{
		"none": true, "flip=0.5": true, "crop=9x8": true, "flip=0.5,crop=9x8": true,
		"flip=0.5,crop=9x8,pad=3": false, "flip=0.5,monochrome=0.5": false, "jitter=0.1": false,
		"crop=5x5,blur=0.3": false, "saturation=0.2,flip=1": false, "rotate=5": false, "zoom=1-1.2": false, "erase=0.5": false,
	} {
		p, err := Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		_, ch, cw := p.OutputShape(c, h, w)
		got, want := make([]uint8, c*ch*cw), make([]uint8, c*ch*cw)
		plain := 0
		for epoch := range 100 {
			y, x, flip, only := p.Window(h, w, 7, epoch, "n000002/0001_01")
			if !only {
				continue
			}
			plain++
			crop(got, src, c, h, w, ch, cw, y, x, flip)
			p.Apply(want, src, c, h, w, 7, epoch, "n000002/0001_01")
			if !bytes.Equal(got, want) {
				t.Fatalf("%s: epoch %d: the window differs from what Apply gives", spec, epoch)
			}
		}
		if always != (plain == 100) {
			t.Errorf("%s: %d of 100 samples are a window alone, always %v", spec, plain, always)
		}
		y, x := p.CenterWindow(h, w)
		crop(got, src, c, h, w, ch, cw, y, x, false)
		if p.Center(want, src, c, h, w); !bytes.Equal(got, want) {
			t.Errorf("%s: the central window differs from Center", spec)
		}
	}
}
