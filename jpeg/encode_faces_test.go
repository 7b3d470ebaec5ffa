package jpeg_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/jpeg"
	"github.com/vf2prep/vf2prep/pixel"
)

// faces returns aligned crops of the real data, every step-th face, as a recipe makes them.
func faces(t testing.TB, recipe string, step int) (crops [][]uint8, side int) {
	t.Helper()
	dir := os.Getenv("VF2PREP_DATA")
	if dir == "" {
		dir = "../../shared/data"
	}
	dir = filepath.Join(dir, "vf2real")
	rows := func(name string) [][]string {
		f, err := os.Open(filepath.Join(dir, "bb_landmark", name))
		if err != nil {
			t.Skipf("no real images: %v", err)
		}
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows[1:]
	}
	boxes, points := rows("loose_bb_train.csv"), rows("loose_landmark_train.csv")
	r, err := cache.LoadRecipe(recipe, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(boxes); i += step {
		var v [14]float64
		for k, s := range append(boxes[i][1:], points[i][1:]...) {
			if v[k], err = strconv.ParseFloat(s, 64); err != nil {
				t.Fatal(err)
			}
		}
		box, l := face.Box{X: v[0], Y: v[1], W: v[2], H: v[3]}, face.Landmarks{}
		for k := range l {
			l[k] = face.Point{X: v[4+2*k], Y: v[5+2*k]}
		}
		photo, err := os.ReadFile(filepath.Join(dir, "train", boxes[i][0]+".jpg"))
		if err != nil {
			t.Fatal(err)
		}
		crop := make([]uint8, 3*r.Height*r.Width)
		if _, err := r.Transform(photo, &box, &l, crop); err != nil {
			t.Fatal(err)
		}
		crops = append(crops, crop)
	}
	return crops, r.Width
}

// back decodes what was encoded.
func back(d *jpeg.Decoder, dst, b []byte, w, h int) error {
	p, err := d.Whole(b, w, h)
	if err != nil {
		return err
	}
	var c [3]pixel.Plane
	for i := range c {
		c[i] = pixel.Plane(p.Channel[min(i, len(p.Channel)-1)])
	}
	pixel.RGB(dst, pixel.Planes{W: w, H: h, YCbCr: len(p.Channel) == 3, Channel: c[:]}, false)
	return nil
}

// psnr returns the peak signal-to-noise ratio in dB.
func psnr(a, b []uint8) float64 {
	sum := 0.0
	for i := range a {
		e := float64(a[i]) - float64(b[i])
		sum += e * e
	}
	return 10 * math.Log10(255*255*float64(len(a))/max(sum, 1))
}

// Real crops come back as near as from the standard library's encoder, which has the same steps,
// and in as few bytes.
func TestFacesComeBack(t *testing.T) {
	const worse, longer = 0.1, 1.01 // dB, times
	crops, side := faces(t, "arcface-112", 50)
	var e jpeg.Encoder
	var d jpeg.Decoder
	out := make([]uint8, len(crops[0]))
	for _, quality := range []int{50, 75, 90, 95} {
		var mean, bytesOf [3]float64 // of 4:2:0, 4:4:4 and the library's 4:2:0
		for _, crop := range crops {
			for i, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio444, -1} {
				var b []byte
				var err error
				if ratio >= 0 {
					b, err = e.Append(nil, crop, side, side, jpeg.EncodeOptions{Quality: quality, Ratio: ratio})
				} else {
					b, err = library(crop, side, quality)
				}
				if err == nil {
					err = back(&d, out, b, side, side)
				}
				if err != nil {
					t.Fatal(err)
				}
				mean[i] += psnr(crop, out) / float64(len(crops))
				bytesOf[i] += float64(len(b)) / float64(len(crops))
			}
		}
		t.Logf("quality %d: 4:2:0 %.2f dB, %.0f bytes; 4:4:4 %.2f dB, %.0f bytes; image/jpeg 4:2:0 %.2f dB, %.0f bytes",
			quality, mean[0], bytesOf[0], mean[1], bytesOf[1], mean[2], bytesOf[2])
		if mean[0] < mean[2]-worse || bytesOf[0] > bytesOf[2]*longer {
			t.Errorf("quality %d: %.2f dB in %.0f bytes, image/jpeg has %.2f in %.0f", quality, mean[0], bytesOf[0], mean[2], bytesOf[2])
		}
		if mean[1] < mean[0] || bytesOf[1] < bytesOf[0] {
			t.Errorf("quality %d: 4:4:4 is worse or shorter than 4:2:0", quality)
		}
	}
}

// library encodes a crop with image/jpeg.
func library(crop []uint8, side, quality int) ([]byte, error) {
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	n := side * side
	for i := range n {
		m.SetRGBA(i%side, i/side, color.RGBA{crop[i], crop[n+i], crop[2*n+i], 255})
	}
	var b bytes.Buffer
	err := stdjpeg.Encode(&b, m, &stdjpeg.Options{Quality: quality})
	return b.Bytes(), err
}

func BenchmarkEncoder(b *testing.B) {
	for _, recipe := range []string{"arcface-112", "vggface2-256"} {
		crops, side := faces(b, recipe, 30)
		for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio444} {
			for _, quality := range []int{85, 90, 95} {
				o := jpeg.EncodeOptions{Quality: quality, Ratio: ratio}
				name := fmt.Sprintf("%d/%s/%d", side, ratio.String()[len("YCbCrSubsampleRatio"):], quality)
				var e jpeg.Encoder
				var files [][]byte
				size := 0
				for _, c := range crops {
					f, err := e.Append(nil, c, side, side, o)
					if err != nil {
						b.Fatal(err)
					}
					files = append(files, f)
					size += len(f)
				}
				b.Run(name+"/encode", func(b *testing.B) {
					b.ReportAllocs()
					var out []byte
					i := 0
					for b.Loop() {
						var err error
						if out, err = e.Append(out[:0], crops[i%len(crops)], side, side, o); err != nil {
							b.Fatal(err)
						}
						i++
					}
					b.ReportMetric(float64(size/len(files)), "bytes/image")
				})
				b.Run(name+"/decode", func(b *testing.B) {
					b.ReportAllocs()
					var d jpeg.Decoder
					out := make([]uint8, 3*side*side)
					i := 0
					for b.Loop() {
						if err := back(&d, out, files[i%len(files)], side, side); err != nil {
							b.Fatal(err)
						}
						i++
					}
				})
			}
		}
	}
}
