package synth

import "math"

// canvas is the picture being painted, ss times as wide and high as the image will be.
// Colours are as if lit by plain white light; light holds how bright the light on the surface
// under each pixel is, so that what is painted onto the skin later is lit like it.
type canvas struct {
	w, h, ss int
	pix      []uint8  // r, g, b, unused
	light    []uint16 // 256 is plain
	depth    []int32  // towards the viewer, 1/4096 unit
	cover    []int32  // scratch of fill
	quads    []corner // scratch of sheet
	half     []uint8  // scratch of finish
}

const (
	farAway   = math.MinInt32
	unitDepth = 4096
)

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// reset gives the canvas its size: w x h pixels of the final image.
func (c *canvas) reset(w, h int) {
	c.ss = 2
	switch area := w * h; {
	case area < 12000:
		c.ss = 3
	case area > 90000:
		c.ss = 1 // a large image is smoothed by its own blur
	}
	c.w, c.h = w*c.ss, h*c.ss
	n := c.w * c.h
	c.pix = grow(c.pix, 4*n)
	c.light = grow(c.light, n)
	c.depth = grow(c.depth, n)
	for i := range c.light {
		c.light[i] = 256
	}
	for i := range c.depth {
		c.depth[i] = farAway
	}
}
