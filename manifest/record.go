package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/vf2prep/vf2prep/face"
)

var (
	// ErrCorrupt says that a manifest is damaged or is no manifest at all.
	ErrCorrupt = errors.New("manifest: corrupt")
	// ErrVersion says that a manifest was written in a format that this program can't read.
	ErrVersion = errors.New("manifest: unknown version")
)

// ImageID names one face image as VGGFace2's NAME_ID does: two faces of one photo share Image.
// In other layouts Identity is a directory's name and the numbers are those that the reader gave.
type ImageID struct {
	Identity    string // "n000002"
	Image, Face int32  // 1, 1
}

// String returns the NAME_ID, "n000002/0001_01".
func (id ImageID) String() string {
	return string(id.append(make([]byte, 0, len(id.Identity)+24)))
}

func (id ImageID) append(b []byte) []byte {
	b = append(append(b, id.Identity...), '/')
	return appendPadded(append(appendPadded(b, id.Image, 4), '_'), id.Face, 2)
}

func appendPadded(b []byte, v int32, width int) []byte {
	var digits [10]byte
	i := len(digits)
	for ; v > 0 || i > len(digits)-width; v /= 10 {
		i--
		digits[i] = '0' + byte(v%10)
	}
	return append(b, digits[i:]...)
}

// Compare orders by identity, then image number, then face number.
func (id ImageID) Compare(o ImageID) int {
	return cmp.Or(cmp.Compare(id.Identity, o.Identity), cmp.Compare(id.Image, o.Image), cmp.Compare(id.Face, o.Face))
}

// ParseImageID reads a NAME_ID, "n000002/0001_01", without a file's extension. Only the spelling
// that [ImageID.String] gives is a NAME_ID, so that one image has one name.
func ParseImageID(s string) (ImageID, error) {
	identity, image, fc, ok := parseNameID([]byte(s))
	if !ok {
		return ImageID{}, fmt.Errorf("%q is no NAME_ID such as n000002/0001_01", s)
	}
	return ImageID{string(identity), image, fc}, nil
}

// Parse sets id to the NAME_ID in text, as [ParseImageID] reads it. The string of an identity
// that id holds already is kept, so that a sorted list is read with one string an identity.
func (id *ImageID) Parse(text []byte) error {
	identity, image, fc, ok := parseNameID(text)
	if !ok {
		return fmt.Errorf("%q is no NAME_ID such as n000002/0001_01", text)
	}
	if id.Identity != string(identity) {
		id.Identity = string(identity)
	}
	id.Image, id.Face = image, fc
	return nil
}

// parseNameID splits a NAME_ID; identity is a part of b.
func parseNameID(b []byte) (identity []byte, image, fc int32, ok bool) {
	slash := slices.Index(b, '/')
	if slash < 0 || !validName(b[:slash]) {
		return nil, 0, 0, false
	}
	image, fc, ok = parseNumbers(b[slash+1:])
	return b[:slash], image, fc, ok
}

// parseNumbers reads "0001_01".
func parseNumbers(b []byte) (image, fc int32, ok bool) {
	bar := slices.Index(b, '_')
	if bar < 0 {
		return 0, 0, false
	}
	image, ok1 := parsePadded(b[:bar], 4)
	fc, ok2 := parsePadded(b[bar+1:], 2)
	return image, fc, ok1 && ok2
}

// parsePadded reads a number with leading zeros up to width digits and none beyond.
func parsePadded(b []byte, width int) (v int32, ok bool) {
	if len(b) < width || len(b) > 9 || (len(b) > width && b[0] == '0') {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int32(c-'0')
	}
	return v, true
}

const maxIdentity = 64 // bytes of an identity's id

// validIdentity accepts, for layout VGGFace2, n000002 and what people name directories of their own: letters,
// digits, '_', '-' and '.', beginning with a letter or digit.
func validIdentity(b []byte) bool {
	if len(b) == 0 || len(b) > maxIdentity {
		return false
	}
	for i, c := range b {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '_' && c != '-' && c != '.') {
			return false
		}
	}
	return true
}

// Subset is the official part of the data set that an identity belongs to.
type Subset string

// The two subsets; the text is also the directory's name.
const (
	Train Subset = "train"
	Test  Subset = "test"
)

// Gender is the label of identity_meta.csv.
type Gender int8

// The genders that the data set labels.
const (
	GenderUnknown Gender = -1
	Male          Gender = 0
	Female        Gender = 1
)

// String returns "m", "f" or "".
func (g Gender) String() string {
	switch g {
	case Male:
		return "m"
	case Female:
		return "f"
	}
	return ""
}

// Record is what is known of one image.
type Record struct {
	ID     ImageID
	Subset Subset
	Path   string // slash separated, relative to the root: "train/n000002/0001_01.jpg"

	Width, Height int32  // pixels as stored; 0 where the header was not read
	Components    int8   // 1 grey, 3 colour, 4 CMYK or YCCK; 0 unknown
	Format        string // "jpeg", "jpeg-progressive", "jpeg-arithmetic", ...; "" unknown
	Bytes         int64  // the file's length; 0 where it was not read
	XXH3          uint64 // XXH3 with 64 bits of the file's bytes; 0 unknown

	Box          face.Box // VGGFace2's loose box; may reach outside the image
	HasBox       bool
	Landmarks    face.Landmarks
	HasLandmarks bool

	Gender    Gender
	Age       float32 // years; NaN unknown
	AgeSource string  // "image:FILE", "identity:FILE" for a mean over the identity, or "file-name"; "" unknown

	Attributes Attributes
	Problems   []string // codes, sorted; see the Problem constants
}

// Missing reports whether the image is named somewhere but has no file.
func (r *Record) Missing() bool { return slices.Contains(r.Problems, NoImage) }

// Usable reports whether the image's pixels can be expected to decode: it has no problem such as
// [NoImage] or [NotJPEG]. A box or landmarks may be missing or wrong all the same; see
// [Record.BoxUsable].
func (r *Record) Usable() bool {
	return !slices.ContainsFunc(r.Problems, func(code string) bool { return unusable[code] })
}

// BoxUsable reports whether there is a box with an area that meets the image.
func (r *Record) BoxUsable() bool {
	return r.HasBox && !slices.Contains(r.Problems, BoxOutside) && !slices.Contains(r.Problems, BoxEmpty)
}

// Has reports whether the record has the problem.
func (r *Record) Has(code string) bool { return slices.Contains(r.Problems, code) }

// Attributes are yes-or-no labels of an image, each possibly unknown.
type Attributes struct {
	names      []string
	known, yes uint64
}

// maxAttributes is the number of bits in Attributes. MAAD-Face has 47 and VGGFace2's own files 11.
const maxAttributes = 64

// Get returns the attribute's value, and whether there is one.
func (a Attributes) Get(name string) (yes, ok bool) {
	i := slices.Index(a.names, name)
	if i < 0 || a.known>>i&1 == 0 {
		return false, false
	}
	return a.yes>>i&1 == 1, true
}

// Len returns the number of known attributes.
func (a Attributes) Len() (n int) {
	for range a.All() {
		n++
	}
	return n
}

// All yields the known attributes in the order of the manifest's columns.
func (a Attributes) All() iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		for i, name := range a.names {
			if a.known>>i&1 == 1 && !yield(name, a.yes>>i&1 == 1) {
				return
			}
		}
	}
}

// Identity is one person of identity_meta.csv, or one that only the tree knows.
type Identity struct {
	ID      string
	Name    string  // "14th_Dalai_Lama"; "" unknown
	Samples int     // Sample_Num: how many images the data set says there are; -1 unknown
	Subset  Subset  // from Flag, else from where the images are
	Gender  Gender  //
	Age     float32 // mean over the identity's images, years, an estimate; NaN unknown
}
