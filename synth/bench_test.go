package synth

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

func BenchmarkPhoto(b *testing.B) {
	var p painter
	var ph photo
	var out image.RGBA
	var buf bytes.Buffer
	px := 0
	for i := range b.N {
		who := newPerson(rng.Stream(1, "p", i/8), i/8%2 == 0)
		ph.take(&who, rng.Stream(1, "x", i))
		p.paint(&ph, &out, rng.Stream(1, "y", i))
		buf.Reset()
		if err := jpeg.Encode(&buf, &out, &jpeg.Options{Quality: ph.quality}); err != nil {
			b.Fatal(err)
		}
		px += ph.w * ph.h
	}
	b.ReportMetric(float64(px)/float64(b.N), "px/op")
}
