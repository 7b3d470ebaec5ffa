package cache

import (
	"errors"
	"fmt"

	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/jpeg"
	"github.com/vf2prep/vf2prep/pixel"
)

// Rejection says why a photo can't become a sample.
type Rejection struct {
	Stage  string // "manifest", "read", "decode" or "geometry"
	Reason string // a word or two, the same for all images with the same fault
	Detail string
}

func (r *Rejection) Error() string {
	text := r.Stage + ": " + r.Reason
	if r.Detail != "" {
		text += ": " + r.Detail
	}
	return text
}

// Transform decodes a JPEG and fills dst, 3 x Height x Width bytes, with the sample. box and
// landmarks are the face's in pixels of the stored image, nil where they are unknown. It returns
// the map from points of the image to points of the sample.
//
// Every error is a *[Rejection].
func (r *Recipe) Transform(img []byte, box *face.Box, landmarks *face.Landmarks, dst []uint8) (face.Affine, error) {
	m, err := jpeg.Decode(img, jpeg.MaxPixels)
	if err != nil {
		return face.Affine{}, &Rejection{"decode", decodeReason(err, len(img)), err.Error()}
	}
	src := pixel.FromImage(m)
	to, err := r.geometry(src.W, src.H, box, landmarks)
	if err != nil {
		return face.Affine{}, err
	}
	back, err := to.Invert()
	if err != nil {
		return face.Affine{}, &Rejection{"geometry", "degenerate", err.Error()}
	}
	sampling := pixel.Antialias
	if r.Sampling == "bilinear" {
		sampling = pixel.Bilinear
	}
	pixel.Warp(dst, r.Width, r.Height, src, [6]float64{back.A, back.B, back.C, back.D, back.E, back.F}, sampling, r.Channels == "bgr")
	return to, nil
}

func decodeReason(err error, size int) string {
	switch {
	case size == 0:
		return "empty file"
	case errors.Is(err, jpeg.ErrTooLarge):
		return "too many pixels"
	case errors.Is(err, jpeg.ErrUnsupported):
		return "unsupported JPEG"
	}
	return "damaged or no JPEG"
}

// geometry returns the map from points of the image to points of the sample.
func (r *Recipe) geometry(w, h int, box *face.Box, landmarks *face.Landmarks) (face.Affine, error) {
	image := face.Box{W: float64(w), H: float64(h)}
	var to face.Affine
	var err error
	switch r.Geometry {
	case Whole:
		to, err = face.BoxToSize(image, r.Width, r.Height)
	case Box:
		if box == nil {
			return to, &Rejection{"geometry", "no box", ""}
		}
		if box.Empty() || box.Intersect(image).Empty() {
			return to, &Rejection{"geometry", "box outside the image", fmt.Sprintf("box %v, image %dx%d", *box, w, h)}
		}
		to, err = face.BoxToSize(r.crop(*box), r.Width, r.Height)
	case Similarity:
		if landmarks == nil {
			return to, &Rejection{"geometry", "no landmarks", ""}
		}
		to, err = face.EstimateSimilarity(*landmarks, r.template())
		if err == nil && r.misses(to, image) {
			return to, &Rejection{"geometry", "landmarks outside the image", fmt.Sprintf("landmarks %v, image %dx%d", *landmarks, w, h)}
		}
	}
	if err != nil {
		return to, &Rejection{"geometry", "degenerate", err.Error()}
	}
	return to, nil
}

// crop returns the part of the image that the box stands for.
func (r *Recipe) crop(b face.Box) face.Box {
	b = b.Floor(r.WidthFloor).Extend(r.Margin)
	if r.Fit == "stretch" {
		return b
	}
	// The smallest box of the sample's proportions about the same centre.
	cx, cy := b.X+b.W/2, b.Y+b.H/2
	unit := max(b.W/float64(r.Width), b.H/float64(r.Height))
	w, h := float64(unit*float64(r.Width)), float64(unit*float64(r.Height))
	return face.Box{X: cx - w/2, Y: cy - h/2, W: w, H: h}
}

// template returns the points that landmarks are moved to: ArcFace's, scaled to the sample's
// height and centred in its width.
func (r *Recipe) template() face.Landmarks {
	s := float64(r.Height) / 112
	shift := (float64(r.Width) - float64(r.Height)) / 2
	t := face.ArcFace
	for i, p := range t {
		// Scaled about the image's corner, which lies half a pixel before the first point.
		t[i] = face.Point{X: float64((p.X+0.5)*s) - 0.5 + shift, Y: float64((p.Y+0.5)*s) - 0.5}
	}
	return t
}

// misses reports whether no point of the sample's centre half shows the image.
func (r *Recipe) misses(to face.Affine, image face.Box) bool {
	back, err := to.Invert()
	if err != nil {
		return false // reported by the caller
	}
	for y := 1; y <= 3; y++ {
		for x := 1; x <= 3; x++ {
			p := back.Apply(face.Point{X: float64(r.Width*x) / 4, Y: float64(r.Height*y) / 4})
			if p.X >= -0.5 && p.Y >= -0.5 && p.X < image.W-0.5 && p.Y < image.H-0.5 {
				return false
			}
		}
	}
	return true
}
