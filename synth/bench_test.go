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

func BenchmarkRows(b *testing.B) {
	p := identity{id: "n000002", count: 1000}
	b.ReportAllocs()
	for range b.N {
		p.rows(1, 0)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*p.count), "ns/row")
}
