package pixel

import (
	"bytes"
	"image"
	"math"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// What lies outside the region may change as it likes.
func TestRegionHoldsAllThatIsRead(t *testing.T) {
	r := rng.Stream(1, "region")
	smaller := 0
	for i := range 300 {
		src := noise(r, 1+r.IntN(120), 1+r.IntN(120), i%6)
		w, h := 1+r.IntN(40), 1+r.IntN(40)
		scale, angle := math.Exp(r.Between(-2, 1.5)), r.Between(-math.Pi, math.Pi)
		if i%3 == 0 {
			angle = 0
		}
		m := [6]float64{
			scale * math.Cos(angle), -scale * math.Sin(angle), r.Between(-20, 120),
			scale * math.Sin(angle), scale * math.Cos(angle), r.Between(-20, 120),
		}
		s := Sampling(i % 2)
		want, got := make([]uint8, 3*w*h), make([]uint8, 3*w*h)
		Warp(want, w, h, src, m, s, false)
		region := Region(image.Pt(src.W, src.H), src.Channel[1].DX, src.Channel[1].DY, w, h, m, s)
		for _, p := range src.Channel {
			for y := range p.H {
				for x := range p.W {
					covers := image.Rect(x*p.DX, y*p.DY, (x+1)*p.DX, (y+1)*p.DY)
					if !covers.Overlaps(region) {
						p.Pix[y*p.Stride+x] ^= 0xff
						smaller++
					}
				}
			}
		}
		Warp(got, w, h, src, m, s, false)
		if !bytes.Equal(got, want) {
			t.Fatalf("%d: bytes outside %v of %dx%d were read (map %v)", i, region, src.W, src.H, m)
		}
	}
	if smaller == 0 {
		t.Error("every region is the whole image")
	}
}
