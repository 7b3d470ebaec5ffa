package jpeg

import (
	"bytes"
	"errors"
	"image"
	"runtime"
	"testing"
)

func TestDecode(t *testing.T) {
	good := encode(t, image.NewYCbCr(image.Rect(0, 0, 33, 21), image.YCbCrSubsampleRatio420))
	img, err := Decode(good, MaxPixels)
	if err != nil {
		t.Fatal(err)
	}
	if got := img.Bounds().Size(); got != image.Pt(33, 21) {
		t.Errorf("size %v, want 33x21", got)
	}
	if img, err := Decode(encode(t, image.NewGray(image.Rect(0, 0, 8, 8))), MaxPixels); err != nil {
		t.Errorf("grey: %v", err)
	} else if _, ok := img.(*image.Gray); !ok {
		t.Errorf("grey gives %T", img)
	}
	for name, c := range map[string]struct {
		b    []byte
		max  int
		want error
	}{
		"too large": {good, 33*21 - 1, ErrTooLarge},
		"truncated": {good[:len(good)-10], MaxPixels, ErrFormat},
		"empty":     {nil, MaxPixels, ErrShort},
		"text":      {[]byte("this is no picture at all"), MaxPixels, ErrFormat},
	} {
		if _, err := Decode(c.b, c.max); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
}

// A file too short for the image it claims costs no memory for it; the emptiest honest one, all
// of one colour, is long enough.
func TestDecodeRefusesBombs(t *testing.T) {
	flat := encode(t, image.NewYCbCr(image.Rect(0, 0, 1024, 1024), image.YCbCrSubsampleRatio420))
	if _, err := Decode(flat, MaxPixels); err != nil {
		t.Errorf("one colour: %v", err)
	}
	small := encode(t, image.NewGray(image.Rect(0, 0, 8, 8)))
	i := bytes.Index(small, []byte{0xff, 0xc0})
	for _, sof := range []byte{0xc0, 0xc2} { // baseline, progressive
		small[i+1] = sof
		copy(small[i+5:], []byte{0x1f, 0xff, 0x1f, 0xff}) // 8191x8191
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Decode(small, MaxPixels); !errors.Is(err, ErrFormat) {
			t.Errorf("marker ff%x: error %v, want ErrFormat", sof, err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("marker ff%x: %d bytes were allocated", sof, n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, image.NewYCbCr(image.Rect(0, 0, 17, 9), image.YCbCrSubsampleRatio422)))
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := Decode(b, 1<<16)
		if err == nil && img.Bounds().Dx()*img.Bounds().Dy() > 1<<16 {
			t.Fatalf("decoded %v", img.Bounds())
		}
	})
}
