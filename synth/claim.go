package synth

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
)

// marker is synth.json: what the directory was drawn with.
type marker struct {
	Format         string  `json:"format"`
	Seed           uint64  `json:"seed"`
	Identities     int     `json:"identities"`
	TestIdentities int     `json:"test_identities"`
	Images         int     `json:"images"`
	Spread         float64 `json:"spread"`
	MetadataOnly   bool    `json:"metadata_only"`
	IdentityMeta   string  `json:"identity_meta,omitempty"` // digest
	Complete       bool    `json:"complete"`
}

// The format's number changes whenever the same options would give other pixels.
const (
	markerName   = "synth.json"
	markerFormat = "vf2prep.synth/1"
)

// claim makes the directory ours. ours says that files in it were drawn with the same options.
func claim(o *Options) (m marker, ours bool, err error) {
	m = marker{Format: markerFormat, Seed: o.Seed, Identities: o.Identities, TestIdentities: o.TestIdentities,
		Images: o.Images, Spread: o.Spread, MetadataOnly: o.MetadataOnly}
	if o.IdentityMeta != "" {
		m.Identities, m.TestIdentities = 0, 0
		if m.IdentityMeta, err = digest.File(o.IdentityMeta); err != nil {
			return m, false, err
		}
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return m, false, err
	}
	names, err := os.ReadDir(o.Out)
	if err != nil {
		return m, false, err
	}
	old, known := readMarker(o.Out)
	old.Complete = false
	ours = known && old == m
	switch {
	case ours, len(names) == 0, o.Force:
	case known:
		return m, false, fmt.Errorf("%s: %w, drawn with other options (see %s): choose another directory, or --force", o.Out, ErrForeign, markerName)
	default:
		return m, false, fmt.Errorf("%s: %w: choose another directory, or --force", o.Out, ErrForeign)
	}
	return m, ours, m.write(o.Out)
}

func readMarker(dir string) (m marker, ok bool) {
	path := filepath.Join(dir, markerName)
	if info, err := os.Stat(path); err != nil || info.Size() > 1<<16 {
		return m, false
	}
	text, err := os.ReadFile(path)
	return m, err == nil && json.Unmarshal(text, &m) == nil
}

func (m marker) write(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Bytes(filepath.Join(dir, markerName), append(text, '\n'))
}
