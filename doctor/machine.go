package doctor

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"time"

	vfjpeg "github.com/vf2prep/vf2prep/jpeg"
	"github.com/vf2prep/vf2prep/pixel"
	"github.com/vf2prep/vf2prep/rng"
)

// decoding measures for a moment how fast one CPU turns photos of the usual size into samples.
func decoding() Check {
	const w, h = 137, 180 // the mean size of VGGFace2's photos
	img := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	r := rng.Stream(1, "doctor")
	for i := range img.Y {
		img.Y[i] = uint8(100 + i%w/2 + r.IntN(12))
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 120, 140
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 92}); err != nil {
		return Check{Name: "decoding", State: Failure, Found: err.Error()}
	}
	dst := make([]uint8, 3*112*112)
	n := 0
	start := time.Now()
	for time.Since(start) < 200*time.Millisecond {
		m, err := vfjpeg.Decode(b.Bytes(), vfjpeg.MaxPixels)
		if err != nil {
			return Check{Name: "decoding", State: Failure, Found: err.Error()}
		}
		pixel.Warp(dst, 112, 112, pixel.FromImage(m), [6]float64{1, 0, 12, 0, 1, 30}, pixel.Antialias, false)
		n++
	}
	rate := float64(n) / time.Since(start).Seconds()
	return Check{Name: "decoding", State: OK, Found: fmt.Sprintf("%.0f images/s on one CPU, decoded and aligned to 112x112", rate)}
}
