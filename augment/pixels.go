package augment

import (
	"math"
	"sync"
)

// crop copies the window at row y, column x of every plane, mirrored if flip; what lies outside
// the sample repeats its edge.
func crop(dst, src []uint8, c, h, w, ch, cw, y, x int, flip bool) {
	inside := x >= 0 && x+cw <= w
	for k := range c {
		plane := src[k*h*w : (k+1)*h*w]
		for j := range ch {
			row := plane[min(max(y+j, 0), h-1)*w:][:w]
			out := dst[(k*ch+j)*cw:][:cw]
			switch {
			case inside && !flip:
				copy(out, row[x:])
			case inside:
				in := row[x : x+cw]
				for i, v := range in {
					out[cw-1-i] = v
				}
			default:
				for i := range out {
					v := row[min(max(x+i, 0), w-1)]
					if flip {
						out[cw-1-i] = v
					} else {
						out[i] = v
					}
				}
			}
		}
	}
}

// The weights of grey, of 256. Green has ITU-R BT.601's; the outer planes share the rest evenly,
// so that the order of the planes doesn't matter.
const greyOuter, greyGreen = 53, 150

func grey(a, g, b uint8) int32 {
	return (greyOuter*(int32(a)+int32(b)) + greyGreen*int32(g) + 128) >> 8
}

// jitter changes brightness, then contrast about the mean grey, then saturation; factors in
// 1/256.
func jitter(pix []uint8, c, n int, brightness, contrast, saturation int32) {
	if brightness != 256 || contrast != 256 {
		table := curve(pix, c, n, brightness, contrast)
		for i, v := range pix {
			pix[i] = table[v]
		}
	}
	if saturation == 256 || c != 3 {
		return
	}
	a, g, b := pix[:n], pix[n:2*n], pix[2*n:3*n]
	for i := range a {
		m := grey(a[i], g[i], b[i])
		a[i] = level(m + ((int32(a[i])-m)*saturation+128)>>8)
		g[i] = level(m + ((int32(g[i])-m)*saturation+128)>>8)
		b[i] = level(m + ((int32(b[i])-m)*saturation+128)>>8)
	}
}

// curve is brightness and contrast as one table.
func curve(pix []uint8, c, n int, brightness, contrast int32) (t [256]uint8) {
	var sum int64
	for k := range c {
		s := int64(0)
		for _, v := range pix[k*n : (k+1)*n] {
			s += int64(v)
		}
		switch {
		case c != 3:
			sum += s * 256 / int64(c)
		case k == 1:
			sum += s * greyGreen
		default:
			sum += s * greyOuter
		}
	}
	mean := int32((sum*int64(brightness)/int64(n) + 1<<15) >> 16)
	for v := range t {
		x := min((int32(v)*brightness+128)>>8, 255)
		t[v] = level(mean + ((x-mean)*contrast+128)>>8)
	}
	return t
}

func level(v int32) uint8 { return uint8(min(max(v, 0), 255)) }

func monochrome(pix []uint8, c, n int) {
	if c != 3 {
		return
	}
	a, g, b := pix[:n], pix[n:2*n], pix[2*n:3*n]
	for i := range a {
		v := uint8(grey(a[i], g[i], b[i]))
		a[i], g[i], b[i] = v, v, v
	}
}

// maxRadius is three of the largest standard deviations.
const maxRadius = 3 * maxSig

// kernels holds the weights for each standard deviation in 1/16 pixel, the middle first.
var kernels sync.Map

type kernel struct {
	radius int
	weight [maxRadius + 1]uint32 // of 65536, both sides together
}

// gaussian returns the weights for a standard deviation of sigma/16 pixels, cut at three.
func gaussian(sigma int) *kernel {
	if k, ok := kernels.Load(sigma); ok {
		return k.(*kernel)
	}
	s := float64(max(sigma, 1)) / 16
	k := &kernel{radius: min(maxRadius, max(1, int(math.Ceil(float64(3*s)))))}
	var raw [maxRadius + 1]float64
	sum := 0.0
	for i := 0; i <= k.radius; i++ {
		raw[i] = decay(float64(i*i) / float64(2*s*s))
		sum += raw[i]
		if i > 0 {
			sum += raw[i]
		}
	}
	rest := uint32(65536)
	for i := k.radius; i > 0; i-- {
		k.weight[i] = uint32(float64(raw[i] / sum * 65536))
		rest -= 2 * k.weight[i]
	}
	k.weight[0] = rest
	kernels.Store(sigma, k)
	return k
}

// decay is e to the -x for x >= 0. The library's may differ between CPUs in the last bit: this is
// ten squarings of a Taylor series, with every product rounded before it is added to.
func decay(x float64) float64 {
	y := x / 1024
	p := 1 - float64(y*(1-float64(y/2*(1-float64(y/3*(1-y/4))))))
	if p <= 0 {
		return 0
	}
	for range 10 {
		p = float64(p * p)
	}
	return p
}

var blurScratch = sync.Pool{New: func() any { return new([]uint16) }}

// blur convolves every plane with a Gaussian; outside, the edge goes on.
func blur(pix []uint8, c, h, w, sigma int) {
	k := gaussian(sigma)
	tmp := blurScratch.Get().(*[]uint16)
	defer blurScratch.Put(tmp)
	if cap(*tmp) < h*w+w+2*maxRadius {
		*tmp = make([]uint16, h*w+w+2*maxRadius)
	}
	mid := (*tmp)[:h*w]
	line := (*tmp)[h*w:][:w+2*k.radius]
	for p := range c {
		plane := pix[p*h*w : (p+1)*h*w]
		for y := range h {
			row := plane[y*w : (y+1)*w]
			for i := range line {
				line[i] = uint16(row[min(max(i-k.radius, 0), w-1)])
			}
			out := mid[y*w : (y+1)*w]
			for x := range out {
				s := k.weight[0] * uint32(line[x+k.radius])
				for d := 1; d <= k.radius; d++ {
					s += k.weight[d] * (uint32(line[x+k.radius-d]) + uint32(line[x+k.radius+d]))
				}
				out[x] = uint16(s >> 8) // 8.8; the sum is at most 255 * 65536
			}
		}
		for y := range h {
			out := plane[y*w : (y+1)*w]
			centre := mid[y*w : (y+1)*w]
			for x := range out {
				s := uint64(k.weight[0]) * uint64(centre[x])
				for d := 1; d <= k.radius; d++ {
					up, down := mid[max(y-d, 0)*w+x], mid[min(y+d, h-1)*w+x]
					s += uint64(k.weight[d]) * uint64(uint32(up)+uint32(down))
				}
				out[x] = uint8((s + 1<<23) >> 24)
			}
		}
	}
}
