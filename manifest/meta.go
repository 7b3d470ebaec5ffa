package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// Version is the newest version of the manifest format that this package writes: 1 for layout
// VGGFace2, 2 for others. It reads all versions from 1 to this one.
const Version = 2

// The keys of the Parquet file's key-value metadata.
const (
	keyVersion    = "vf2prep.manifest.version"
	keyCounts     = "vf2prep.manifest.counts"
	keyFooter     = "vf2prep.manifest.footer" // its own checksum; files of older programs lack it
	keyInputs     = "vf2prep.manifest.inputs"
	keyIdentities = "vf2prep.manifest.identities"
	keyLayout     = "vf2prep.manifest.layout" // since version 2; absent for layout VGGFace2
)

// Input is one file that a manifest was made from.
type Input struct {
	Kind   string `json:"kind"` // "identity-meta", "boxes", "landmarks", "list", "ages", ...
	Path   string `json:"path"` // relative to the root, or the base name of a file elsewhere
	Bytes  int64  `json:"bytes"`
	Digest string `json:"digest"`
}

// Counts is what a manifest holds, in numbers.
type Counts struct {
	Images          int64            `json:"images"` // rows, those without a file included
	TrainImages     int64            `json:"train_images"`
	TestImages      int64            `json:"test_images"`
	UsableImages    int64            `json:"usable_images"`
	ProblemImages   int64            `json:"problem_images"` // rows with at least one problem
	Identities      int              `json:"identities"`     // with at least one row
	TrainIdentities int              `json:"train_identities"`
	TestIdentities  int              `json:"test_identities"`
	Listed          int              `json:"listed_identities"` // in identity_meta.csv
	Boxes           int64            `json:"boxes"`
	Landmarks       int64            `json:"landmarks"`
	Ages            int64            `json:"ages"`    // rows with an age
	Genders         int64            `json:"genders"` // rows with a gender
	Male            int              `json:"male_identities"`
	Female          int              `json:"female_identities"`
	Scanned         bool             `json:"scanned"`                    // headers and digests were read
	Problems        int64            `json:"problems"`                   // all occurrences
	ProblemCounts   map[string]int64 `json:"problem_counts"`             // by code
	Forgotten       int64            `json:"forgotten_images,omitempty"` // left out on request
}

// identityJSON is one entry of the identity table: absent means unknown.
type identityJSON struct {
	ID      string   `json:"id"`
	Name    string   `json:"name,omitempty"`
	Samples *int     `json:"samples,omitempty"`
	Subset  Subset   `json:"subset,omitempty"`
	Gender  string   `json:"gender,omitempty"`
	Age     *float32 `json:"age,omitempty"`
}

func encodeIdentities(ids []Identity) (string, error) {
	out := make([]identityJSON, len(ids))
	for i, id := range ids {
		out[i] = identityJSON{ID: id.ID, Name: id.Name, Subset: id.Subset, Gender: id.Gender.String()}
		if id.Samples >= 0 {
			out[i].Samples = &ids[i].Samples
		}
		if id.Age == id.Age {
			out[i].Age = &ids[i].Age
		}
	}
	b, err := json.Marshal(out)
	return string(b), err
}

func decodeIdentities(text string) ([]Identity, error) {
	var in []identityJSON
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return nil, fmt.Errorf("identity table: %w: %w", err, ErrCorrupt)
	}
	ids := make([]Identity, len(in))
	for i, j := range in {
		if !validName([]byte(j.ID)) || i > 0 && in[i-1].ID >= j.ID {
			return nil, fmt.Errorf("identity table: entry %d: %q is no identity or out of order: %w", i, j.ID, ErrCorrupt)
		}
		ids[i] = Identity{ID: j.ID, Name: j.Name, Samples: -1, Subset: j.Subset, Gender: parseGender([]byte(j.Gender)), Age: unknownAge()}
		if j.Samples != nil {
			ids[i].Samples = max(*j.Samples, -1)
		}
		if j.Age != nil {
			ids[i].Age = *j.Age
		}
	}
	return ids, nil
}

func checkVersion(text string, ok bool) error {
	if !ok {
		return fmt.Errorf("a Parquet file, but no manifest: it has no %s: %w", keyVersion, ErrCorrupt)
	}
	v, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%s is %q: %w", keyVersion, text, ErrCorrupt)
	}
	if v < 1 || v > Version {
		return fmt.Errorf("format version %d, this program reads 1 to %d: %w", v, Version, ErrVersion)
	}
	return nil
}

// sortIdentities orders the table and is the only order in which it is written.
func sortIdentities(ids []Identity) {
	slices.SortFunc(ids, func(a, b Identity) int {
		switch {
		case a.ID < b.ID:
			return -1
		case a.ID > b.ID:
			return 1
		}
		return 0
	})
}
