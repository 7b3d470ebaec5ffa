package importer

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/jpeg"
	"github.com/vf2prep/vf2prep/pixel"
	"github.com/vf2prep/vf2prep/shard"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

func isPNG(b []byte) bool { return bytes.HasPrefix(b, []byte(pngSignature)) }

// sizeOf reads the size of a JPEG or PNG.
func sizeOf(b []byte) (h, w int, err error) {
	if isPNG(b) {
		c, err := png.DecodeConfig(bytes.NewReader(b))
		return c.Height, c.Width, err
	}
	head, err := jpeg.ReadHeader(b)
	return head.Height, head.Width, err
}

// decoder makes samples of images. It keeps buffers; not for two goroutines at once.
type decoder struct {
	o       *Options
	jpeg    jpeg.Decoder
	encoder jpeg.Encoder
	pixels  []uint8
}

func undecodable(err error) *cache.Rejection {
	reason := "damaged or neither JPEG nor PNG"
	if errors.Is(err, jpeg.ErrTooLarge) {
		reason = "too many pixels"
	}
	return &cache.Rejection{Stage: "decode", Reason: reason, Detail: err.Error()}
}

// sample returns a sample's data: dst filled with its pixels, or the bytes of a JPEG, and whether these are b's.
// Every error is a *[cache.Rejection].
func (d *decoder) sample(b []byte, dst []uint8) (data []byte, copied bool, err error) {
	if len(b) == 0 {
		return nil, false, &cache.Rejection{Stage: "decode", Reason: "no image", Detail: "the record ends behind its header"}
	}
	h, w, err := sizeOf(b)
	if err != nil {
		return nil, false, undecodable(err)
	}
	if int64(h)*int64(w) > maxPixels {
		return nil, false, undecodable(fmt.Errorf("%dx%d: %w", h, w, jpeg.ErrTooLarge))
	}
	same := h == d.o.Height && w == d.o.Width
	if !same && !d.o.stretch {
		return nil, false, &cache.Rejection{Stage: "decode", Reason: "another size", Detail: fmt.Sprintf("%dx%d pixels, want %dx%d", h, w, d.o.Height, d.o.Width)}
	}
	raw := d.o.Encoding == shard.Raw
	if !raw {
		if d.pixels == nil {
			d.pixels = make([]uint8, 3*d.o.Height*d.o.Width)
		}
		dst = d.pixels
	}
	src, err := d.planes(b)
	if err != nil {
		return nil, false, undecodable(err)
	}
	// A JPEG that any reader of shards can decode is kept.
	if same && !raw && !isPNG(b) && src.exact {
		return append([]byte{}, b...), true, nil
	}
	if same {
		pixel.RGB(dst, src.Planes, false)
	} else if err := stretch(dst, src.Planes, d.o.Height, d.o.Width); err != nil {
		return nil, false, undecodable(err)
	}
	if raw {
		return dst, false, nil
	}
	made, err := d.encoder.Append(nil, dst, d.o.Width, d.o.Height, jpeg.EncodeOptions{Quality: d.o.Quality, Ratio: image.YCbCrSubsampleRatio444})
	if err != nil {
		return nil, false, undecodable(err)
	}
	return made, false, nil
}

type decoded struct {
	pixel.Planes
	exact bool // a JPEG that needs no second decoder
}

// planes decodes all of an image. They are the decoder's, valid until its next call.
func (d *decoder) planes(b []byte) (decoded, error) {
	if isPNG(b) {
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			return decoded{}, err
		}
		return decoded{Planes: pixel.FromImage(img)}, nil
	}
	p, err := d.jpeg.Decode(b, image.Rectangle{}, maxPixels)
	if errors.Is(err, jpeg.ErrFallback) {
		img, err := jpeg.Decode(b, maxPixels)
		if err != nil {
			return decoded{}, err
		}
		return decoded{Planes: pixel.FromImage(img)}, nil
	}
	if err != nil {
		return decoded{}, err
	}
	out := decoded{Planes: pixel.Planes{W: p.Region.Dx(), H: p.Region.Dy(), YCbCr: len(p.Channel) == 3}, exact: true}
	for i := range 3 {
		out.Channel = append(out.Channel, pixel.Plane(p.Channel[min(i, len(p.Channel)-1)]))
	}
	return out, nil
}

// stretch fills dst with the whole of an image.
func stretch(dst []uint8, src pixel.Planes, h, w int) error {
	to, err := face.BoxToSize(face.Box{W: float64(src.W), H: float64(src.H)}, w, h)
	if err != nil {
		return err
	}
	back, err := to.Invert()
	if err != nil {
		return err
	}
	pixel.Warp(dst, w, h, src, [6]float64{back.A, back.B, back.C, back.D, back.E, back.F}, pixel.Antialias, false)
	return nil
}
