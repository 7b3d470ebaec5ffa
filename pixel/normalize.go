package pixel

// normal holds x/127.5 - 1 for every byte.
var normal = func() (t [256]float32) {
	for i := range t {
		t[i] = float32(float64(i)/127.5 - 1)
	}
	return t
}()

// Normalize writes x/127.5 - 1 of every byte of src to dst, which has the same length.
func Normalize(dst []float32, src []uint8) { normalize(inForce, dst, src) }

func normalize(l level, dst []float32, src []uint8) {
	if len(dst) != len(src) {
		panic("pixel: length mismatch")
	}
	if l > portable && len(src) >= lanes {
		fastNormalize(l, dst, src)
		return
	}
	for i, v := range src {
		dst[i] = normal[v]
	}
}

// NormalizeFlipped is [Normalize] with every row of w bytes turned end for end; the length is a
// multiple of w.
func NormalizeFlipped(dst []float32, src []uint8, w int) { normalizeFlipped(inForce, dst, src, w) }

func normalizeFlipped(l level, dst []float32, src []uint8, w int) {
	if len(dst) != len(src) || w < 1 || len(src)%w != 0 {
		panic("pixel: length mismatch")
	}
	if l > portable && w >= lanes {
		fastNormalizeFlipped(l, dst, src, w)
		return
	}
	for at := 0; at < len(src); at += w {
		from := src[at : at+w]
		to := dst[at : at+w]
		for i := range to {
			to[i] = normal[from[len(from)-1-i]]
		}
	}
}
