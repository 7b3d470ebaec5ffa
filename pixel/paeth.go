package pixel

// Paeth writes to dst what is left of a row of bytes when each is foretold by the one on its left,
// the one above it and the one above that, bpp bytes apart: by that of the three which is nearest to left + above -
// corner; of equal ones the first. What lies before the row is 0. PNG's filter 4. All have the
// length of row, and dst is neither row nor above.
//
// A. W. Paeth, "Image file compression made easy", Graphics Gems II, 1991.
func Paeth(dst, row, above []uint8, bpp int) { paeth(inForce, dst, row, above, bpp) }

func paeth(l level, dst, row, above []uint8, bpp int) {
	n := len(row)
	if len(dst) != n || len(above) != n || bpp < 1 {
		panic("pixel: length mismatch")
	}
	for i := range min(bpp, n) {
		dst[i] = row[i] - above[i]
	}
	if l != portable && n-bpp >= 32 {
		fastPaeth(dst[bpp:], row[bpp:], row, above[bpp:], above)
		return
	}
	for i := bpp; i < n; i++ {
		a, b, c := int32(row[i-bpp]), int32(above[i]), int32(above[i-bpp])
		pa, pb := b-c, a-c
		pc := magnitude(pa + pb)
		pa, pb = magnitude(pa), magnitude(pb)
		// Masks instead of branches, which nobody could foretell.
		notA := (pb-pa)>>31 | (pc-pa)>>31
		notB := (pc - pb) >> 31
		dst[i] = row[i] - uint8(a&^notA|(b&^notB|c&notB)&notA)
	}
}

func magnitude(v int32) int32 {
	m := v >> 31
	return (v ^ m) - m
}
