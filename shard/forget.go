package shard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/internal/capped"
)

// Forgotten is the reject in place of a sample that was taken out on request. It does not say whose it
// was; who keeps a list of what must not come back knows that.
func Forgotten() Reject { return Reject{Stage: "forget", Reason: "forgotten"} }

// Forgotten reports whether a reject is [Forgotten].
func (r Reject) Forgotten() bool { return r == Forgotten() }

// CountForgotten returns how many of some rejects were taken out on request.
func CountForgotten(rejects []Reject) (n int) {
	for _, r := range rejects {
		if r.Forgotten() {
			n++
		}
	}
	return n
}

// forgottenLast puts rejects that were taken out behind the others, so that their places do not tell
// which samples of the order they were, and a shard from which a sample was taken is the shard that
// was made without it.
func forgottenLast(rejects []Reject) []Reject {
	slices.SortStableFunc(rejects, func(a, b Reject) int {
		switch x, y := a.Forgotten(), b.Forgotten(); {
		case x == y:
			return 0
		case y:
			return -1
		}
		return 1
	})
	return rejects
}

// Holds reports whether a shard has a sample or a reject with one of the keys.
func (s *File) Holds(of func(key string) bool) bool {
	for i := range s.n {
		if of(s.Key(i)) {
			return true
		}
	}
	return slices.ContainsFunc(s.Rejects, func(r Reject) bool { return of(r.Key) })
}

// Keys returns the keys of all samples and rejects that have one.
func (s *File) Keys() []string {
	var keys []string
	for i := range s.n {
		keys = append(keys, s.Key(i))
	}
	for _, r := range s.Rejects {
		if r.Key != "" {
			keys = append(keys, r.Key)
		}
	}
	return keys
}

// Forget writes the shard at path anew without the samples and rejects that have one of the keys; each
// becomes a [Forgotten] reject. The samples that stay keep their bytes, checksums and order. The error
// wraps [ErrCorrupt] where one of them is damaged: it would get a digest that calls it sound.
func Forget(path string, of func(key string) bool) (Info, []Reject, error) {
	s, err := openToReplace(path)
	if err != nil {
		return Info{}, nil, err
	}
	defer s.Close()
	from := maps.Clone(s.Meta)
	for _, key := range []string{"format", "encoding", "shape", "part", "shard", "shards", "planned", "rejects"} {
		delete(from, key)
	}
	maps.DeleteFunc(from, func(key, _ string) bool { return strings.HasPrefix(key, "crc32c.") })
	w, err := NewWriter(filepath.Dir(path), s.Part, s.Shard, s.Shards, s.shape, s.Planned, from)
	if err != nil {
		return Info{}, nil, err
	}
	w.encoded = s.jpeg
	if name := FileName(s.Part, s.Shard, s.Shards); name != filepath.Base(path) {
		return Info{}, nil, fmt.Errorf("%s holds %s: %w", path, name, ErrCorrupt)
	}
	slot, taken := 0, 0
	for i := range s.n {
		if of(s.Key(i)) {
			taken++
			continue
		}
		if err := s.check(i); err != nil {
			return Info{}, nil, err
		}
		x := s.Describe(i)
		x.Data = s.image(i)
		w.samples[slot], w.sums[slot] = x, uint32(binary.LittleEndian.Uint64(s.sums[8*i:]))
		slot++
	}
	for _, r := range s.Rejects {
		if of(r.Key) {
			taken++
			continue
		}
		w.Reject(slot, r)
		slot++
	}
	for range taken {
		w.Reject(slot, Forgotten())
		slot++
	}
	info, err := w.Close()
	return info, w.Rejects(), err
}

// openToReplace opens a shard whose file may be replaced while it is open: one that is mapped can be,
// but on Windows.
func openToReplace(path string) (*File, error) {
	if runtime.GOOS != "windows" {
		return OpenFile(path)
	}
	all, err := capped.Read(path, 1<<40, ErrCorrupt)
	if err != nil {
		return nil, err
	}
	s, err := parse(filepath.Base(path), all)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.checkHeader(), s.checkSections()); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return s, nil
}

// Loose returns what of a shard's bytes belongs to no sample and is not what the format puts there, ""
// where every byte is accounted for. The header accounts for the file; this accounts for the tensors.
func (s *File) Loose() string {
	first := func(offsets []byte) uint64 { return binary.LittleEndian.Uint64(offsets) }
	last := func(offsets []byte) int { return int(binary.LittleEndian.Uint64(offsets[len(offsets)-8:])) }
	switch {
	case first(s.offsets) != 0:
		return "key: bytes before the first key"
	case strings.Trim(string(s.keys[last(s.offsets):]), "\x00") != "":
		return "key: bytes behind the last key"
	case s.jpeg && first(s.imageOffsets) != 0:
		return "image: bytes before the first sample"
	case s.jpeg && last(s.imageOffsets) != len(s.images):
		return "image: bytes behind the last sample"
	}
	for _, t := range s.head.Tensors {
		if t.Name != "image" && !slices.Contains(s.smallTensors(), t.Name) && t.Size > 0 {
			return t.Name + ": a tensor that the format does not have"
		}
	}
	return ""
}

// Header returns the bytes of length and header, a view of the mapped file.
func (s *File) Header() []byte { return s.front }

// Checksum returns the checksum of sample i's bytes that the shard keeps.
func (s *File) Checksum(i int) uint32 { return uint32(binary.LittleEndian.Uint64(s.sums[8*i:])) }
