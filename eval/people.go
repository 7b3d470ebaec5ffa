package eval

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/names"
)

// Reasons for people who are left out.
const (
	excludedIdentity = "excluded-identity" // named by VerifyOptions.Exclude
	trainingIdentity = "training-identity" // the network was trained on them
)

// people says who is the same person under an id and under a name.
type people struct {
	names map[string]string // name by id
}

// aliases returns what a person may be called: the id or name itself and, of an id, its name, all
// as names.Canonical spells them. Folders before or behind it, as in "test/n000001", are no part of who
// it is, so each part of a path counts.
func (p people) aliases(person string) []string {
	out := []string{names.Canonical(person)}
	parts := strings.Split(person, "/")
	for _, part := range parts {
		if len(parts) > 1 && part != "" {
			out = append(out, names.Canonical(part))
		}
		if name := p.names[part]; name != "" {
			out = append(out, names.Canonical(name))
		}
	}
	return out
}

// set returns what many may be called: each as it is listed and, of an id, its name.
func (p people) set(persons []string) map[string]bool {
	out := map[string]bool{}
	for _, person := range persons {
		// Whole, not by parts of a path: a list that names test/n000001 means nobody else below test.
		out[names.Canonical(person)] = true
		if name := p.names[person]; name != "" {
			out[names.Canonical(name)] = true
		}
	}
	return out
}

// in says whether a person is in a set under any alias.
func (p people) in(set map[string]bool, person string) bool {
	return len(set) > 0 && slices.ContainsFunc(p.aliases(person), func(a string) bool { return set[a] })
}

// Bounds of a list of identities: all of VGGFace2's take 200 kB.
const (
	maxIdentityList = 64 << 20 // bytes
	maxIdentityLine = 1024     // bytes
)

// OpenIdentityList reads ids or names of people, or keys of images, one a line; what follows a # at the start of a
// line or behind a blank is a comment.
func OpenIdentityList(path string) ([]string, error) {
	f, _, err := capped.Open(path, maxIdentityList, nil)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out, err := readIdentityList(io.LimitReader(f, maxIdentityList))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return out, nil
}

func readIdentityList(r io.Reader) (out []string, err error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 1024), maxIdentityLine)
	line := 0
	for s.Scan() {
		line++
		text := string(bytes.TrimPrefix(s.Bytes(), []byte("\xef\xbb\xbf")))
		if i := strings.IndexByte(text, '#'); i == 0 || i > 0 && (text[i-1] == ' ' || text[i-1] == '\t') {
			text = text[:i]
		}
		text = strings.Trim(text, " \t\r\"")
		if text == "" {
			continue
		}
		if strings.ContainsAny(text, "\x00\t") {
			return nil, fmt.Errorf("%d: %.60q is no id or name", line, text)
		}
		out = append(out, text)
	}
	if s.Err() != nil {
		return nil, fmt.Errorf("%d: %w", line+1, s.Err())
	}
	return out, nil
}

// leaveOut decides which people are left out and why.
type leaveOut struct {
	people
	excluded, trained map[string]bool
	dropTrained       bool
	overlap           map[string]bool   // people seen that the network was trained on
	reason            map[string]string // people left out
	images            map[string]bool   // to leave out
	imagesOut         map[string]bool   // that were there
}

// newLeaveOut takes who and what is left out from the options; known says whether there is an image's key.
func newLeaveOut(o VerifyOptions, known func(key string) bool) *leaveOut {
	p := people{o.Names}
	persons, images := splitExclusions(o.Exclude, known)
	return &leaveOut{people: p, images: images, imagesOut: map[string]bool{}, excluded: p.set(persons), trained: p.set(o.Classes), dropTrained: o.WithoutOverlap,
		overlap: map[string]bool{}, reason: map[string]string{}}
}

// of returns why a person is left out, "" for one who is not.
func (l *leaveOut) of(person string) string {
	if why, ok := l.reason[person]; ok {
		return why
	}
	why := ""
	if l.in(l.trained, person) {
		l.overlap[person] = true
		if l.dropTrained {
			why = trainingIdentity
		}
	}
	if l.in(l.excluded, person) {
		why = excludedIdentity
	}
	l.reason[person] = why
	return why
}

// report fills in whom a result leaves out.
func (l *leaveOut) report(v *Verification, o VerifyOptions) {
	var out []string
	for person, why := range l.reason {
		if why != "" {
			out = append(out, person)
		}
	}
	slices.Sort(out)
	for _, person := range out {
		v.Skips = append(v.Skips, Skip{person, l.reason[person], "a person who is left out"})
	}
	v.ExcludedIdentities, v.ExcludedImages = len(out), len(l.imagesOut)
	v.Skips = append(v.Skips, l.skipImages()...)
	out = append(out, slices.Sorted(maps.Keys(l.imagesOut))...)
	if len(out) > 0 {
		v.Excluded = digest.Bytes([]byte(strings.Join(out, "\n")))
	}
	for person := range l.overlap {
		v.overlapSample = append(v.overlapSample, person)
	}
	slices.Sort(v.overlapSample)
	v.Overlap, v.WithoutOverlap = len(v.overlapSample), o.WithoutOverlap
	switch {
	case len(o.Classes) == 0:
	case len(o.Names) > 0:
		v.OverlapBy = "id-and-name"
	default:
		v.OverlapBy = "id"
	}
}
