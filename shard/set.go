package shard

import (
	"fmt"
	"path/filepath"
	"sort"
	"sync"
)

// Set is an open shard set.
type Set struct {
	dir    string
	index  Index
	digest string
	parts  map[string]*Part
}

// Open reads a set's index; shards are mapped as they are first used.
func Open(dir string) (*Set, error) {
	x, sum, err := readIndex(dir)
	if err != nil {
		return nil, err
	}
	s := &Set{dir: dir, index: x, digest: sum, parts: map[string]*Part{}}
	for name, p := range x.Parts {
		part := &Part{set: s, name: name, index: p, files: make([]lazyFile, len(p.Shards)), ends: make([]int, len(p.Shards))}
		end := 0
		for i, info := range p.Shards {
			end += info.Samples
			part.ends[i] = end
		}
		s.parts[name] = part
	}
	return s, nil
}

// Index returns what index.json holds.
func (s *Set) Index() Index { return s.index }

// Digest names the whole set: index.json holds the digest of every shard.
func (s *Set) Digest() string { return s.digest }

// Dir returns the set's directory.
func (s *Set) Dir() string { return s.dir }

// Parts returns the names of the parts in the order train, val, test, others.
func (s *Set) Parts() []string {
	order := map[string]int{"train": -3, "val": -2, "test": -1}
	var names []string
	for n := range s.parts {
		names = append(names, n)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := order[names[i]], order[names[j]]
		if a != b {
			return a < b
		}
		return names[i] < names[j]
	})
	return names
}

// Part returns a part by name.
func (s *Set) Part(name string) (*Part, error) {
	p, ok := s.parts[name]
	if !ok {
		return nil, fmt.Errorf("%s: no part %q, there are %v", s.dir, name, s.Parts())
	}
	return p, nil
}

// Close unmaps every shard; views of samples must not be used any more.
func (s *Set) Close() error {
	var first error
	for _, p := range s.parts {
		for i := range p.files {
			if f := p.files[i].file; f != nil {
				if err := f.Close(); err != nil && first == nil {
					first = err
				}
			}
		}
	}
	return first
}

// Part is the samples of one part, in the order in which they were written.
type Part struct {
	set   *Set
	name  string
	index PartIndex
	files []lazyFile
	ends  []int // samples up to and with shard i
}

type lazyFile struct {
	once sync.Once
	file *File
	err  error
}

// Name returns "train", "val" or "test".
func (p *Part) Name() string { return p.name }

// Len returns the number of samples.
func (p *Part) Len() int { return p.index.Samples }

// Sample returns sample i of the part; see [File.Sample].
func (p *Part) Sample(i int) (Sample, error) {
	f, j, err := p.locate(i)
	if err != nil {
		return Sample{}, err
	}
	return f.Sample(j)
}

// SampleInto is [Part.Sample] with room for the pixels; see [File.SampleInto].
func (p *Part) SampleInto(i int, buf []uint8) (Sample, error) {
	f, j, err := p.locate(i)
	if err != nil {
		return Sample{}, err
	}
	return f.SampleInto(j, buf)
}

// Label returns the class of sample i without touching its pixels.
func (p *Part) Label(i int) (int32, error) {
	f, j, err := p.locate(i)
	if err != nil {
		return -1, err
	}
	return f.Label(j), nil
}

// Person returns age and gender of sample i without touching its pixels; see [File.Person].
func (p *Part) Person(i int) (age float32, gender int8, err error) {
	f, j, err := p.locate(i)
	if err != nil {
		return 0, -1, err
	}
	age, gender = f.Person(j)
	return age, gender, nil
}

// Key returns the key of sample i without touching its pixels.
func (p *Part) Key(i int) (string, error) {
	f, j, err := p.locate(i)
	if err != nil {
		return "", err
	}
	return f.Key(j), nil
}

func (p *Part) locate(i int) (*File, int, error) {
	if i < 0 || i >= p.Len() {
		return nil, 0, fmt.Errorf("shard: sample %d of %d", i, p.Len())
	}
	k := sort.SearchInts(p.ends, i+1)
	f, err := p.file(k)
	if err != nil {
		return nil, 0, err
	}
	if k > 0 {
		i -= p.ends[k-1]
	}
	return f, i, nil
}

// belongs says what shows that a sound shard is of another set or stands in another one's place.
func (p *Part) belongs(f *File, k int) error {
	if got, want := f.Meta["build"], p.set.index.Build; got != want {
		return fmt.Errorf("of build %q, the index is of build %q", got, want)
	}
	if f.Part != p.name || f.Shard != k || f.Shards != len(p.index.Shards) {
		return fmt.Errorf("holds %s", FileName(f.Part, f.Shard, f.Shards))
	}
	return nil
}

func (p *Part) file(k int) (*File, error) {
	lazy := &p.files[k]
	lazy.once.Do(func() {
		info := p.index.Shards[k]
		f, err := OpenFile(filepath.Join(p.set.dir, info.File))
		if err != nil {
			lazy.err = err
			return
		}
		if f.n != info.Samples || f.shape != p.set.index.Shape {
			f.Close()
			lazy.err = fmt.Errorf("%s: %d samples of %v, the index says %d of %v: %w",
				info.File, f.n, f.shape, info.Samples, p.set.index.Shape, ErrCorrupt)
			return
		}
		if err := p.belongs(f, k); err != nil {
			f.Close()
			lazy.err = fmt.Errorf("%s: %w: %w", info.File, err, ErrCorrupt)
			return
		}
		lazy.file = f
	})
	return lazy.file, lazy.err
}

// At returns the shard that holds sample i of the part, and which of the shard's samples it is.
func (p *Part) At(i int) (f *File, j int, err error) { return p.locate(i) }
