package pixel

// Full-range JFIF to RGB, ITU-T T.871 (2011), section 7: R = Y + 1.402 Cr', G = Y - 0.344136 Cb'
// - 0.714136 Cr', B = Y + 1.772 Cb'. The constants here are times 2^15, less the 1 that R and B
// have besides.
const (
	redCr   = 13173  // 0.402
	greenCb = -11277 // -0.344136
	greenCr = -23401 // -0.714136
	blueCb  = 25297  // 0.772
)

// toRGB converts values to len(r) bytes a plane.
func toRGB(l level, r, g, b []uint8, y, cb, cr *values) {
	if len(r) >= lanes && l > portable {
		fastRGB(l, r, g, b, y, cb, cr)
		return
	}
	const half = 128 << valueBits
	g, b = g[:len(r)], b[:len(r)]
	for i := range r {
		yy, u, v := int32(y[i])+1<<(valueBits-1), int32(cb[i])-half, int32(cr[i])-half
		r[i] = toByte(yy + v + scale(v, redCr))
		g[i] = toByte(yy + scale(u, greenCb) + scale(v, greenCr))
		b[i] = toByte(yy + u + scale(u, blueCb))
	}
}

// scale returns v k/2^15 rounded, the instruction PMULHRSW.
func scale(v, k int32) int32 { return (v*k + 1<<14) >> 15 }

func toByte(v int32) uint8 { return uint8(max(0, min(255, v>>valueBits))) }
