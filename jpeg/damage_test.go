package jpeg

import (
	"bytes"
	"errors"
	"hash/crc32"
	"image"
	"slices"
	"testing"
)

// Kinds that are left to others are told apart before anything is decoded.
func TestOtherKinds(t *testing.T) {
	rgb := segment(mAPP14, append([]byte("Adobe"), 0, 100, 0, 0, 0, 0, 0)...)
	jfif := segment(mAPP0, []byte("JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")...)
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"progressive":       {fakeJPEG(0xc2, 9, 9, 8, []byte{0x22, 0x11, 0x11}), ErrFallback},
		"CMYK":              {fakeJPEG(0xc0, 9, 9, 8, []byte{0x11, 0x11, 0x11, 0x11}), ErrFallback},
		"Adobe's RGB":       {fakeJPEG(0xc0, 9, 9, 8, []byte{0x11, 0x11, 0x11}, rgb), ErrFallback},
		"JFIF and Adobe":    {fakeJPEG(0xc0, 9, 9, 8, []byte{0x11, 0x11, 0x11}, jfif, rgb), ErrFormat}, // YCbCr; no data
		"chroma finer":      {fakeJPEG(0xc0, 9, 9, 8, []byte{0x11, 0x21, 0x11}), ErrFallback},
		"Cb and Cr differ":  {fakeJPEG(0xc0, 9, 9, 8, []byte{0x22, 0x11, 0x12}), ErrFallback},
		"3x1":               {fakeJPEG(0xc0, 9, 9, 8, []byte{0x31, 0x11, 0x11}), ErrFallback},
		"3x1 over 2x1":      {fakeJPEG(0xc0, 9, 9, 8, []byte{0x31, 0x21, 0x21}), ErrFallback},
		"1x4":               {fakeJPEG(0xc0, 9, 9, 8, []byte{0x14, 0x11, 0x11}), ErrFallback},
		"12 bits":           {fakeJPEG(0xc1, 9, 9, 12, []byte{0x11}), ErrUnsupported},
		"arithmetic":        {fakeJPEG(0xc9, 9, 9, 8, []byte{0x11}), ErrUnsupported},
		"lossless":          {fakeJPEG(0xc3, 9, 9, 8, []byte{0x11}), ErrUnsupported},
		"two components":    {fakeJPEG(0xc0, 9, 9, 8, []byte{0x11, 0x11}), ErrUnsupported},
		"huge":              {fakeJPEG(0xc0, 65535, 65535, 8, []byte{0x11}), ErrTooLarge},
		"large without any": {fakeJPEG(0xc0, 8000, 8000, 8, []byte{0x11}), ErrFormat},
		"empty":             {nil, ErrShort},
		"text":              {[]byte("this is no picture at all"), ErrFormat},
	} {
		var d Decoder
		if _, err := d.Decode(c.b, image.Rectangle{}, MaxPixels); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
		if size := cap(d.component[0].pix); size > 0 && name != "JFIF and Adobe" {
			t.Errorf("%s: %d bytes allocated", name, size)
		}
	}
	var d Decoder
	if _, err := d.Decode(pictures["grey"].file(), image.Rect(45, 0, 50, 9), MaxPixels); !errors.Is(err, ErrRegion) {
		t.Errorf("region beside the image: %v, want %v", err, ErrRegion)
	}
}

func TestWarnings(t *testing.T) {
	good := pictures["420"].file()
	restarts := pictures["444, restart 1"].file()
	rst := bytes.Index(restarts, []byte{0xff, mRST0 + 3})
	sos := bytes.Index(good, []byte{0xff, mSOS})
	for name, c := range map[string]struct {
		b    []byte
		want Warnings
		text string
	}{
		"none":            {good, Warnings{}, ""},
		"no EOI":          {good[:len(good)-2], Warnings{NoEOI: 1}, "no EOI marker"},
		"bytes before":    {slices.Insert(slices.Clone(good), len(good)-2, 1, 2, 3), Warnings{Extraneous: 1}, "extraneous bytes in 1 places"},
		"fill":            {slices.Insert(slices.Clone(good), len(good)-2, 0xff, 0xff), Warnings{}, ""},
		"bytes after":     {append(slices.Clone(good), 1, 2, 0xff, mSOS), Warnings{}, ""},
		"within restarts": {slices.Insert(slices.Clone(restarts), rst, 1, 2), Warnings{Extraneous: 1}, "extraneous bytes in 1 places"},
		"scan header":     {slices.Concat(good[:sos+12], []byte{0}, good[sos+13:]), Warnings{ScanHeader: 1}, "odd header of 1 scans"},
	} {
		var d Decoder
		p, err := d.Decode(c.b, image.Rectangle{}, MaxPixels)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Warnings != c.want || p.Warnings.String() != c.text {
			t.Errorf("%s: warnings %+v, %q, want %+v, %q", name, p.Warnings, p.Warnings, c.want, c.text)
		}
	}
}

// Of a photo cut off anywhere, a decoder must say so, unless only the end marker is missing.
func TestTruncated(t *testing.T) {
	for _, name := range []string{"420", "420, three scans", "444, restart 1"} {
		b := pictures[name].file()
		var d Decoder
		for n := range len(b) {
			p, err := d.Decode(b[:n], image.Rectangle{}, MaxPixels)
			if err == nil && (n < len(b)-2 || p.Warnings.NoEOI != 1) {
				t.Fatalf("%s: %d of %d bytes decode with warnings %v", name, n, len(b), p.Warnings)
			}
			if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrShort) {
				t.Fatalf("%s: %d of %d bytes: %v", name, n, len(b), err)
			}
		}
	}
}

// Data that ends where every code and value is of the greatest length must not be read beyond its
// padding.
func TestPadding(t *testing.T) {
	quant := segment(mDQT, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...)
	// One code, of 16 zeros, with a value of 15 bits; in the AC table, ZRL and EOB are missing.
	spec := append(make([]byte, 15), 1, 15)
	tables := segment(mDHT, slices.Concat([]byte{0}, spec, []byte{0x10}, spec)...)
	for n := range 40 {
		b := fakeJPEG(0xc0, 33, 17, 8, []byte{0x42, 0x11, 0x11}, quant, tables)
		b = slices.Concat(b[:bytes.LastIndex(b, []byte{0xff, mSOS})], segment(mSOS, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0), make([]byte, 30*248+n), []byte{0xff, mEOI})
		for _, region := range []image.Rectangle{{}, image.Rect(32, 16, 33, 17)} {
			var d Decoder
			if _, err := d.Decode(b, region, MaxPixels); !errors.Is(err, ErrFormat) {
				t.Fatalf("%d bytes: %v, want %v", n, err, ErrFormat)
			}
		}
	}
}

// Flipped bits give an error or what the slow decoder makes of them; so does another region.
func TestFlippedBits(t *testing.T) {
	var d Decoder
	for _, name := range []string{"420", "422, two scans", "420, restarts"} {
		p := pictures[name]
		p.w, p.h, p.restart = 20, 18, min(p.restart, 1)
		b := p.file()
		for i := range len(b) {
			c := slices.Clone(b)
			c[i] ^= 1 << (i & 7)
			check(t, &d, c)
		}
	}
}

// Restart markers that are lost, doubled or swapped are faults, never shifted pixels.
func TestRestartMarkers(t *testing.T) {
	b := pictures["420, restarts"].file()
	at := bytes.Index(b, []byte{0xff, mRST0 + 2})
	end := bytes.Index(b[at+2:], []byte{0xff, mRST0 + 3}) + at + 2
	var d Decoder
	for name, c := range map[string][]byte{
		"lost interval": slices.Delete(slices.Clone(b), at, end),
		"twice":         slices.Insert(slices.Clone(b), end, b[at:end]...),
		"wrong number":  slices.Replace(slices.Clone(b), at+1, at+2, mRST0+6),
		"no marker":     slices.Delete(slices.Clone(b), at, at+2),
		"EOI instead":   slices.Replace(slices.Clone(b), at+1, at+2, mEOI),
	} {
		if p, err := d.Decode(c, image.Rectangle{}, MaxPixels); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, %v, want %v", name, p, err, ErrFormat)
		}
	}
}

// check holds a decoder, of every level, against the slow one and image/jpeg on any bytes.
func check(t *testing.T, d *Decoder, b []byte) {
	t.Helper()
	const maxPixels = 1 << 15
	agree(t, b, image.Rectangle{}, maxPixels)
	p, err := d.Decode(b, image.Rectangle{}, maxPixels)
	if err != nil && !errors.Is(err, ErrFormat) {
		for _, known := range []error{ErrShort, ErrFallback, ErrUnsupported, ErrTooLarge} {
			if errors.Is(err, known) {
				return
			}
		}
		t.Fatalf("error %v of no known kind", err)
	}
	h, headErr := ReadHeader(b)
	if headErr != nil || h.regional() != nil || h.Width*h.Height > maxPixels {
		if err == nil {
			t.Fatalf("decoded in spite of its header: %+v, %v", h, headErr)
		}
		return
	}
	var slow twin
	if slowErr := slow.decode(b); (err == nil) != (slowErr == nil) {
		t.Fatalf("error %v, the slow decoder says %v", err, slowErr)
	}
	if err != nil {
		return
	}
	if err := slow.same(p); err != nil {
		t.Fatal(err)
	}
	if want := stdPlanes(b); want != nil && p.Warnings.Total() == 0 && slow.peak <= 2000 {
		if err := nearStd(p, want); err != nil {
			t.Fatal(err)
		}
	}
	// A region must be a crop of the whole.
	seed := crc32.ChecksumIEEE(b)
	r := random(seed)
	x, y := r.below(h.Width), r.below(h.Height)
	region := image.Rect(x, y, x+1+r.below(40), y+1+r.below(40))
	agree(t, b, region, maxPixels)
	p, err = d.Decode(b, region, maxPixels)
	if err != nil {
		t.Fatalf("a part of what decodes: %v", err)
	}
	if err := slow.same(p); err != nil {
		t.Fatal(err)
	}
}

func FuzzDecoder(f *testing.F) {
	for _, p := range pictures {
		p.w, p.h = min(p.w, 35), min(p.h, 35)
		f.Add(p.file())
	}
	f.Add(encode(f, image.NewYCbCr(image.Rect(0, 0, 17, 9), image.YCbCrSubsampleRatio420)))
	f.Add(encode(f, image.NewGray(image.Rect(0, 0, 9, 17))))
	f.Fuzz(func(t *testing.T, b []byte) { check(t, new(Decoder), b) })
}
