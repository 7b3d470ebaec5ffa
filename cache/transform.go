package cache

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"

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

// decoders keeps Huffman tables and buffers from one photo to the next.
var decoders = sync.Pool{New: func() any { return new(jpeg.Decoder) }}

// Transform decodes what a sample shows of a JPEG and fills dst, 3 x Height x Width bytes, with
// the sample. box and landmarks are the face's in pixels of the stored image, nil where they are
// unknown. It returns the map from points of the image to points of the sample.
//
// Only the part of the photo that the sample shows is decoded; damage behind it is not seen.
//
// Every error is a *[Rejection].
func (r *Recipe) Transform(img []byte, box *face.Box, landmarks *face.Landmarks, dst []uint8) (face.Affine, error) {
	return r.transform(img, box, landmarks, dst, nil)
}

// transform is Transform for somebody who has to count memory.
func (r *Recipe) transform(img []byte, box *face.Box, landmarks *face.Landmarks, dst []uint8, memory *gate) (face.Affine, error) {
	h, err := jpeg.ReadHeader(img)
	if err != nil {
		return face.Affine{}, &Rejection{"decode", decodeReason(err, len(img)), err.Error()}
	}
	to, err := r.geometry(h.Width, h.Height, box, landmarks)
	if err != nil {
		return face.Affine{}, err
	}
	back, err := to.Invert()
	if err != nil {
		return face.Affine{}, &Rejection{"geometry", "degenerate", err.Error()}
	}
	m := [6]float64{back.A, back.B, back.C, back.D, back.E, back.F}
	sampling := pixel.Antialias
	if r.Sampling == "bilinear" {
		sampling = pixel.Bilinear
	}
	region := seen(&h, r.Width, r.Height, &m, sampling)
	heavy := int64(0)
	if n := decodingBytes(&h, region); n > heavyBytes {
		heavy, _ = memory.enter(context.Background(), n) // whoever is inside leaves without waiting for anybody
		defer memory.leave(heavy)
	}
	d := decoders.Get().(*jpeg.Decoder)
	if heavy == 0 { // else its buffers are too large to be kept
		defer decoders.Put(d)
	}
	src, err := decode(d, img, region, &m)
	if err != nil {
		return face.Affine{}, &Rejection{"decode", decodeReason(err, len(img)), err.Error()}
	}
	pixel.Warp(dst, r.Width, r.Height, src, m, sampling, r.Channels == "bgr")
	return to, nil
}

// seen returns the part of a photo that a warp by m to w x height reads.
func seen(h *jpeg.Header, w, height int, m *[6]float64, s pixel.Sampling) image.Rectangle {
	dx, dy := 1, 1
	for _, c := range h.Component[1:h.Components] {
		if c.H > 0 && c.V > 0 {
			dx, dy = max(dx, h.Component[0].H/c.H), max(dy, h.Component[0].V/c.V)
		}
	}
	region := pixel.Region(image.Pt(h.Width, h.Height), dx, dy, w, height, *m, s)
	if region.Empty() { // the sample is black, but only if the photo is one
		region = image.Rect(0, 0, 1, 1)
	}
	return region
}

// decodingBytes returns about how much memory decoding takes: planes for a baseline JPEG, planes
// and all coefficients for a progressive one.
func decodingBytes(h *jpeg.Header, region image.Rectangle) int64 {
	if h.Progressive || h.Components == 4 {
		return int64(h.Width) * int64(h.Height) * 16
	}
	return int64(region.Dx()) * int64(region.Dy()) * 3
}

// decode returns the planes of a photo's region, and shifts m to where they begin.
// The planes are the decoder's, valid until its next call.
func decode(d *jpeg.Decoder, img []byte, region image.Rectangle, m *[6]float64) (pixel.Planes, error) {
	p, err := d.Decode(img, region, jpeg.MaxPixels)
	if errors.Is(err, jpeg.ErrFallback) {
		whole, err := jpeg.Decode(img, jpeg.MaxPixels)
		if err != nil {
			return pixel.Planes{}, err
		}
		return pixel.FromImage(whole), nil
	}
	if err != nil {
		return pixel.Planes{}, err
	}
	m[2] -= float64(p.Region.Min.X)
	m[5] -= float64(p.Region.Min.Y)
	out := pixel.Planes{W: p.Region.Dx(), H: p.Region.Dy(), YCbCr: len(p.Channel) == 3}
	for _, c := range p.Channel {
		out.Channel = append(out.Channel, pixel.Plane(c))
	}
	for len(out.Channel) < 3 { // grey
		out.Channel = append(out.Channel, out.Channel[0])
	}
	return out, nil
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
	photo := face.Box{W: float64(w), H: float64(h)}
	var to face.Affine
	var err error
	switch r.Geometry {
	case Whole:
		to, err = face.BoxToSize(photo, r.Width, r.Height)
	case Box:
		if box == nil {
			return to, &Rejection{"geometry", "no box", ""}
		}
		if box.Empty() || box.Intersect(photo).Empty() {
			return to, &Rejection{"geometry", "box outside the image", fmt.Sprintf("box %v, image %dx%d", *box, w, h)}
		}
		to, err = face.BoxToSize(r.crop(*box), r.Width, r.Height)
	case Similarity:
		if landmarks == nil {
			return to, &Rejection{"geometry", "no landmarks", ""}
		}
		to, err = face.EstimateSimilarity(*landmarks, r.template())
		if err == nil && r.misses(to, photo) {
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
func (r *Recipe) misses(to face.Affine, photo face.Box) bool {
	back, err := to.Invert()
	if err != nil {
		return false // reported by the caller
	}
	for y := 1; y <= 3; y++ {
		for x := 1; x <= 3; x++ {
			p := back.Apply(face.Point{X: float64(r.Width*x) / 4, Y: float64(r.Height*y) / 4})
			if p.X >= -0.5 && p.Y >= -0.5 && p.X < photo.W-0.5 && p.Y < photo.H-0.5 {
				return false
			}
		}
	}
	return true
}
