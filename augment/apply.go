package augment

import (
	"fmt"
	"math"

	"github.com/vf2prep/vf2prep/rng"
)

// OutputShape returns the shape of a changed sample of c planes, h rows and w columns.
func (p *Pipeline) OutputShape(c, h, w int) (int, int, int) {
	if p == nil || p.CropH == 0 {
		return c, h, w
	}
	return c, p.CropH, p.CropW
}

// Check reports whether samples of a shape can be cropped as the pipeline wants: the window
// must fit into the padded sample for training and, since [Pipeline.Center] doesn't pad, into
// the sample itself for validation.
func (p *Pipeline) Check(c, h, w int) error {
	if c < 1 || h < 1 || w < 1 {
		return fmt.Errorf("augment: samples of %dx%dx%d", c, h, w)
	}
	if _, ch, cw := p.OutputShape(c, h, w); ch > h || cw > w {
		return fmt.Errorf("augment: crop=%dx%d of samples of %dx%d pixels", ch, cw, h, w)
	}
	return nil
}

// choice is what happens to one sample.
type choice struct {
	y, x                             int // of the window; negative inside the padding
	flip                             bool
	brightness, contrast, saturation int32 // 256 is no change
	grey, blur                       bool
	sigma                            int // 1/16 pixel
	turn                             affine
	erase                            bool
	hole                             [4]int // first row and column, rows, columns of what is erased
}

// plain says that the choice is a window of h rows and w columns, perhaps mirrored, alone.
func (c *choice) plain(h, w, ch, cw int) bool {
	return c.brightness == 256 && c.contrast == 256 && c.saturation == 256 && !c.grey && !c.blur && !c.erase &&
		c.turn.none() && c.y >= 0 && c.y+ch <= h && c.x >= 0 && c.x+cw <= w
}

// choose draws everything, always in the same order and number. What is added to it is drawn last,
// so that a pipeline without it does what it did.
func (p *Pipeline) choose(h, w, ch, cw int, seed uint64, epoch int, key string) choice {
	r := rng.Stream(seed, "augment", epoch, key)
	var c choice
	// A window is found by a share, not by IntN, which may draw more than once.
	c.y = int(float64(r.Float64()*float64(h+2*p.Pad-ch+1))) - p.Pad
	c.x = int(float64(r.Float64()*float64(w+2*p.Pad-cw+1))) - p.Pad
	c.flip = r.Bool(p.Flip)
	factor := func(amount float64) int32 {
		return int32(math.Floor(256 + float64(256*r.Between(-amount, amount)) + 0.5))
	}
	c.brightness, c.contrast, c.saturation = factor(p.Brightness), factor(p.Contrast), factor(p.Saturation)
	c.grey = r.Bool(p.Monochrome)
	c.blur = r.Bool(p.Blur)
	c.sigma = int(math.Floor(float64(16*r.Between(p.SigmaLow, p.SigmaHigh)) + 0.5))
	zoom := 1.0
	if u := r.Float64(); p.ZoomHigh > 0 {
		zoom = p.ZoomLow + float64((p.ZoomHigh-p.ZoomLow)*u)
	}
	c.turn = turned(zoom, r.Between(-p.Rotate, p.Rotate))
	c.erase = r.Bool(p.Erase)
	for i, side := range [2]int{ch, cw} {
		n := max(1, int(math.Floor(float64(float64(side)*r.Between(minHole, maxHole))+0.5)))
		c.hole[i] = int(float64(r.Float64() * float64(side-n+1)))
		c.hole[2+i] = n
	}
	return c
}

// minHole and maxHole are shares of a picture's sides.
const minHole, maxHole = 0.125, 0.5

// Apply writes the changed sample src of c planes, h rows and w columns to dst, whose length is
// that of [Pipeline.OutputShape]; the two must not overlap. The result depends on the arguments
// alone. It panics when a length is wrong or the crop doesn't fit; see [Pipeline.Check].
func (p *Pipeline) Apply(dst, src []uint8, c, h, w int, seed uint64, epoch int, key string) {
	_, ch, cw := p.OutputShape(c, h, w)
	mustFit(dst, src, c, h, w, ch, cw)
	if p == nil {
		copy(dst, src)
		return
	}
	if ch > h+2*p.Pad || cw > w+2*p.Pad {
		panic("augment: crop is larger than the padded sample")
	}
	p.apply(dst, src, c, h, w, ch, cw, p.choose(h, w, ch, cw, seed, epoch, key))
}

func (p *Pipeline) apply(dst, src []uint8, c, h, w, ch, cw int, do choice) {
	if do.turn.none() {
		crop(dst, src, c, h, w, ch, cw, do.y, do.x, do.flip)
	} else {
		do.turn.crop(dst, src, c, h, w, ch, cw, do.y, do.x, do.flip)
	}
	jitter(dst, c, ch*cw, do.brightness, do.contrast, do.saturation)
	if do.grey {
		monochrome(dst, c, ch*cw)
	}
	if do.blur {
		blur(dst, c, ch, cw, do.sigma)
	}
	if do.erase {
		erase(dst, c, ch, cw, do.hole)
	}
}

// Center writes what validation sees: the window in the middle, otherwise unchanged.
// It panics when a length is wrong or the crop is larger than the sample.
func (p *Pipeline) Center(dst, src []uint8, c, h, w int) {
	_, ch, cw := p.OutputShape(c, h, w)
	mustFit(dst, src, c, h, w, ch, cw)
	if ch > h || cw > w {
		panic("augment: crop is larger than the sample")
	}
	crop(dst, src, c, h, w, ch, cw, (h-ch)/2, (w-cw)/2, false)
}

func mustFit(dst, src []uint8, c, h, w, ch, cw int) {
	if len(src) != c*h*w || len(dst) != c*ch*cw {
		panic(fmt.Sprintf("augment: %d bytes to %d bytes, want %dx%dx%d to %dx%dx%d", len(src), len(dst), c, h, w, c, ch, cw))
	}
}
