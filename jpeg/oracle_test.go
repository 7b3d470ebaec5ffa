package jpeg

import (
	"bytes"
	"fmt"
	"image"
	stdjpeg "image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// stdPlanes returns the planes of image/jpeg, nil for an image of another kind.
func stdPlanes(b []byte) [][]uint8 {
	img, err := stdjpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	rows := func(pix []uint8, stride, w, h int) (out []uint8) {
		for y := range h {
			out = append(out, pix[y*stride:y*stride+w]...)
		}
		return out
	}
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	switch m := img.(type) {
	case *image.Gray:
		return [][]uint8{rows(m.Pix, m.Stride, w, h)}
	case *image.YCbCr:
		dx, dy := 1, 1
		switch m.SubsampleRatio {
		case image.YCbCrSubsampleRatio422:
			dx = 2
		case image.YCbCrSubsampleRatio420:
			dx, dy = 2, 2
		case image.YCbCrSubsampleRatio440:
			dy = 2
		case image.YCbCrSubsampleRatio411:
			dx = 4
		case image.YCbCrSubsampleRatio410:
			dx, dy = 4, 2
		}
		cw, ch := (w+dx-1)/dx, (h+dy-1)/dy
		return [][]uint8{rows(m.Y, m.YStride, w, h), rows(m.Cb, m.CStride, cw, ch), rows(m.Cr, m.CStride, cw, ch)}
	}
	return nil
}

// stdTolerance is how far two inverse DCTs that round differently may be apart: each is within 1
// of the exact one on ordinary blocks.
const stdTolerance = 1

// nearStd compares whole planes with image/jpeg's.
func nearStd(p *Planes, want [][]uint8) error {
	if len(p.Channel) != len(want) {
		return fmt.Errorf("%d planes, want %d", len(p.Channel), len(want))
	}
	for i, c := range p.Channel {
		if c.W*c.H != len(want[i]) {
			return fmt.Errorf("plane %d is %dx%d, want %d samples", i, c.W, c.H, len(want[i]))
		}
		for y := range c.H {
			for x := range c.W {
				g, w := int(c.Pix[y*c.Stride+x]), int(want[i][y*c.W+x])
				if g-w > stdTolerance || w-g > stdTolerance {
					return fmt.Errorf("plane %d, sample %d, %d is %d, image/jpeg says %d", i, x, y, g, w)
				}
			}
		}
	}
	return nil
}

func TestAgainstStandardLibrary(t *testing.T) {
	var d Decoder
	for name, p := range pictures {
		if p.wide || p.deep {
			continue // out of the range that image/jpeg's arithmetic is made for
		}
		if p.scans != nil && p.restart > 0 {
			continue // image/jpeg counts MCUs of the image, T.81 those of the scan
		}
		b := p.file()
		got, err := d.Decode(b, image.Rectangle{}, MaxPixels)
		if err == nil {
			err = nearStd(got, stdPlanes(b))
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRealPhotos(t *testing.T) {
	var d Decoder
	for i, b := range photos(t, 29, 100) {
		p, err := d.Decode(b, image.Rectangle{}, MaxPixels)
		if err != nil {
			t.Errorf("photo %d: %v", i, err)
			continue
		}
		if err := nearStd(p, stdPlanes(b)); err != nil {
			t.Errorf("photo %d: %v", i, err)
		}
	}
}

// Where libjpeg-turbo's djpeg is installed, luma must be its luma. It has been held against all
// of the real photos; a sample will do here.
func TestAgainstDjpeg(t *testing.T) {
	tool, err := exec.LookPath("djpeg")
	if err != nil {
		t.Skip("no djpeg (Debian: libjpeg-turbo-progs)")
	}
	files := map[string][]byte{}
	for name, p := range pictures {
		files[name] = p.file()
	}
	if _, err := os.Stat(filepath.Join("..", "..", "shared", "data", "vf2real")); err == nil || os.Getenv("VF2PREP_DATA") != "" {
		for i, b := range photos(t, 101, 25) {
			files[fmt.Sprintf("photo %d", i)] = b
		}
	}
	var d Decoder
	for name, b := range files {
		p, err := d.Decode(b, image.Rectangle{}, MaxPixels)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cmd := exec.Command(tool, "-dct", "int", "-grayscale")
		cmd.Stdin = bytes.NewReader(b)
		pgm, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: djpeg: %v", name, err)
			continue
		}
		head := fmt.Sprintf("P5\n%d %d\n255\n", p.Width, p.Height)
		if !bytes.HasPrefix(pgm, []byte(head)) {
			t.Errorf("%s: djpeg's output begins with %q, want %q", name, pgm[:20], head)
			continue
		}
		luma, c := pgm[len(head):], p.Channel[0]
		for y := range c.H {
			if !bytes.Equal(c.Pix[y*c.Stride:y*c.Stride+c.W], luma[y*c.W:(y+1)*c.W]) {
				t.Errorf("%s: row %d differs from djpeg's", name, y)
				break
			}
		}
	}
}
