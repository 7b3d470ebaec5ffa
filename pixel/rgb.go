package pixel

import "encoding/binary"

// RGB fills dst, 3 planes of src.H x src.W bytes, with the whole of an image as it is, as a sample
// that was stored as a JPEG comes back. The planes are R, G, B, or B, G, R where bgr is set.
//
// Subsampled chroma is interpolated linearly between the centres of its samples, as libjpeg's
// "fancy upsampling" does for a factor of 2, and keeps its last value beyond them, so that no
// edge is tinted. The sums are exact; the colour is rounded once.
func RGB(dst []uint8, src Planes, bgr bool) { rgb(inForce, dst, src, bgr) }

func rgb(l level, dst []uint8, src Planes, bgr bool) {
	n := src.W * src.H
	if len(dst) != 3*n || len(src.Channel) != 3 {
		panic("pixel: length mismatch")
	}
	for _, p := range src.Channel {
		if p.DX != 1 && p.DX != 2 && p.DX != 4 || p.DY != 1 && p.DY != 2 || !src.YCbCr && p.DX*p.DY > 1 {
			panic("pixel: unknown sampling")
		}
		if p.W != (src.W+p.DX-1)/p.DX || p.H != (src.H+p.DY-1)/p.DY {
			panic("pixel: planes don't cover the image")
		}
	}
	out := [3][]uint8{dst[:n], dst[n : 2*n], dst[2*n:]}
	if bgr {
		out[0], out[2] = out[2], out[0]
	}
	if !src.YCbCr {
		for c, p := range src.Channel {
			for y := range src.H {
				copy(out[c][y*src.W:(y+1)*src.W], p.Pix[y*p.Stride:])
			}
		}
		return
	}
	var k upsampler
	for y := range src.H {
		for x := 0; x < src.W; x += segment {
			count := min(segment, src.W-x)
			for c, p := range src.Channel {
				k.upsample(&k.row[c], p, x, y, count)
			}
			at := y*src.W + x
			toRGB(l, out[0][at:at+count], out[1][at:at+count], out[2][at:at+count], &k.row[0], &k.row[1], &k.row[2])
		}
	}
}

// upsampler is what RGB works in.
type upsampler struct {
	row [3]values
	// sum is a row of a plane between two of its own, with 2 bits of fraction, and a sample more
	// at each end.
	sum [segment + 2]int16
}

// upsample sets n values to what a plane has at pixels x .. x+n-1 of row y of the image, where x
// is a multiple of segment.
func (k *upsampler) upsample(dst *values, p Plane, x, y, n int) {
	sx, sy := p.DX>>1, p.DY>>1 // the factors' logarithms
	row := p.Pix[y>>sy*p.Stride:][:p.W]
	if p.DX == 1 && p.DY == 1 {
		row = row[x : x+n]
		i := 0
		for ; i+8 <= n && i+8 <= segment; i += 8 {
			const mask = 255 << valueBits
			u := binary.LittleEndian.Uint64(row[i:])
			d := (*[8]int16)(dst[i:])
			d[0], d[1], d[2], d[3] = int16(u<<valueBits&mask), int16(u>>(8-valueBits)&mask), int16(u>>(16-valueBits)&mask), int16(u>>(24-valueBits)&mask)
			d[4], d[5], d[6], d[7] = int16(u>>(32-valueBits)&mask), int16(u>>(40-valueBits)&mask), int16(u>>(48-valueBits)&mask), int16(u>>(56-valueBits)&mask)
		}
		for ; i < n; i++ {
			dst[i] = int16(row[i]) << valueBits
		}
		return
	}
	// The centre of a pixel lies a quarter of a subsampled row from that of its own sample, and
	// three quarters from the row before or behind.
	other := row
	if p.DY == 2 {
		other = p.Pix[max(0, min((y-1+2*(y&1))>>1, p.H-1))*p.Stride:][:p.W]
	}
	first, count := x>>sx, (n+p.DX-1)>>sx
	sum := k.sum[:count+2]
	inner, second := sum[1:count+1], other[first:first+count]
	for i, s := range row[first : first+count] {
		inner[i] = 3*int16(s) + int16(second[i])
	}
	before, behind := max(first-1, 0), min(first+count, p.W-1)
	sum[0] = 3*int16(row[before]) + int16(other[before])
	sum[count+1] = 3*int16(row[behind]) + int16(other[behind])
	switch p.DX {
	case 1:
		for i, c := range inner {
			dst[i&(segment-1)] = c << (valueBits - 2)
		}
	case 2:
		a, c := sum[0], sum[1]
		for i, b := range sum[2:] { // what lies beyond n is not read
			d := (*[2]int16)(dst[2*i&(segment-1):])
			d[0], d[1] = (3*c+a)<<(valueBits-4), (3*c+b)<<(valueBits-4)
			a, c = c, b
		}
	case 4:
		a, c := sum[0], sum[1]
		for i, b := range sum[2:] {
			d := (*[4]int16)(dst[4*i&(segment-1):])
			d[0], d[1] = (5*c+3*a)<<(valueBits-5), (7*c+a)<<(valueBits-5)
			d[2], d[3] = (7*c+b)<<(valueBits-5), (5*c+3*b)<<(valueBits-5)
			a, c = c, b
		}
	}
}
