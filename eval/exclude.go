package eval

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/manifest"
)

// excludedImage is the reason of an image that an exclusion list names.
const excludedImage = "excluded-image"

// splitExclusions tells the images of an exclusion list from its people. With a folder before it an entry
// is an image where there is such a key, where it ends as an image's file does, and where it is a
// NAME_ID; "test/n000001" is a person. Images are without extension.
func splitExclusions(list []string, known func(key string) bool) (persons []string, images map[string]bool) {
	images = map[string]bool{}
	for _, entry := range list {
		plain := withoutExtension(entry)
		_, err := manifest.ParseImageID(plain)
		if strings.Contains(entry, "/") && (plain != entry || err == nil || known(plain)) {
			images[plain] = true
		} else {
			persons = append(persons, entry)
		}
	}
	return persons, images
}

// keysKnown returns whether a key, without extension, is among keys.
func keysKnown(keys []string) func(string) bool {
	set := map[string]bool{}
	return func(key string) bool {
		if len(set) == 0 {
			for _, k := range keys {
				set[withoutExtension(k)] = true
			}
		}
		return set[key]
	}
}

// image reports whether the list leaves out an image itself.
func (l *leaveOut) image(key string) bool {
	plain := withoutExtension(key)
	if !l.images[plain] {
		return false
	}
	l.imagesOut[plain] = true
	return true
}

// keeps reports whether neither an image nor its person is left out.
func (l *leaveOut) keeps(key string) bool {
	return l.of(identityOf(key)) == "" && !l.image(key)
}

// without returns the embeddings that an exclusion list leaves, how many it does not, and the digest of their
// keys, "" for none.
func (e *Embeddings) without(list []string) (left *Embeddings, n int, sum string, err error) {
	if len(list) == 0 {
		return e, 0, "", nil
	}
	l := newLeaveOut(VerifyOptions{Exclude: list}, keysKnown(e.Keys))
	var out []string
	left = e.keep(func(key string) bool {
		keep := l.keeps(key)
		if !keep {
			out = append(out, key)
		}
		return keep
	})
	switch {
	case len(out) == 0:
		return e, 0, "", nil
	case len(left.Keys) == 0:
		return nil, 0, "", fmt.Errorf("all %d embeddings are excluded: %w", len(out), ErrNoPairs)
	}
	slices.Sort(out)
	return left, len(out), digest.Bytes([]byte(strings.Join(out, "\n"))), nil
}

// skipImages lists the images that were left out.
func (l *leaveOut) skipImages() (out []Skip) {
	for _, key := range slices.Sorted(maps.Keys(l.imagesOut)) {
		out = append(out, Skip{key, excludedImage, "an image that is left out"})
	}
	return out
}
