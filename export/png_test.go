package export

import (
	"bytes"
	"fmt"
	"image/png"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

// The standard library reads from a PNG the pixels that went into it, whatever its shape, and it is
// never larger than planned for.
func TestPNGComesBack(t *testing.T) {
	var e pngEncoder
	r := rng.Stream(1, "png")
	for _, shape := range []shard.Shape{{3, 1, 1}, {1, 1, 1}, {3, 7, 5}, {1, 5, 9}, {3, 112, 112}, {3, 64, 1}, {1, 1, 300}, {3, 300, 200}} {
		for _, noise := range []bool{false, true} {
			for _, bgr := range []bool{false, true} {
				pixels := make([]uint8, shape.Bytes())
				for i := range pixels {
					pixels[i] = uint8(i / 3)
					if noise {
						pixels[i] = uint8(r.Uint64())
					}
				}
				b, err := e.Append(nil, pixels, shape, bgr)
				if err != nil {
					t.Fatal(err)
				}
				if int64(len(b)) > pngBound(shape) {
					t.Errorf("%v noise %v: %d bytes, at most %d were planned", shape, noise, len(b), pngBound(shape))
				}
				img, err := png.Decode(bytes.NewReader(b))
				if err != nil {
					t.Fatalf("%v: %v", shape, err)
				}
				if img.Bounds().Dx() != shape[2] || img.Bounds().Dy() != shape[1] {
					t.Fatalf("%v: %v", shape, img.Bounds())
				}
				n := shape[1] * shape[2]
				for i := range n {
					cr, cg, cb, _ := img.At(i%shape[2], i/shape[2]).RGBA()
					have := [3]uint8{uint8(cr >> 8), uint8(cg >> 8), uint8(cb >> 8)}
					want := [3]uint8{pixels[i], pixels[i], pixels[i]}
					if shape[0] == 3 {
						want = [3]uint8{pixels[i], pixels[n+i], pixels[2*n+i]}
						if bgr {
							want[0], want[2] = want[2], want[0]
						}
					}
					if have != want {
						t.Fatalf("%v noise %v bgr %v: pixel %d is %v, want %v", shape, noise, bgr, i, have, want)
					}
				}
			}
		}
	}
	for _, shape := range []shard.Shape{{2, 4, 4}, {3, 0, 4}} {
		if _, err := e.Append(nil, make([]uint8, shape.Bytes()), shape, false); err == nil {
			t.Errorf("a PNG of %v", shape)
		}
	}
}

func BenchmarkPNG(b *testing.B) {
	d := &drawn{shape: shard.Shape{3, 112, 112}, classes: []string{"a"}}
	pixels := d.sample("train", 1).Data
	for _, bgr := range []bool{false, true} {
		b.Run(fmt.Sprintf("bgr=%v", bgr), func(b *testing.B) {
			var e pngEncoder
			var buf []byte
			b.SetBytes(int64(len(pixels)))
			for b.Loop() {
				var err error
				if buf, err = e.Append(buf[:0], pixels, d.shape, bgr); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(buf))/float64(len(pixels)), "of-raw")
		})
	}
}
