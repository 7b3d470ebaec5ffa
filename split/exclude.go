package split

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/manifest"
)

// ErrUnknown says that a list names identities or images that the manifest has not.
var ErrUnknown = errors.New("not in the manifest")

// Bounds of the lists that are read. The keys of all of VGGFace2 take 53 MB.
const (
	maxExclusions    = 256 << 20 // bytes
	maxExclusionLine = 4 << 10   // bytes
	maxReason        = 200       // bytes of a comment that becomes a reason
)

const (
	listedReason    = "listed"
	forgottenReason = "forgotten"
	duplicateReason = "duplicate of " // KEY
)

// Exclusions is a list of identities and images to leave out.
type Exclusions struct {
	File     string   // its name without directories
	Digest   string   // of the file
	Repeated []string // "exclude.txt:9: n000002 is listed twice, first in line 3"

	entries    []exclusion
	identities map[string]int           // place in entries
	images     map[manifest.ImageID]int //
}

type exclusion struct {
	what   string
	line   int
	reason string
}

// Len returns the number of identities and images in the list, each counted once.
func (x *Exclusions) Len() int {
	if x == nil {
		return 0
	}
	return len(x.entries)
}

// ReadExclusions reads an exclusion list: an identity ("n000002") or an image ("n000002/0001_01",
// with .jpg or without) a line. What follows a # at the start of a line or behind a blank is a
// comment; behind an entry it becomes a part of the reason.
func ReadExclusions(path string) (*Exclusions, error) { return readExclusions(path, parseExclusions) }

// ReadTombstones reads a CSV file with the columns what, when and why, as curate forget keeps it:
// what names an identity or an image that nothing may use.
func ReadTombstones(path string) (*Exclusions, error) { return readExclusions(path, parseTombstones) }

func readExclusions(path string, parse func(x *Exclusions, r io.Reader) error) (*Exclusions, error) {
	f, size, err := capped.Open(path, maxExclusions, ErrList)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x, sum := newExclusions(filepath.Base(path)), digest.New()
	in := io.TeeReader(io.LimitReader(f, size), sum)
	if err := parse(x, in); err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return nil, err
	}
	x.Digest = sum.String()
	return x, nil
}

func newExclusions(file string) *Exclusions {
	return &Exclusions{File: file, identities: map[string]int{}, images: map[manifest.ImageID]int{}}
}

func parseExclusions(x *Exclusions, r io.Reader) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, maxExclusionLine), maxExclusionLine)
	line := 0
	for s.Scan() {
		line++
		b := s.Bytes()
		if line == 1 {
			b = bytes.TrimPrefix(b, []byte("\ufeff"))
		}
		text, comment := cutComment(string(b))
		if text == "" {
			continue
		}
		reason := listedReason
		if comment != "" {
			reason += ": " + comment
		}
		if err := x.add(text, reason, line); err != nil {
			return fmt.Errorf("%d: %w", line, err)
		}
	}
	if s.Err() != nil {
		return fmt.Errorf("%d: %w: %w", line+1, s.Err(), ErrList)
	}
	return nil
}

// cutComment returns what stands before a # and, cleaned, what stands behind it.
func cutComment(s string) (text, comment string) {
	for i := 0; i < len(s); i++ {
		if s[i] == '#' && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t') {
			s, comment = s[:i], s[i+1:]
			break
		}
	}
	comment = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(comment, "?"))
	comment = strings.TrimSpace(comment)
	if len(comment) > maxReason {
		n := maxReason
		for !utf8.RuneStart(comment[n]) {
			n--
		}
		comment = comment[:n]
	}
	return strings.TrimSpace(s), comment
}

func parseTombstones(x *Exclusions, r io.Reader) error {
	return eachRow(r, []string{"what", "when", "why"}, func(line int, row []string) error {
		return x.add(row[0], forgottenReason, line)
	})
}

// add adds an entry; of one that is there the first counts.
func (x *Exclusions) add(what, reason string, line int) error {
	n := len(x.entries)
	before := n
	if strings.Contains(what, "/") {
		id, err := parseKey(what)
		if err != nil {
			return err
		}
		what = id.String()
		if i, ok := x.images[id]; ok {
			before = i
		} else {
			x.images[id] = n
		}
	} else {
		if err := checkIdentity(what); err != nil {
			return err
		}
		what = strings.Clone(what)
		if i, ok := x.identities[what]; ok {
			before = i
		} else {
			x.identities[what] = n
		}
	}
	if before < n {
		x.Repeated = append(x.Repeated, fmt.Sprintf("%s:%d: %s is listed twice, first in line %d", x.File, line, what, x.entries[before].line))
		return nil
	}
	x.entries = append(x.entries, exclusion{what, line, reason})
	return nil
}

// sweep excludes what the list names and returns the number of images and the entries that named
// none.
func (a *Assignment) sweep(x *Exclusions, named func(id string) bool) (images int, unknown []exclusion) {
	if x.Len() == 0 {
		return 0, nil
	}
	seen := make([]bool, len(x.entries))
	for i := range a.Rows {
		r := &a.Rows[i]
		who, ok := x.identities[r.ID.Identity]
		if ok {
			seen[who] = true
		}
		if img, has := x.images[r.ID]; has { // more to the point
			seen[img] = true
			who, ok = img, true
		}
		if ok && r.Part != Excluded {
			r.Part, r.Reason = Excluded, x.entries[who].reason
			images++
		}
	}
	for i, e := range x.entries {
		if !seen[i] && !(named != nil && !strings.Contains(e.what, "/") && named(e.what)) {
			unknown = append(unknown, e)
		}
	}
	return images, unknown
}

// leaveOut excludes what the lists name, the tombstones first. It comes after the draw, so that it moves
// nobody.
func (a *Assignment) leaveOut(in Inputs) error {
	var unknown []exclusion
	a.forgotten, unknown = a.sweep(in.Tombstones, in.named)
	a.note("tombstones", in.Tombstones, len(unknown))
	a.listed, unknown = a.sweep(in.Exclude, in.named)
	a.note("exclude", in.Exclude, len(unknown))
	if len(unknown) == 0 || in.AllowUnknown {
		return nil
	}
	var names []string
	for _, e := range unknown {
		names = append(names, fmt.Sprintf("%s (line %d)", e.what, e.line))
	}
	return unknownError(in.Exclude.File, names)
}

// unknownError names the first things that the manifest has not.
func unknownError(file string, names []string) error {
	const most = 10
	more := ""
	if n := len(names) - most; n > 0 {
		names, more = names[:most], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("%s: %s%s: %w", file, strings.Join(names, ", "), more, ErrUnknown)
}

// note keeps where a list came from.
func (a *Assignment) note(kind string, x *Exclusions, unknown int) {
	if x != nil {
		a.Inputs = append(a.Inputs, Input{Kind: kind, File: x.File, Digest: x.Digest, Entries: len(x.entries), Repeated: len(x.Repeated), Unknown: unknown})
	}
}
