package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var (
	// ErrFormat says that the bytes are no JPEG, or that its header is damaged.
	ErrFormat = errors.New("jpeg: not a JPEG or damaged")
	// ErrShort says that the header goes on after the bytes at hand.
	ErrShort = errors.New("jpeg: more bytes needed")
)

// Component is one colour plane of the frame.
type Component struct {
	ID   byte
	H, V int // sampling factors, 1 to 4
	Tq   int // quantisation table, 0 to 3
}

// Header is what a JPEG says of itself before its first scan.
type Header struct {
	Width, Height int // pixels as stored
	Precision     int // bits a sample, 8 nearly always
	Components    int // 1 grey, 3 colour, 4 CMYK or YCCK
	Component     [4]Component
	Progressive   bool
	Arithmetic    bool // arithmetic entropy coding
	Lossless      bool
	Hierarchical  bool
	JFIF          bool
	Adobe         int // transform of Adobe's APP14: 0 none, 1 YCbCr, 2 YCCK; -1 without APP14
	Orientation   int // EXIF 1 to 8, 0 none; 1 is upright as stored
	Scan          int // offset of the first SOS marker
}

// Supported reports whether the frame is of a kind that common decoders know: baseline, extended
// or progressive with Huffman codes, 8 bits, 1, 3 or 4 components.
func (h *Header) Supported() bool {
	return !h.Arithmetic && !h.Lossless && !h.Hierarchical && h.Precision == 8 && h.Components != 2
}

// Format names the coding: "jpeg" is sequential with Huffman codes.
func (h *Header) Format() string {
	switch {
	case h.Hierarchical:
		return "jpeg-hierarchical"
	case h.Lossless:
		return "jpeg-lossless"
	case h.Arithmetic:
		return "jpeg-arithmetic"
	case h.Progressive:
		return "jpeg-progressive"
	}
	return "jpeg"
}

// The markers that the header's reader knows (ITU-T T.81, table B.1).
const (
	mSOF0  = 0xc0
	mDHT   = 0xc4
	mJPG   = 0xc8
	mDAC   = 0xcc
	mSOF15 = 0xcf
	mRST0  = 0xd0
	mSOI   = 0xd8
	mEOI   = 0xd9
	mSOS   = 0xda
	mDQT   = 0xdb
	mDRI   = 0xdd
	mTEM   = 0x01
	mAPP0  = 0xe0
	mAPP1  = 0xe1
	mAPP14 = 0xee
)

// maxHeader bounds how far the first scan may be from the start. Honest files carry profiles and
// thumbnails of some hundred kilobytes at most.
const maxHeader = 32 << 20

// ReadHeader reads a JPEG's segments up to its first scan. b may be the beginning of a file:
// where the header goes on beyond it, the error wraps [ErrShort] and the call can be repeated
// with more. Where b is no JPEG, or one whose header contradicts the standard, the error wraps
// [ErrFormat]. Bytes that are no marker are skipped between segments, as libjpeg does.
//
// Nothing is allocated for what a header claims; judging its size is left to the caller.
//
// ITU-T T.81 (1992), annex B; CIPA DC-008 (EXIF 2.32) for the orientation.
func ReadHeader(b []byte) (Header, error) {
	h := Header{Adobe: -1}
	if len(b) < 2 {
		if len(b) == 1 && b[0] != 0xff {
			return h, fmt.Errorf("begins with %#02x, want 0xff 0xd8: %w", b[0], ErrFormat)
		}
		return h, ErrShort
	}
	if b[0] != 0xff || b[1] != mSOI {
		return h, fmt.Errorf("begins with %#02x %#02x, want 0xff 0xd8: %w", b[0], b[1], ErrFormat)
	}
	for at := 2; ; {
		marker, next, err := nextMarker(b, at)
		if err != nil {
			return h, err
		}
		start := next - 2
		switch {
		case marker == mSOI || marker == mTEM || marker >= mRST0 && marker < mSOI:
			at = next // these have no length
			continue
		case marker == mEOI:
			return h, fmt.Errorf("offset %d: the image ends before its first scan: %w", start, ErrFormat)
		}
		if len(b) < next+2 {
			return h, ErrShort
		}
		n := int(binary.BigEndian.Uint16(b[next:]))
		if n < 2 {
			return h, fmt.Errorf("offset %d: segment %#02x is %d bytes long, want 2 at least: %w", start, marker, n, ErrFormat)
		}
		if len(b) < next+n {
			return h, ErrShort
		}
		body := b[next+2 : next+n]
		at = next + n
		switch {
		case marker == mSOS:
			if h.Components == 0 {
				return h, fmt.Errorf("offset %d: a scan before the frame: %w", start, ErrFormat)
			}
			h.Scan = start
			return h, nil
		case marker >= mSOF0 && marker <= mSOF15 && marker != mDHT && marker != mJPG && marker != mDAC:
			if h.Components != 0 {
				return h, fmt.Errorf("offset %d: a second frame: %w", start, ErrFormat)
			}
			if err := h.frame(marker, body); err != nil {
				return h, fmt.Errorf("offset %d: %w", start, err)
			}
		case marker == mAPP0 && len(body) >= 5 && string(body[:5]) == "JFIF\x00":
			h.JFIF = true
		case marker == mAPP1 && h.Orientation == 0:
			h.Orientation = orientation(body)
		case marker == mAPP14 && len(body) >= 12 && string(body[:5]) == "Adobe":
			h.Adobe = int(body[11])
		}
	}
}

// nextMarker finds the marker at or after offset at and returns the offset behind it.
func nextMarker(b []byte, at int) (marker byte, next int, err error) {
	for i := at; i+1 < len(b); i++ {
		// 0xff 0xff is fill before a marker and 0xff 0x00 a stuffed byte.
		if b[i] == 0xff && b[i+1] != 0xff && b[i+1] != 0 {
			return b[i+1], i + 2, nil
		}
	}
	if len(b) >= maxHeader {
		return 0, 0, fmt.Errorf("no scan in %d bytes: %w", len(b), ErrFormat)
	}
	return 0, 0, ErrShort
}

// frame reads the body of an SOFn segment.
func (h *Header) frame(marker byte, body []byte) error {
	if len(body) < 6 {
		return fmt.Errorf("frame header of %d bytes, want 6 at least: %w", len(body), ErrFormat)
	}
	n := int(body[5])
	if n < 1 || n > 4 {
		return fmt.Errorf("%d components, want 1 to 4: %w", n, ErrFormat)
	}
	if len(body) < 6+3*n {
		return fmt.Errorf("frame header of %d bytes for %d components, want %d: %w", len(body), n, 6+3*n, ErrFormat)
	}
	h.Precision = int(body[0])
	h.Height = int(binary.BigEndian.Uint16(body[1:]))
	h.Width = int(binary.BigEndian.Uint16(body[3:]))
	// A height of 0 is legal where a DNL segment tells it after the first scan; nobody writes that.
	if h.Width == 0 || h.Height == 0 {
		return fmt.Errorf("image of %dx%d pixels: %w", h.Width, h.Height, ErrFormat)
	}
	for i := range n {
		c := body[6+3*i:]
		h.Component[i] = Component{ID: c[0], H: int(c[1] >> 4), V: int(c[1] & 15), Tq: int(c[2])}
		if s := &h.Component[i]; s.H < 1 || s.H > 4 || s.V < 1 || s.V > 4 || s.Tq > 3 {
			return fmt.Errorf("component %d: sampling %dx%d, table %d: %w", i, s.H, s.V, s.Tq, ErrFormat)
		}
	}
	h.Components = n
	kind := marker - mSOF0
	h.Progressive = kind&3 == 2
	h.Lossless = kind&3 == 3
	h.Hierarchical = kind&4 != 0
	h.Arithmetic = kind&8 != 0
	return nil
}

// orientation finds tag 0x0112 in the first directory of an EXIF segment: 1 to 8, or 0 where
// there is none. Damage in EXIF is nobody's loss and counts as none.
func orientation(body []byte) int {
	if len(body) < 14 || string(body[:6]) != "Exif\x00\x00" {
		return 0
	}
	t := body[6:] // a TIFF file
	var order binary.ByteOrder
	switch string(t[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	at := uint64(order.Uint32(t[4:]))
	if at+2 > uint64(len(t)) {
		return 0
	}
	n := uint64(order.Uint16(t[at:]))
	for i := range n {
		e := at + 2 + 12*i
		if e+12 > uint64(len(t)) {
			return 0
		}
		const tagOrientation, typeShort = 0x0112, 3
		if order.Uint16(t[e:]) != tagOrientation {
			continue
		}
		v := int(order.Uint16(t[e+8:]))
		if order.Uint16(t[e+2:]) != typeShort || v < 1 || v > 8 {
			return 0
		}
		return v
	}
	return 0
}
