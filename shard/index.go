package shard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
)

// IndexName is the file that makes a directory a shard set.
const IndexName = "index.json"

const (
	indexFormat  = "vf2prep.shards/2"
	indexFormat1 = "vf2prep.shards/1" // without checksum, encoding, shard size and other files
	maxIndex     = 256 << 20          // bytes
)

// Index is what index.json holds: all of a set but its samples.
type Index struct {
	Format       string               `json:"format"`
	Checksum     string               `json:"crc32c"`        // of the file with zeros in this one's place
	Shape        Shape                `json:"shape"`         // C, H, W
	Channels     string               `json:"channels"`      // order of the planes: "rgb" or "bgr"
	Encoding     string               `json:"encoding"`      // Raw or JPEG
	Recipe       string               `json:"recipe"`        // its name
	RecipeText   json.RawMessage      `json:"recipe_text"`   // all of it; opaque here
	RecipeDigest string               `json:"recipe_digest"` // how the pixels were made
	Manifest     string               `json:"manifest"`      // digest of the manifest
	Split        string               `json:"split"`         // digest of split.json
	Build        string               `json:"build"`         // digest of all that decided the bytes
	Seed         uint64               `json:"seed"`          // of the samples' order
	ShardSize    int64                `json:"shard_size"`    // most bytes of pixels in a shard, 0 unknown
	Classes      []string             `json:"classes"`       // identity of each label
	Parts        map[string]PartIndex `json:"parts"`
	Files        map[string]string    `json:"files"` // digest of other files of the set, by name
}

// PartIndex lists the shards of one part in order.
type PartIndex struct {
	Planned  int `json:"planned"`
	Samples  int `json:"samples"`
	Rejected int `json:"rejected"`
	// Forgotten is how many of the rejected were taken out on request.
	Forgotten int    `json:"forgotten,omitempty"`
	Shards    []Info `json:"shards"`
}

// indexSum is how the checksum stands in the text. Quotes within a text of the index are escaped,
// so nothing else looks like it.
const indexSum = `"crc32c": "`

// Same reports whether two indexes are the same but for their checksum.
func (x Index) Same(o Index) bool {
	a, errA := x.marshal()
	b, errB := o.marshal()
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// WriteIndex gives a directory of finished shards its index, which completes the set.
func WriteIndex(dir string, x Index) error {
	text, err := x.marshal()
	if err != nil {
		return err
	}
	return atomicfile.Bytes(filepath.Join(dir, IndexName), text)
}

func (x Index) marshal() ([]byte, error) {
	x.Format, x.Checksum = indexFormat, noSum
	if x.Encoding == "" {
		x.Encoding = Raw
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", " ")
	if err := enc.Encode(x); err != nil {
		return nil, err
	}
	text := b.Bytes()
	sum, at := embeddedChecksum(text, indexSum)
	copy(text[at:], sum)
	return text, nil
}

// readIndex returns the index and the digest of its bytes.
func readIndex(dir string) (Index, string, error) {
	path := filepath.Join(dir, IndexName)
	info, err := os.Stat(path)
	if err != nil {
		return Index{}, "", fmt.Errorf("%s is no finished shard set: %w", dir, err)
	}
	if info.Size() > maxIndex {
		return Index{}, "", fmt.Errorf("%s: %d bytes, at most %d are read: %w", path, info.Size(), maxIndex, ErrCorrupt)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Index{}, "", err
	}
	x, err := parseIndex(text)
	if err != nil {
		return Index{}, "", fmt.Errorf("%s: %w", path, err)
	}
	return x, digest.Bytes(text), nil
}

func parseIndex(text []byte) (Index, error) {
	var x Index
	if err := json.Unmarshal(text, &x); err != nil {
		return x, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	if x.Format != indexFormat && x.Format != indexFormat1 {
		return x, fmt.Errorf("format %q, want %q: %w", x.Format, indexFormat, ErrVersion)
	}
	if x.Format == indexFormat || x.Checksum != "" {
		if sum, at := embeddedChecksum(text, indexSum); at < 0 || sum != x.Checksum {
			return x, fmt.Errorf("CRC %s, want %q: %w", sum, x.Checksum, ErrCorrupt)
		}
	}
	if x.Format == indexFormat1 {
		x.Encoding = Raw
	}
	if x.Encoding != Raw && x.Encoding != JPEG {
		return x, fmt.Errorf("encoding %q, want %s or %s: %w", x.Encoding, Raw, JPEG, ErrVersion)
	}
	if err := x.Shape.check(); err != nil {
		return x, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	if x.Channels != "rgb" && x.Channels != "bgr" {
		return x, fmt.Errorf("channels %q, want rgb or bgr: %w", x.Channels, ErrCorrupt)
	}
	for name := range x.Files {
		if !filepath.IsLocal(name) || filepath.Base(name) != name {
			return x, fmt.Errorf("file %q is not in the set's directory: %w", name, ErrCorrupt)
		}
	}
	for name, p := range x.Parts {
		sum := 0
		for i, s := range p.Shards {
			if want := FileName(name, i, len(p.Shards)); s.File != want { // so no name leaves the directory
				return x, fmt.Errorf("part %s: shard %d is %q, want %q: %w", name, i, s.File, want, ErrCorrupt)
			}
			if s.Samples < 0 || s.Bytes < 0 {
				return x, fmt.Errorf("part %s: %s: %d samples in %d bytes: %w", name, s.File, s.Samples, s.Bytes, ErrCorrupt)
			}
			sum += s.Samples
		}
		if filepath.Base(name) != name || sum != p.Samples {
			return x, fmt.Errorf("part %q: shards hold %d samples, the part says %d: %w", name, sum, p.Samples, ErrCorrupt)
		}
	}
	return x, nil
}
