package jpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"os"
	"path/filepath"
	"testing"
)

// encode returns a JPEG of the standard library's encoder.
func encode(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// segment returns a marker segment with its length.
func segment(marker byte, body ...byte) []byte {
	b := []byte{0xff, marker, 0, 0}
	binary.BigEndian.PutUint16(b[2:], uint16(len(body)+2))
	return append(b, body...)
}

// frame returns a JPEG that ends in its first scan's header.
func fakeJPEG(sof byte, w, h, precision int, sampling []byte, before ...[]byte) []byte {
	b := []byte{0xff, mSOI}
	for _, s := range before {
		b = append(b, s...)
	}
	body := []byte{byte(precision), byte(h >> 8), byte(h), byte(w >> 8), byte(w), byte(len(sampling))}
	for i, s := range sampling {
		body = append(body, byte(i+1), s, 0)
	}
	b = append(b, segment(sof, body...)...)
	return append(b, segment(mSOS, 1, 1, 0, 0, 63, 0)...)
}

func exif(order binary.AppendByteOrder, v uint16) []byte {
	b := []byte("Exif\x00\x00")
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		b = append(b, "II*\x00"...)
	} else {
		b = append(b, "MM\x00*"...)
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2) // two entries; the first is something else
	b = order.AppendUint16(b, 0x010f)
	b = append(b, make([]byte, 10)...)
	b = order.AppendUint16(b, 0x0112)
	b = order.AppendUint16(b, 3)
	b = order.AppendUint32(b, 1)
	b = order.AppendUint16(b, v)
	b = append(b, 0, 0)
	return segment(mAPP1, b...)
}

func TestReadHeader(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 33, 7))
	colour := image.NewRGBA(image.Rect(0, 0, 137, 180))
	colour.Set(3, 3, color.White)
	adobe := segment(mAPP14, append([]byte("Adobe"), 0, 100, 0, 0, 0, 0, 2)...)
	for _, c := range []struct {
		name   string
		b      []byte
		want   Header
		format string
	}{
		{"grey", encode(t, grey), Header{Width: 33, Height: 7, Precision: 8, Components: 1, Adobe: -1}, "jpeg"},
		{"colour", encode(t, colour), Header{Width: 137, Height: 180, Precision: 8, Components: 3, Adobe: -1}, "jpeg"},
		{"progressive", fakeJPEG(0xc2, 65535, 1, 8, []byte{0x22, 0x11, 0x11}),
			Header{Width: 65535, Height: 1, Precision: 8, Components: 3, Progressive: true, Adobe: -1}, "jpeg-progressive"},
		{"YCCK", fakeJPEG(0xc0, 5, 6, 8, []byte{0x11, 0x11, 0x11, 0x11}, adobe),
			Header{Width: 5, Height: 6, Precision: 8, Components: 4, Adobe: 2}, "jpeg"},
		{"arithmetic, 12 bits", fakeJPEG(0xc9, 5, 6, 12, []byte{0x11}),
			Header{Width: 5, Height: 6, Precision: 12, Components: 1, Arithmetic: true, Adobe: -1}, "jpeg-arithmetic"},
		{"lossless", fakeJPEG(0xc3, 5, 6, 8, []byte{0x11}),
			Header{Width: 5, Height: 6, Precision: 8, Components: 1, Lossless: true, Adobe: -1}, "jpeg-lossless"},
		{"rotated, little-endian", fakeJPEG(0xc0, 5, 6, 8, []byte{0x11}, exif(binary.LittleEndian, 6)),
			Header{Width: 5, Height: 6, Precision: 8, Components: 1, Adobe: -1, Orientation: 6}, "jpeg"},
		{"rotated, big-endian, fill and garbage", fakeJPEG(0xc0, 5, 6, 8, []byte{0x11}, exif(binary.BigEndian, 8), []byte{1, 2, 0xff, 0, 0xff, 0xff}),
			Header{Width: 5, Height: 6, Precision: 8, Components: 1, Adobe: -1, Orientation: 8}, "jpeg"},
	} {
		got, err := ReadHeader(c.b)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.Scan < 2 || c.b[got.Scan+1] != mSOS {
			t.Errorf("%s: Scan = %d, want the offset of SOS", c.name, got.Scan)
		}
		format := got.Format()
		got.Scan, got.JFIF, got.Component = 0, false, [4]Component{}
		if got != c.want || format != c.format {
			t.Errorf("%s: ReadHeader = %+v, %s, want %+v, %s", c.name, got, format, c.want, c.format)
		}
	}
}

// Every prefix must ask for more, and the shortest that holds the header must be enough.
func TestPrefixesAreShort(t *testing.T) {
	b := fakeJPEG(0xc0, 5, 6, 8, []byte{0x22, 0x11, 0x11}, exif(binary.LittleEndian, 3))
	for n := range len(b) {
		if _, err := ReadHeader(b[:n]); !errors.Is(err, ErrShort) {
			t.Fatalf("%d of %d bytes: %v, want ErrShort", n, len(b), err)
		}
	}
	if _, err := ReadHeader(b); err != nil {
		t.Error(err)
	}
}

func TestDamagedHeaders(t *testing.T) {
	for name, b := range map[string][]byte{
		"PNG":             []byte("\x89PNG\r\n\x1a\n"),
		"text":            []byte("<html>404</html>"),
		"ends at once":    {0xff, mSOI, 0xff, mEOI},
		"scan only":       append([]byte{0xff, mSOI}, segment(mSOS, 1, 1, 0, 0, 63, 0)...),
		"no width":        fakeJPEG(0xc0, 0, 6, 8, []byte{0x11}),
		"no height":       fakeJPEG(0xc0, 6, 0, 8, []byte{0x11}),
		"no component":    fakeJPEG(0xc0, 6, 6, 8, nil),
		"five components": fakeJPEG(0xc0, 6, 6, 8, []byte{0x11, 0x11, 0x11, 0x11, 0x11}),
		"sampling 0":      fakeJPEG(0xc0, 6, 6, 8, []byte{0x01}),
		"length 1":        {0xff, mSOI, 0xff, 0xe2, 0, 1, 0, 0},
		"short frame":     append([]byte{0xff, mSOI}, segment(0xc0, 8, 0)...),
	} {
		if h, err := ReadHeader(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: ReadHeader = %+v, %v, want ErrFormat", name, h, err)
		}
	}
}

// On real files the header must agree with the standard library's.
func TestRealHeaders(t *testing.T) {
	dir := os.Getenv("VF2PREP_DATA")
	if dir == "" {
		dir = "../../shared/data"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "vf2real", "train", "*", "*1_01.jpg"))
	if len(files) == 0 {
		t.Skipf("no real images below %s", dir)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h, err := ReadHeader(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c, err := stdjpeg.DecodeConfig(bytes.NewReader(b))
		if err != nil || c.Width != h.Width || c.Height != h.Height {
			t.Errorf("%s: ReadHeader says %dx%d, image/jpeg %dx%d, %v", name, h.Width, h.Height, c.Width, c.Height, err)
		}
	}
}

func FuzzReadHeader(f *testing.F) {
	f.Add(encode(f, image.NewGray(image.Rect(0, 0, 9, 9))))
	f.Add(fakeJPEG(0xc2, 5, 6, 8, []byte{0x22, 0x11, 0x11}, exif(binary.LittleEndian, 3)))
	f.Add(fakeJPEG(0xc0, 5, 6, 8, []byte{0x11}, exif(binary.BigEndian, 8), []byte{1, 2, 0xff, 0, 0xff, 0xff}))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ReadHeader(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrShort) {
				t.Errorf("error %v wraps neither ErrFormat nor ErrShort", err)
			}
			return
		}
		if h.Width < 1 || h.Width > 65535 || h.Height < 1 || h.Height > 65535 || h.Components < 1 || h.Components > 4 ||
			h.Orientation < 0 || h.Orientation > 8 || h.Scan+2 > len(b) {
			t.Errorf("impossible header %+v", h)
		}
	})
}
