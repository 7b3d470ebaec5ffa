package manifest

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/capped"
)

// ErrTombstones says that a list of what is to be forgotten can't be read. It is never read in
// part: a line that is passed over would be somebody who is not forgotten.
var ErrTombstones = errors.New("tombstones")

// Tombstone is an identity or an image that is to be forgotten.
type Tombstone struct {
	What    string // "n000002" or "n000002/0001_01"
	When    string // UTC date, "2006-01-02"
	Why     string // one line
	Unknown bool   // nothing held it when it was asked for
}

// Tombstones is a list of identities and images that no stage may use. A nil list is empty.
//
// As a file it is CSV with the header what,when,why,state in the order in which things were asked for;
// state is "found" or "unknown", and further columns are passed over.
type Tombstones struct {
	list  []Tombstone
	index map[string]int // place in list
}

const (
	maxTombstones    = 64 << 20 // bytes; every image of the full set takes more, but then the set can go
	maxTombstoneText = 1 << 10  // bytes of what and of why
	tombstoneDate    = "2006-01-02"
	stateFound       = "found"
	stateUnknown     = "unknown"
)

// ReadTombstones reads a list from a file.
func ReadTombstones(path string) (*Tombstones, error) {
	f, size, err := capped.Open(path, maxTombstones, ErrTombstones)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := parseTombstones(io.LimitReader(f, size))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func parseTombstones(r io.Reader) (*Tombstones, error) {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	head, err := in.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %w", err, ErrTombstones)
	}
	if len(head) > 0 {
		head[0] = strings.TrimPrefix(head[0], "\ufeff")
	}
	if len(head) < 3 || head[0] != "what" || head[1] != "when" || head[2] != "why" {
		return nil, fmt.Errorf("header %q, want what,when,why: %w", strings.Join(head, ","), ErrTombstones)
	}
	state := slices.Index(head, "state")
	t := &Tombstones{}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, ErrTombstones)
		}
		s := Tombstone{What: row[0], When: row[1], Why: row[2], Unknown: state >= 0 && row[state] == stateUnknown}
		if err := s.Check(); err != nil {
			line, _ := in.FieldPos(0)
			return nil, fmt.Errorf("%d: %w", line, err)
		}
		t.Add(s)
	}
}

// ParseTombstone returns the identity or image that text names; an image may have the file's extension.
func ParseTombstone(text string) (string, error) {
	what := text
	if strings.Contains(text, "/") {
		what = strings.TrimSuffix(text, ".jpg")
	}
	return what, (&Tombstone{What: what, When: tombstoneDate}).Check()
}

// Check says what is wrong with a tombstone.
func (s *Tombstone) Check() error {
	what := []byte(s.What)
	if slices.Contains(what, '/') {
		if _, _, _, ok := parseNameID(what); !ok || len(what) > maxTombstoneText {
			return fmt.Errorf("%.200q is no image such as n000002/0001_01: %w", s.What, ErrTombstones)
		}
	} else if !validName(what) {
		return fmt.Errorf("%.200q is no identity such as n000002: %w", s.What, ErrTombstones)
	}
	if _, err := time.Parse(tombstoneDate, s.When); err != nil {
		return fmt.Errorf("%s: %.40q is no date such as %s: %w", s.What, s.When, tombstoneDate, ErrTombstones)
	}
	if len(s.Why) > maxTombstoneText || !utf8.ValidString(s.Why) || strings.ContainsFunc(s.Why, unicode.IsControl) {
		return fmt.Errorf("%s: why has to be one line of at most %d bytes: %w", s.What, maxTombstoneText, ErrTombstones)
	}
	return nil
}

// Add adds a tombstone and reports whether that changed the list: what is in it stays as it is, but
// for something unknown that was found.
func (t *Tombstones) Add(s Tombstone) bool {
	if i, ok := t.index[s.What]; ok {
		found := t.list[i].Unknown && !s.Unknown
		t.list[i].Unknown = t.list[i].Unknown && s.Unknown
		return found
	}
	if t.index == nil {
		t.index = map[string]int{}
	}
	t.index[s.What] = len(t.list)
	t.list = append(t.list, s)
	return true
}

// Write writes the list to a file. The error wraps [ErrTombstones] where it could not be read again.
func (t *Tombstones) Write(path string) error {
	for i := range t.list {
		if err := t.list[i].Check(); err != nil {
			return err
		}
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		out := csv.NewWriter(w)
		_ = out.Write([]string{"what", "when", "why", "state"}) // Error tells
		for _, s := range t.list {
			state := stateFound
			if s.Unknown {
				state = stateUnknown
			}
			_ = out.Write([]string{s.What, s.When, s.Why, state})
		}
		out.Flush()
		return out.Error()
	})
}

// All returns the list; it must not be changed.
func (t *Tombstones) All() []Tombstone {
	if t == nil {
		return nil
	}
	return t.list
}

// Len returns the number of tombstones.
func (t *Tombstones) Len() int { return len(t.All()) }

// Has reports whether the list has exactly this identity or image.
func (t *Tombstones) Has(what string) bool {
	if t == nil {
		return false
	}
	_, ok := t.index[what]
	return ok
}

// Covers reports whether an image, by its NAME_ID, is to be forgotten: it or its identity is in the list.
func (t *Tombstones) Covers(key string) bool { return t.By(key) != "" }

// By returns the entry that says that an image is to be forgotten, its identity's before its own; ""
// where there is none.
func (t *Tombstones) By(key string) string {
	slash := strings.LastIndexByte(key, '/')
	switch {
	case t.Len() == 0 || slash < 0:
		return ""
	case t.Has(key[:slash]):
		return key[:slash]
	case t.Has(key):
		return key
	}
	return ""
}

// forgottenPrefix begins the name of a class that nobody has any more. No identity's name begins with a dot.
const forgottenPrefix = ".forgotten-"

// ForgottenClass is the name that a class has once its identity is forgotten: the class keeps its place,
// so that every other label stays what it was.
func ForgottenClass(label int) string { return fmt.Sprintf("%s%d", forgottenPrefix, label) }

// IsForgottenClass reports whether a class's name is one of [ForgottenClass].
func IsForgottenClass(name string) bool { return strings.HasPrefix(name, forgottenPrefix) }

// Classes returns the classes of a data set with the names of forgotten identities taken away.
func (t *Tombstones) Classes(classes []string) []string {
	out := slices.Clone(classes)
	for i, c := range out {
		if t.Has(c) {
			out[i] = ForgottenClass(i)
		}
	}
	return out
}
