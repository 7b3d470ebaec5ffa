// Package face holds the geometry of a face without its pixels: boxes, five landmarks, and the
// maps between a photo and a crop of fixed size.
//
// Coordinates are pixels of the stored image, x right and y down. A [Point] counts from the
// centre of the first pixel, as the landmarks of MTCNN and VGGFace2, ArcFace's template and
// OpenCV's warpAffine do: pixel (0, 0) lies at (0, 0). A [Box] counts whole pixels, half open:
// {0, 0, width, height} is the whole image, and its left edge is at the point x = -0.5.
//
// All results agree to the bit between CPUs: products are rounded before they are added, since
// some CPUs would otherwise fuse the two into one rounding.
package face

import (
	"errors"
	"fmt"
	"math"
)

// ErrDegenerate says that points or a box determine no map: they coincide, have no area, or
// hold a value that is not finite.
var ErrDegenerate = errors.New("degenerate geometry")

// Point is a place in pixels.
type Point struct{ X, Y float64 }

// Box is a half-open rectangle in pixels: X, Y its top left corner, W, H its size.
// It may reach outside the image, as VGGFace2's loose boxes do.
type Box struct{ X, Y, W, H float64 }

// Empty reports whether the box has no area or a side that is not a finite number.
func (b Box) Empty() bool {
	return !(b.W > 0 && b.H > 0) || !finite(b.X, b.Y, b.W, b.H)
}

// Extend returns the box with margin times its own side added in total to each side's length,
// half at each end: Extend(0.3) of a box of 100x120 is 130x156 about the same centre.
// VGGFace2 trains on boxes extended by 0.3 and releases crops extended by 1.0 (Cao et al. 2018).
func (b Box) Extend(margin float64) Box {
	dw, dh := float64(b.W*margin), float64(b.H*margin)
	return Box{b.X - dw/2, b.Y - dh/2, b.W + dw, b.H + dh}
}

// Floor returns the box widened about its centre so that its width is at least ratio times its
// height.
func (b Box) Floor(ratio float64) Box {
	w := float64(b.H * ratio)
	if b.W >= w {
		return b
	}
	return Box{b.X - (w-b.W)/2, b.Y, w, b.H}
}

// Square returns the smallest square about the same centre that holds the box.
func (b Box) Square() Box {
	s := max(b.W, b.H)
	return Box{b.X - (s-b.W)/2, b.Y - (s-b.H)/2, s, s}
}

// Intersect returns the part of b inside o, empty when they do not meet.
func (b Box) Intersect(o Box) Box {
	x0, y0 := max(b.X, o.X), max(b.Y, o.Y)
	x1, y1 := min(b.X+b.W, o.X+o.W), min(b.Y+b.H, o.Y+o.H)
	if x1 <= x0 || y1 <= y0 {
		return Box{}
	}
	return Box{x0, y0, x1 - x0, y1 - y0}
}

// Landmarks are left eye, right eye, nose, left and right mouth corner; left is the viewer's.
type Landmarks [5]Point

// Finite reports whether every coordinate is a number.
func (l Landmarks) Finite() bool {
	for _, p := range l {
		if !finite(p.X, p.Y) {
			return false
		}
	}
	return true
}

// ArcFace is the template that faces are aligned to at 112x112 pixels, as used since
// J. Deng et al., "ArcFace: Additive angular margin loss for deep face recognition", CVPR 2019.
var ArcFace = Landmarks{
	{38.2946, 51.6963},
	{73.5318, 51.5014},
	{56.0252, 71.7366},
	{41.5493, 92.3655},
	{70.7299, 92.2041},
}

// Affine maps (x, y) to (A x + B y + C, D x + E y + F).
type Affine struct{ A, B, C, D, E, F float64 }

// Apply maps one point.
func (m Affine) Apply(p Point) Point {
	return Point{
		float64(m.A*p.X) + float64(m.B*p.Y) + m.C,
		float64(m.D*p.X) + float64(m.E*p.Y) + m.F,
	}
}

// Scale returns by how much lengths grow under the map: the root of its area factor.
func (m Affine) Scale() float64 {
	return math.Sqrt(math.Abs(float64(m.A*m.E) - float64(m.B*m.D)))
}

// Invert returns the map back. The error wraps [ErrDegenerate] when there is none.
func (m Affine) Invert() (Affine, error) {
	det := float64(m.A*m.E) - float64(m.B*m.D)
	if det == 0 || !finite(det, m.C, m.F) {
		return Affine{}, fmt.Errorf("affine map has no inverse: %w", ErrDegenerate)
	}
	a, b, d, e := m.E/det, -m.B/det, -m.D/det, m.A/det
	return Affine{
		a, b, -float64(a*m.C) - float64(b*m.F),
		d, e, -float64(d*m.C) - float64(e*m.F),
	}, nil
}

// BoxToSize returns the map of points that stretches box to an image of w x h pixels.
// The error wraps [ErrDegenerate] for an empty box.
func BoxToSize(b Box, w, h int) (Affine, error) {
	if b.Empty() {
		return Affine{}, fmt.Errorf("box %v: %w", b, ErrDegenerate)
	}
	sx, sy := float64(w)/b.W, float64(h)/b.H
	// Edges map to edges, and the centre of a pixel is half a pixel from its edge.
	return Affine{
		A: sx, C: float64(sx*(0.5-b.X)) - 0.5,
		E: sy, F: float64(sy*(0.5-b.Y)) - 0.5,
	}, nil
}

// EstimateSimilarity returns the rotation, uniform scale and shift that map src onto dst with
// the least mean squared distance; it never mirrors.
//
// The error wraps [ErrDegenerate] when the points of src or of dst coincide, when no rotation
// is better than another, or when a coordinate is not finite.
//
// S. Umeyama, "Least-squares estimation of transformation parameters between two point
// patterns", IEEE TPAMI 13(4), 1991, pp. 376-380; in the plane its singular value
// decomposition comes down to the two sums below.
func EstimateSimilarity(src, dst Landmarks) (Affine, error) {
	if !src.Finite() || !dst.Finite() {
		return Affine{}, fmt.Errorf("landmarks are not finite: %w", ErrDegenerate)
	}
	ms, md := src.mean(), dst.mean()
	var dot, cross, norm float64
	for i := range src {
		sx, sy := src[i].X-ms.X, src[i].Y-ms.Y
		dx, dy := dst[i].X-md.X, dst[i].Y-md.Y
		dot += float64(sx*dx) + float64(sy*dy)
		cross += float64(sx*dy) - float64(sy*dx)
		norm += float64(sx*sx) + float64(sy*sy)
	}
	// A spread under a thousandth of a pixel is a single point written five times.
	if norm < 1e-6 || float64(dot*dot)+float64(cross*cross) < 1e-12 {
		return Affine{}, fmt.Errorf("landmarks coincide: %w", ErrDegenerate)
	}
	a, b := dot/norm, cross/norm
	return Affine{
		A: a, B: -b, C: md.X - float64(a*ms.X) + float64(b*ms.Y),
		D: b, E: a, F: md.Y - float64(b*ms.X) - float64(a*ms.Y),
	}, nil
}

func (l Landmarks) mean() Point {
	var m Point
	for _, p := range l {
		m.X += p.X
		m.Y += p.Y
	}
	return Point{m.X / 5, m.Y / 5}
}

func finite(vs ...float64) bool {
	for _, v := range vs {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
