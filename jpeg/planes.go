package jpeg

import (
	"errors"
	"fmt"
	"image"
	"strings"
)

var (
	// ErrFallback says that a JPEG is sound so far but of a kind that [Decoder] leaves to
	// [Decode]: progressive, CMYK, RGB or of an unusual sampling.
	ErrFallback = errors.New("jpeg: not of the kind that is decoded by region")
	// ErrRegion says that the wanted region has no pixel in common with the image.
	ErrRegion = errors.New("jpeg: region outside the image")
)

// Plane is one component of the decoded region: W x H samples, rows Stride bytes apart. The
// bytes between a row's W samples and the next row have no meaning.
type Plane struct {
	Pix    []uint8
	Stride int
	W, H   int
	DX, DY int // pixels of the image that one sample covers in each direction: 1, 2 or 4
}

// Planes is a region of an image as its JPEG stores it, each component at its own sampling.
//
// Sample (x, y) of a plane covers the DX x DY pixels of the image from
// (Region.Min.X + x*DX, Region.Min.Y + y*DY); at the right and lower edge of the image, fewer.
type Planes struct {
	Width, Height int // of the whole image, pixels
	// Region is the part that was decoded: the wanted one, extended to whole MCUs (8, 16 or 32
	// pixels wide, 8 or 16 high) and clipped to the image. Region.Min is a multiple of each
	// plane's DX and DY.
	Region   image.Rectangle
	Channel  []Plane // Y; or Y, Cb, Cr of the full-range JFIF kind (ITU-R BT.601)
	Warnings Warnings
}

// Warnings counts what was wrong with a stream without touching the decoded pixels. Only what
// was read is judged: reading stops behind the last row of the region.
type Warnings struct {
	Extraneous int // places with bytes left over between the coded data and the next marker
	NoEOI      int // 1 where the input ends without an EOI marker
	ScanHeader int // scans whose header has the parameters of a progressive one; they are ignored
}

// Total returns the number of all warnings.
func (w Warnings) Total() int { return w.Extraneous + w.NoEOI + w.ScanHeader }

// String names the warnings that are there: "no EOI marker", or "" for none.
func (w Warnings) String() string {
	var s []string
	if w.Extraneous > 0 {
		s = append(s, fmt.Sprintf("extraneous bytes in %d places", w.Extraneous))
	}
	if w.NoEOI > 0 {
		s = append(s, "no EOI marker")
	}
	if w.ScanHeader > 0 {
		s = append(s, fmt.Sprintf("odd header of %d scans", w.ScanHeader))
	}
	return strings.Join(s, ", ")
}
