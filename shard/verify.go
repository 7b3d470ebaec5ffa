package shard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/progress"
)

// Fault is one damaged place of a set.
type Fault struct {
	Shard   string `json:"shard"`            // file name
	Section string `json:"section"`          // "header", a tensor's name, or "file" for all of it
	Sample  int    `json:"sample"`           // -1 where the fault is no single sample's
	Key     string `json:"key,omitempty"`    // of the sample
	Detail  string `json:"detail,omitempty"` // what was found and wanted
}

// Check is the outcome of [Verify].
type Check struct {
	Shards  int     `json:"shards"`
	Samples int     `json:"samples"`
	Bytes   int64   `json:"bytes"`
	Faults  []Fault `json:"faults"`
}

// Verify reads every byte of a set and says which shard, section and sample is damaged. It goes
// on after damage; the error is for what keeps it from looking, such as a damaged index.
func Verify(ctx context.Context, dir string, p progress.Reporter) (*Check, error) {
	set, err := Open(dir)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	p = progress.Or(p)
	c := &Check{Faults: []Fault{}}
	total := 0
	for _, part := range set.index.Parts {
		total += len(part.Shards)
	}
	p.Start(int64(total), "verify")
	defer p.Done()
	for _, name := range set.Parts() {
		for _, info := range set.index.Parts[name].Shards {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			c.Shards++
			c.Samples += info.Samples
			c.Bytes += info.Bytes
			c.Faults = append(c.Faults, verifyShard(dir, info, set.index)...)
			p.Add(1)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set.index.Files)) {
		got, err := digest.File(filepath.Join(dir, name))
		if want := set.index.Files[name]; err != nil {
			c.Faults = append(c.Faults, Fault{name, "file", -1, "", err.Error()})
		} else if got != want {
			c.Faults = append(c.Faults, Fault{name, "file", -1, "", fmt.Sprintf("digest %s, want %s", got, want)})
		}
	}
	return c, nil
}

func verifyShard(dir string, info Info, x Index) []Fault {
	path := filepath.Join(dir, info.File)
	fault := func(section, format string, args ...any) []Fault {
		return []Fault{{Shard: info.File, Section: section, Sample: -1, Detail: fmt.Sprintf(format, args...)}}
	}
	stat, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fault("file", "is missing")
	}
	if err != nil {
		return fault("file", "%v", err)
	}
	got, err := digest.File(path)
	if err != nil {
		return fault("file", "%v", err)
	}
	if got == info.Digest {
		return nil // every byte is as it was written
	}
	if stat.Size() != info.Bytes {
		return fault("file", "%d bytes, want %d", stat.Size(), info.Bytes)
	}
	return locate(path, info, x)
}

// locate finds which section of a shard with a wrong digest is damaged.
func locate(path string, info Info, x Index) []Fault {
	f, err := openUnchecked(path)
	if err != nil {
		return []Fault{{Shard: info.File, Section: "header", Sample: -1, Detail: err.Error()}}
	}
	defer f.Close()
	var faults []Fault
	if err := f.checkHeader(); err != nil {
		faults = append(faults, Fault{info.File, "header", -1, "", err.Error()})
	}
	for _, name := range f.smallTensors() {
		got := fmt.Sprintf("%08x", checksum(f.section(name)))
		if want := f.Meta["crc32c."+name]; got != want {
			faults = append(faults, Fault{info.File, name, -1, "", fmt.Sprintf("CRC %s, want %s", got, want)})
		}
	}
	sumsDamaged := false
	for _, f := range faults {
		sumsDamaged = sumsDamaged || f.Section == "crc32c"
	}
	if f.n == info.Samples && f.shape == x.Shape && !sumsDamaged && outOfOrder(f.imageOffsets, len(f.images)) < 0 { // without checksums no sample can be judged
		for i := range f.n {
			if err := f.check(i); err != nil {
				faults = append(faults, Fault{info.File, "image", i, key(f, i), err.Error()})
			}
		}
	}
	if len(faults) == 0 {
		faults = append(faults, Fault{info.File, "header", -1, "", "a sound shard, but not the one that index.json means"})
	}
	return faults
}

// key returns a sample's key where the offsets can still be believed.
func key(f *File, i int) string {
	if err := f.checkSections(); err != nil {
		return ""
	}
	return f.Key(i)
}
