package manifest

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Layout is how a data set names its files: what the reader goes by.
type Layout string

// The layouts that are read.
const (
	// VGGFace2 is train/ and test/ with a directory an identity and files named 0001_01.jpg.
	VGGFace2 Layout = "vggface2"
	// Folders is a directory an identity, whatever directories and files are called.
	Folders Layout = "folders"
	// UTKFace is files named age_gender_race_time.jpg, of no known identity.
	UTKFace Layout = "utkface"
)

// Layouts lists the layouts that [Build] takes.
func Layouts() []Layout { return []Layout{VGGFace2, Folders, UTKFace} }

// Anonymous reports whether images of the layout show nobody in particular: each stands alone.
func (l Layout) Anonymous() bool { return l == UTKFace }

// version is the oldest version of the format that can say what a manifest of the layout holds.
func (l Layout) version() int {
	if l == VGGFace2 {
		return 1
	}
	return 2
}

// parseLayout reads the text of a flag or of a manifest; "" is VGGFace2, which manifests do not say.
func parseLayout(s string) (Layout, error) {
	if s == "" {
		return VGGFace2, nil
	}
	if l := Layout(s); slices.Contains(Layouts(), l) {
		return l, nil
	}
	return "", fmt.Errorf("no layout %q, there are %v", s, Layouts())
}

// checkLayout completes the options and refuses those that the layout has no use for.
func (o *BuildOptions) checkLayout() error {
	layout, err := parseLayout(string(o.Layout))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOption, err)
	}
	o.Layout = layout
	switch {
	case layout == VGGFace2:
		return nil
	case o.TrustList || len(o.Lists) > 0:
		return fmt.Errorf("%w: lists are of layout %s, not %s", ErrOption, VGGFace2, layout)
	case layout == UTKFace && (o.IdentityMeta != "" || o.IdentityAges != ""):
		return fmt.Errorf("%w: layout %s knows no identities of which files could tell", ErrOption, layout)
	}
	return nil
}

// ErrOption says that options do not go together.
var ErrOption = errors.New("manifest")

// Bytes of a directory's or file's name; no common file system takes more.
const maxElement = 255

// strange says why a name can't be an element of a manifest's paths, "" where it can: paths are
// text, stand in lists of a line each, and must mean the same on every system.
func strange(name string) string {
	switch {
	case len(name) > maxElement:
		return fmt.Sprintf("has %d bytes, at most %d are taken", len(name), maxElement)
	case !utf8.ValidString(name):
		return "is not UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "holds a control character"
	case strings.ContainsAny(name, `/\:`):
		return `holds one of / \ :`
	case name == "" || name[0] == '.':
		return "begins with a dot: hidden"
	}
	return ""
}

// validName accepts the identities of all layouts: what a directory may be called.
func validName(b []byte) bool {
	return validIdentity(b) || strange(string(b)) == ""
}

// extension returns a file's extension where it is one of a JPEG's.
func extension(name string) (ext string, ok bool) {
	ext = path.Ext(name)
	return ext, len(ext) < len(name) && slices.Contains(exts[:], ext)
}
