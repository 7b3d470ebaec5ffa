package synth

import (
	"encoding/binary"
	"image"
	"math"
)

// finish writes the canvas, averaged down to size, softened, toned and with noise, into out.
func (c *canvas) finish(ph *photo, out *image.RGBA) {
	w, h := c.w/c.ss, c.h/c.ss
	for y := range h {
		c.shrinkRow(out.Pix[y*out.Stride:y*out.Stride+4*w], y)
	}
	passes := ph.blur
	if c.ss == 1 {
		passes = max(passes, 2)
	}
	for range passes {
		c.soften(out.Pix, w, h, out.Stride)
	}
	c.tone(ph, out.Pix)
}

// shrinkRow averages row y of the image from ss rows of the canvas.
func (c *canvas) shrinkRow(dst []uint8, y int) {
	ss := c.ss
	if ss == 1 {
		copy(dst, c.pix[4*y*c.w:])
	}
	if ss == 2 {
		// Two pixels in a word; bytes of every other channel in lanes of 16 bits.
		const lanes = 0x00ff00ff00ff00ff
		a, b := c.pix[8*y*c.w:][:4*c.w], c.pix[(8*y+4)*c.w:][:4*c.w]
		for i := 0; i+4 <= len(dst); i += 4 {
			u, v := binary.LittleEndian.Uint64(a[2*i:]), binary.LittleEndian.Uint64(b[2*i:])
			rb := u&lanes + v&lanes
			g := u>>8&lanes + v>>8&lanes
			rb, g = (rb+rb>>32+0x00020002)>>2, (g+g>>32+2)>>2
			dst[i], dst[i+1], dst[i+2] = uint8(rb), uint8(g), uint8(rb>>16)
		}
	}
	if ss > 2 {
		div := int32(ss * ss)
		for x := range len(dst) / 4 {
			var r, g, b int32
			for j := range ss {
				row := c.pix[4*((y*ss+j)*c.w+x*ss):]
				for i := range ss {
					r += int32(row[4*i])
					g += int32(row[4*i+1])
					b += int32(row[4*i+2])
				}
			}
			dst[4*x] = uint8((r + div/2) / div)
			dst[4*x+1] = uint8((g + div/2) / div)
			dst[4*x+2] = uint8((b + div/2) / div)
		}
	}
	for i := 3; i < len(dst); i += 4 {
		dst[i] = 255
	}
}

// soften is one pass of the filter 1 2 1 along rows and columns.
func (c *canvas) soften(pix []uint8, w, h, stride int) {
	if w < 3 || h < 3 {
		return
	}
	c.half = grow(c.half, len(pix))
	for y := range h {
		src, dst := pix[y*stride:y*stride+4*w], c.half[y*stride:y*stride+4*w]
		copy(dst[:4], src)
		copy(dst[4*w-4:], src[4*w-4:])
		for i := 4; i < 4*w-4; i++ {
			dst[i] = uint8((uint32(src[i-4]) + 2*uint32(src[i]) + uint32(src[i+4]) + 2) >> 2)
		}
	}
	copy(pix[:stride], c.half)
	copy(pix[(h-1)*stride:], c.half[(h-1)*stride:h*stride])
	for y := 1; y < h-1; y++ {
		a, b, d := c.half[(y-1)*stride:y*stride], c.half[y*stride:(y+1)*stride], c.half[(y+1)*stride:]
		dst := pix[y*stride : y*stride+4*w]
		for i := range dst {
			dst[i] = uint8((uint32(a[i]) + 2*uint32(b[i]) + uint32(d[i]) + 2) >> 2)
		}
	}
}

// tone applies the light's tint, exposure and contrast by table, then the sensor's noise.
func (c *canvas) tone(ph *photo, pix []uint8) {
	var table [3][256]int32
	for k, tint := range [3]float64{ph.tint.r, ph.tint.g, ph.tint.b} {
		for v := range table[k] {
			x := mul(mul(float64(v), tint), ph.gain)
			table[k][v] = int32(math.Floor(clamp(128+float64((x-128)*ph.contrast), 0, 255)))
		}
	}
	state := uint64(ph.seed)<<1 | 1
	n := int32(ph.noise)
	for i := 0; i+3 < len(pix); i += 4 {
		r, g, b := table[0][pix[i]], table[1][pix[i+1]], table[2][pix[i+2]]
		if ph.grey {
			r = (77*r + 150*g + 29*b) >> 8
			g, b = r, r
		}
		if n > 0 {
			// PCG's multiplier; the upper bits of a linear congruential generator are good enough here.
			state = state*6364136223846793005 + 1442695040888963407
			luma := noiseOf(state>>48, n)
			r += luma
			g += luma
			b += luma
			if !ph.grey {
				r += noiseOf(state>>32&0xffff, n) / 2
				b += noiseOf(state>>40&0xffff, n) / 2
			}
		}
		pix[i], pix[i+1], pix[i+2] = uint8(min(max(r, 0), 255)), uint8(min(max(g, 0), 255)), uint8(min(max(b, 0), 255))
	}
}

// noiseOf turns 16 random bits into a triangular deviation within +-n.
func noiseOf(bits uint64, n int32) int32 {
	a, b := int32(bits&0xff), int32(bits>>8&0xff)
	return (a + b - 255) * n >> 8
}
