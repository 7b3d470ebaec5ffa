package cache

import (
	"bytes"
	"errors"
	"image"
	stdjpeg "image/jpeg"
	"math"
	"testing"

	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/jpeg"
	"github.com/vf2prep/vf2prep/pixel"
	"github.com/vf2prep/vf2prep/rng"
)

// What a sample shows does not depend on how much of the photo was decoded: all of it by the
// standard library, or the region that is seen. The two decoders round differently.
func TestRegionShowsWhatTheWholeShows(t *testing.T) {
	r := rng.Stream(4, "region")
	compared := 0
	for i := range 40 {
		w, h := 40+r.IntN(200), 40+r.IntN(200)
		var img image.Image
		color := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
		for j := range color.Y {
			x, y := float64(j%color.YStride), float64(j/color.YStride)
			color.Y[j] = uint8(128 + 60*math.Sin(x/7) + 50*math.Cos(y/9))
		}
		for j := range color.Cb {
			color.Cb[j] = uint8(100 + j%color.CStride)
			color.Cr[j] = uint8(120 + j/color.CStride)
		}
		img = color
		if i%5 == 0 {
			img = &image.Gray{Pix: color.Y, Stride: color.YStride, Rect: color.Rect}
		}
		var b bytes.Buffer
		if err := stdjpeg.Encode(&b, img, &stdjpeg.Options{Quality: 90}); err != nil {
			t.Fatal(err)
		}
		box := face.Box{X: r.Between(-20, 40), Y: r.Between(-20, 40), W: r.Between(15, 120), H: r.Between(15, 120)}
		var l face.Landmarks
		for k, p := range face.ArcFace {
			l[k] = face.Point{X: box.X + p.X*box.W/112 + r.Norm(), Y: box.Y + p.Y*box.H/112 + r.Norm()}
		}
		for _, name := range Recipes() {
			rec := recipe(t, name)
			got := make([]uint8, 3*rec.Height*rec.Width)
			to, err := rec.Transform(b.Bytes(), &box, &l, got)
			if rejection := (*Rejection)(nil); errors.As(err, &rejection) && rejection.Stage == "geometry" {
				continue // the face lies beside the photo
			}
			if err != nil {
				t.Fatal(err)
			}
			compared++
			whole, err := jpeg.Decode(b.Bytes(), jpeg.MaxPixels)
			if err != nil {
				t.Fatal(err)
			}
			back, err := to.Invert()
			if err != nil {
				t.Fatal(err)
			}
			want := make([]uint8, len(got))
			sampling := pixel.Antialias
			if rec.Sampling == "bilinear" {
				sampling = pixel.Bilinear
			}
			pixel.Warp(want, rec.Width, rec.Height, pixel.FromImage(whole), [6]float64{back.A, back.B, back.C, back.D, back.E, back.F}, sampling, rec.Channels == "bgr")
			for j := range got {
				if d := int(got[j]) - int(want[j]); d < -5 || d > 5 {
					t.Fatalf("%s of %dx%d: value %d = %d, the whole image gives %d", name, w, h, j, got[j], want[j])
				}
			}
		}
	}
	if compared < 80 {
		t.Errorf("%d samples compared, want most of 120", compared)
	}
}
