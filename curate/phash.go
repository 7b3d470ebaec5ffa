package curate

import (
	"math"
	"slices"
)

// side is that of the small pictures which are compared, pixels.
const side = 32

// thumb is a picture of side x side pixels in three planes.
type thumb [3 * side * side]uint8

// lowest is one more than the highest frequency that a hash looks at, in half waves a side.
const lowest = 11

// cosines[k][x] is cos(pi (2x + 1) k / 64) times 4096.
var cosines = func() (t [lowest][side]int32) {
	for k := range t {
		for x := range t[k] {
			t[k][x] = int32(math.Round(4096 * math.Cos(math.Pi*float64((2*x+1)*k)/(2*side))))
		}
	}
	return t
}()

// zigzag lists 64 frequencies, (rows, columns), from the lowest on but the mean.
var zigzag = func() (list [64][2]int) {
	n := 0
	for sum := 1; n < len(list); sum++ {
		for u := 0; u <= sum && n < len(list); u++ {
			list[n] = [2]int{u, sum - u}
			n++
		}
	}
	return list
}()

// Hash describes a picture of 32x32 pixels, 3 planes R, G, B, by 64 bits: which of its 64 lowest
// frequencies, the mean left out, are above their median. Brightness, contrast, size and the
// marks of compression change few of them. A picture of one colour has 0.
//
// The arithmetic is in whole numbers, so that every CPU gives the same bits.
//
// C. Zauner, "Implementation and benchmarking of perceptual image hash functions", Hagenberg 2010:
// hashes from a discrete cosine transform.
func Hash(planes []uint8) uint64 {
	const n = side * side
	// Rows first: rows[y][k] is at most 32 x 255 x 4096.
	var rows [side][lowest]int32
	for y := range rows {
		var grey [side]int32 // ITU-R BT.601
		for x := range grey {
			i := y*side + x
			grey[x] = (77*int32(planes[i]) + 150*int32(planes[n+i]) + 29*int32(planes[2*n+i]) + 128) >> 8
		}
		for k := range lowest {
			sum := int32(0)
			for x, v := range grey {
				sum += v * cosines[k][x]
			}
			rows[y][k] = sum
		}
	}
	var found [64]int64
	for i, f := range zigzag {
		sum := int64(0)
		for y := range rows {
			sum += int64(rows[y][f[1]]) * int64(cosines[f[0]][y])
		}
		found[i] = sum >> 12
	}
	sorted := found
	slices.Sort(sorted[:])
	middle := sorted[31]
	bits := uint64(0)
	for i, v := range found {
		if v > middle && v-middle > flat { // noise of rounding in a picture of one colour is no feature
			bits |= 1 << i
		}
	}
	return bits
}

// flat is how much of a frequency comes of rounding the cosines alone: 255 of grey times 1,024 pixels
// times half a unit, twice.
const flat = 255 * side * side

// blank is the standard deviation below which a picture shows nothing: what is left there is noise of
// compression, which is not to be scaled up. The flattest of 11,589 photos of faces has 21.
const blank = 8

// difference is how far two pictures are apart, from 0: the mean distance of their values, each picture
// freed of its own mean and scaled to a standard deviation of 64. Two random pictures are about 72 apart, two
// blank ones next to nothing.
func difference(a, b *thumb) float64 {
	meanA, scaleA := moments(a)
	meanB, scaleB := moments(b)
	sum := 0.0
	for i := range a {
		sum += math.Abs(float64((float64(a[i])-meanA)*scaleA) - float64((float64(b[i])-meanB)*scaleB))
	}
	return sum / float64(len(a))
}

// moments returns a picture's mean and what makes its standard deviation 64.
func moments(t *thumb) (mean, scale float64) {
	sum, squares := 0, 0
	for _, v := range t {
		sum += int(v)
		squares += int(v) * int(v)
	}
	n := float64(len(t))
	mean = float64(sum) / n
	deviation := math.Sqrt(max(float64(squares)/n-float64(mean*mean), 0))
	return mean, 64 / max(deviation, blank)
}
