package cache

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/diskspace"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
	"github.com/vf2prep/vf2prep/split"
)

// PlanOptions say what a shard set is made of and how.
type PlanOptions struct {
	Manifest  string // file
	Split     string // directory
	Recipe    *Recipe
	Out       string // directory
	Seed      uint64 // of the samples' order
	ShardSize int64  // most bytes of samples in a shard, as far as they are known before

	// Tombstones are images that become rejects instead of samples. They are no part of the plan's digest:
	// shards that were made before something was to be forgotten stay those of the same build.
	Tombstones *manifest.Tombstones
}

// Plan is a shard set before it is built.
type Plan struct {
	Images int         `json:"images"`
	Shards int         `json:"shards"`
	Bytes  int64       `json:"bytes"`      // to be written, within some bytes a sample; a guess for JPEGs
	Free   int64       `json:"free_bytes"` // in Out's file system; -1 unknown
	Fits   bool        `json:"fits"`       // false only where Free is too little for what is missing
	Shape  shard.Shape `json:"shape"`      // C, H, W
	Recipe string      `json:"recipe"`
	// Classes is the number of identities that train; 0 where images show nobody in particular.
	Classes int        `json:"classes"`
	Digest  string     `json:"plan_digest"` // of all that decides the bytes
	Parts   []PartPlan `json:"parts"`

	o        PlanOptions
	manifest string // digest
	split    *split.Split
}

// PartPlan is one part of a Plan.
type PartPlan struct {
	Part     string `json:"part"`
	Images   int    `json:"images"`
	Shards   int    `json:"shards"`
	PerShard int    `json:"images_per_shard"`

	part split.Part
}

// sideBytes is what a sample takes beside its pixels: offsets, checksum, label, age, landmarks,
// gender and key.
const sideBytes = 8 + 8 + 4 + 4 + 40 + 1 + 16

// MakePlan reads manifest and split and counts.
func MakePlan(o PlanOptions) (*Plan, error) {
	if o.ShardSize < 1 {
		return nil, fmt.Errorf("cache: shards of %d bytes", o.ShardSize)
	}
	m, err := manifest.Open(o.Manifest)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	s, err := split.Open(o.Split)
	if err != nil {
		return nil, err
	}
	if s.Manifest != m.Digest() {
		return nil, fmt.Errorf("the split was made from manifest %s, this one is %s: %w", s.Manifest, m.Digest(), split.ErrMismatch)
	}
	p := &Plan{
		Recipe: o.Recipe.Name, Classes: len(s.Classes), Shape: shard.Shape{3, o.Recipe.Height, o.Recipe.Width},
		o: o, manifest: m.Digest(), split: s,
	}
	row := o.Recipe.sampleBytes()
	per := int(max(1, o.ShardSize/row))
	for _, part := range cachedParts {
		for _, err := range s.Each(part) { // which holds the list against its digest
			if err != nil {
				return nil, err
			}
			break
		}
	}
	counts := []int{s.Counts.Train, s.Counts.Val, s.Counts.Test}
	for i, part := range cachedParts {
		n := counts[i]
		if n < 0 || int64(n) > m.Rows() {
			return nil, fmt.Errorf("%s: split.json says %d images of %s, the manifest has %d: %w", o.Split, n, part, m.Rows(), split.ErrCorrupt)
		}
		pp := PartPlan{Part: part.String(), Images: n, Shards: (n + per - 1) / per, part: part}
		if pp.Shards > 0 { // shards of equal size, not full ones and a small rest
			pp.PerShard = (n + pp.Shards - 1) / pp.Shards
			pp.Shards = (n + pp.PerShard - 1) / pp.PerShard
		}
		p.Parts = append(p.Parts, pp)
		p.Images += n
		p.Shards += pp.Shards
	}
	p.Bytes = int64(p.Images) * (row + sideBytes)
	p.Digest = p.digest()
	if p.Free, err = diskspace.Free(diskspace.Existing(o.Out)); err != nil {
		p.Free = -1
	}
	p.Fits = p.Free < 0 || p.Free >= p.Bytes-p.have()
	return p, nil
}

// have returns the bytes of shards that are there already.
func (p *Plan) have() (sum int64) {
	for _, part := range p.Parts {
		for i := range part.Shards {
			if info, err := os.Stat(filepath.Join(p.o.Out, shard.FileName(part.Part, i, part.Shards))); err == nil {
				sum += info.Size()
			}
		}
	}
	return sum
}

// digest names all that decides the bytes of the set. The order of samples follows from the
// split and the seed, the shards from their number.
func (p *Plan) digest() string {
	b, err := json.Marshal([]any{buildFormat, p.manifest, p.split.Digest, p.o.Recipe.Digest(), p.o.Seed, p.Parts})
	if err != nil {
		panic(err) // plain fields
	}
	return digest.Bytes(b)
}
