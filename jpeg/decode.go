package jpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
)

var (
	// ErrUnsupported says that a JPEG is of a kind that is not decoded: arithmetic coding,
	// lossless, 12 bits, two components.
	ErrUnsupported = errors.New("jpeg: unsupported kind")
	// ErrTooLarge says that an image has more pixels than allowed.
	ErrTooLarge = errors.New("jpeg: too many pixels")
)

// MaxPixels is the pixel cap for photos from outside: far above any face crop, and at most
// 300 MB while one is decoded, 1.1 GB for a progressive file of a megabyte or more.
const MaxPixels = 1 << 26

// Decode decodes a whole JPEG as it is stored; an EXIF rotation is not applied, since boxes and
// landmarks refer to the stored pixels. The image is *image.YCbCr or *image.Gray for usual
// files, *image.CMYK or *image.RGBA for the others.
//
// The header is read first and no pixel buffer is made for an image of more than maxPixels.
// Errors wrap [ErrFormat], [ErrShort], [ErrUnsupported] or [ErrTooLarge].
func Decode(b []byte, maxPixels int) (image.Image, error) {
	h, err := ReadHeader(b)
	if err != nil {
		return nil, err
	}
	if !h.Supported() {
		return nil, fmt.Errorf("%s with %d bits and %d components: %w", h.Format(), h.Precision, h.Components, ErrUnsupported)
	}
	if int64(h.Width)*int64(h.Height) > int64(maxPixels) {
		return nil, fmt.Errorf("%dx%d pixels, at most %d are decoded: %w", h.Width, h.Height, maxPixels, ErrTooLarge)
	}
	// Each block of 8x8 pixels takes a bit at least: the code of its DC coefficient. So a short file
	// that claims a large image is damaged, and must not cost the memory of one: a progressive file
	// of 500 bytes could ask for a gigabyte.
	if blocks := ((h.Width + 7) / 8) * ((h.Height + 7) / 8); blocks > 8*len(b) {
		return nil, fmt.Errorf("%d bytes can't hold %dx%d pixels: %w", len(b), h.Width, h.Height, ErrFormat)
	}
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		if u := jpeg.UnsupportedError(""); errors.As(err, &u) {
			return nil, fmt.Errorf("%w: %w", err, ErrUnsupported)
		}
		return nil, fmt.Errorf("%w: %w", err, ErrFormat)
	}
	return img, nil
}
