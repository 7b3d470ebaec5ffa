package jpeg

import (
	"bytes"
	"image"
	stdjpeg "image/jpeg"
	"os"
	"path/filepath"
	"testing"
)

// photos returns the first max photos of the real data, every step-th of them, or skips.
func photos(t testing.TB, step, max int) [][]byte {
	t.Helper()
	dir := os.Getenv("VF2PREP_DATA")
	if dir == "" {
		dir = "../../shared/data"
	}
	names, _ := filepath.Glob(filepath.Join(dir, "vf2real", "train", "*", "*.jpg"))
	if len(names) == 0 {
		t.Skipf("no real images below %s", dir)
	}
	var files [][]byte
	for i := 0; i < len(names) && len(files) < max; i += step {
		b, err := os.ReadFile(names[i])
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, b)
	}
	return files
}

// The middle half of a photo in each direction is about what an aligned face needs of a
// VGGFace2 crop.
func middle(w, h int) image.Rectangle { return image.Rect(w/4, h/4, w-w/4, h-h/4) }

func BenchmarkDecoder(b *testing.B) {
	files := photos(b, 8, 300)
	size := 0
	for _, f := range files {
		size += len(f)
	}
	run := func(name string, decode func(f []byte) error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size / len(files)))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := decode(files[i%len(files)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
	for l := portable; l <= best(); l++ {
		var d Decoder
		run("whole/"+l.String(), func(f []byte) error {
			_, err := d.decode(l, f, image.Rectangle{}, MaxPixels)
			return err
		})
		run("middle/"+l.String(), func(f []byte) error {
			h, err := ReadHeader(f)
			if err == nil {
				_, err = d.decode(l, f, middle(h.Width, h.Height), MaxPixels)
			}
			return err
		})
		run("corner/"+l.String(), func(f []byte) error { // one MCU: what skipping costs
			h, err := ReadHeader(f)
			if err == nil {
				_, err = d.decode(l, f, image.Rect(h.Width-1, h.Height-1, h.Width, h.Height), MaxPixels)
			}
			return err
		})
	}
	run("std", func(f []byte) error {
		_, err := stdjpeg.Decode(bytes.NewReader(f))
		return err
	})
}
