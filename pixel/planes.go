package pixel

import (
	"image"
	"image/color"

	"github.com/disintegration/imaging"
)

// Plane is one channel of an image: W x H bytes, rows Stride bytes apart. DX and DY say how
// many pixels of the image one of its samples covers in each direction, 1 or 2 (4 in 4:1:1).
type Plane struct {
	Pix    []uint8
	Stride int
	W, H   int
	DX, DY int
}

// Planes is a decoded image as the decoder left it.
type Planes struct {
	W, H    int
	YCbCr   bool // full-range JFIF: Y, Cb, Cr; else R, G, B
	Channel []Plane
}

// FromImage returns an image's planes. A YCbCr or grey image is not copied; any other, such as
// CMYK, is converted to RGB first, transparency over black.
func FromImage(img image.Image) Planes {
	switch m := img.(type) {
	case *image.YCbCr:
		w, h := m.Rect.Dx(), m.Rect.Dy()
		dx, dy := subsampling(m.SubsampleRatio)
		cw, ch := (w+dx-1)/dx, (h+dy-1)/dy
		return Planes{W: w, H: h, YCbCr: true, Channel: []Plane{
			{m.Y, m.YStride, w, h, 1, 1},
			{m.Cb, m.CStride, cw, ch, dx, dy},
			{m.Cr, m.CStride, cw, ch, dx, dy},
		}}
	case *image.Gray:
		w, h := m.Rect.Dx(), m.Rect.Dy()
		p := Plane{m.Pix, m.Stride, w, h, 1, 1}
		return Planes{W: w, H: h, Channel: []Plane{p, p, p}}
	}
	over := imaging.New(img.Bounds().Dx(), img.Bounds().Dy(), color.Black)
	flat := imaging.Overlay(over, img, image.Point{}, 1)
	w, h := flat.Rect.Dx(), flat.Rect.Dy()
	out := Planes{W: w, H: h}
	for c := range 3 {
		p := Plane{make([]uint8, w*h), w, w, h, 1, 1}
		for y := range h {
			for x := range w {
				p.Pix[y*w+x] = flat.Pix[y*flat.Stride+4*x+c]
			}
		}
		out.Channel = append(out.Channel, p)
	}
	return out
}

func subsampling(r image.YCbCrSubsampleRatio) (dx, dy int) {
	switch r {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}
