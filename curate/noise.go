package curate

import (
	"context"
	"errors"
	"fmt"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
)

// ErrTooFew says that there are too few identities with enough images to say anything.
var ErrTooFew = errors.New("too few identities")

// Kinds of label noise, as [NoiseOptions.Exclude] names them.
const (
	Outliers    = "outliers"    // images unlike their identity
	Mislabelled = "mislabelled" // images that are of another identity
	Merged      = "merged"      // identities of two people
	Split       = "split"       // people under two identities
)

// NoiseKinds are all of them.
var NoiseKinds = []string{Outliers, Mislabelled, Merged, Split}

// NoiseOptions say where label noise is looked for and what counts as such.
type NoiseOptions struct {
	Embeddings string // file that eval reads
	Keys       string // of its keys; "" looks beside it

	Manifest *manifest.Reader // nil: identities come from the keys
	Root     string           // of its photos; "" for no sheets
	Shards   *shard.Set       // instead of a manifest
	Part     string           // of the shards; "" for the one the embeddings are of, or all

	MinImages   int     // fewest images of an identity that is judged
	FalseAlarms float64 // largest estimated share of false alarms among what is flagged

	// Thresholds; nil takes the data's.
	OutlierBelow, MislabelledAbove, MergedBelow, SplitAbove *float64

	Exclude []string // kinds whose flagged items go to exclude.txt
	List    int      // most rows that are listed of each kind besides the flagged
	Sheet   int      // rows of a contact sheet; 0 for none
	Seed    uint64   // of the samples that thresholds come from
	Out     string   // directory

	Progress progress.Reporter
}

// The fewest images of an identity that means anything: with two, each is only held against the other.
const leastImages = 3

// Check refuses options that no data can meet.
func (o *NoiseOptions) Check() error {
	switch {
	case o.MinImages < leastImages:
		return fmt.Errorf("%d images of an identity, want at least %d", o.MinImages, leastImages)
	case !(o.FalseAlarms > 0 && o.FalseAlarms < 1):
		return fmt.Errorf("share of false alarms %v, want one between 0 and 1", o.FalseAlarms)
	case o.List < 0 || o.Sheet < 0:
		return errors.New("a negative number of rows")
	}
	return nil
}

// noise is the state of one search.
type noise struct {
	NoiseOptions
	rows   *eval.EmbeddingRows
	people []person
	of     []int32 // person of each row, -1 for none that is judged
	names  map[int]string
	r      *NoiseResult

	own     []float64 // similarity of each row to its identity
	nearest []int32   // other person that each row is most like
	other   []float64 // similarity to that one
	floor   float64   // of the spread within an identity that is believed
}

// FindNoise looks for label noise and writes what it finds to o.Out: outliers.csv, mislabelled.csv, merged.csv,
// split.csv, skipped.csv, noise.json, contact sheets where there are pictures, and exclude.txt where something is
// to be excluded. docs/curation.md defines every number.
//
// Vectors are read from the file as they are needed. Memory goes to one identity a CPU at a time, to some sums of each
// identity and to about 100 bytes an image, keys included: by estimate 1 GB for all of VGGFace2, 2 with a manifest.
func FindNoise(ctx context.Context, o NoiseOptions) (*NoiseResult, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	o.Progress = progress.Or(o.Progress)
	rows, err := eval.OpenEmbeddingRows(o.Embeddings, o.Keys)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	n := &noise{NoiseOptions: o, rows: rows, r: &NoiseResult{MinImages: o.MinImages, FalseAlarms: o.FalseAlarms, Seed: o.Seed}}
	for _, step := range []func(context.Context) error{
		n.provenance, n.group, n.centres, n.search, n.judge, n.write,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return n.r, nil
}

// provenance names the inputs.
func (n *noise) provenance(ctx context.Context) error {
	n.Progress.Start(int64(len(n.rows.Keys))*int64(n.rows.Width)*4, "digest bytes")
	defer n.Progress.Done()
	p, err := n.rows.Provenance(func(b int) { n.Progress.Add(int64(b)) })
	if err != nil {
		return err
	}
	n.r.From, n.r.KeysDigest = p, n.rows.KeysDigest()
	if n.Manifest != nil {
		n.r.Manifest = n.Manifest.Digest()
	}
	if n.Shards != nil {
		n.r.Shards = n.Shards.Digest()
	}
	n.r.Embeddings, n.r.Width = len(n.rows.Keys), n.rows.Width
	return ctx.Err()
}

// judge sets the thresholds and applies them: identities first, since an image that is more like the other half of
// a person who has two identities has no wrong label.
func (n *noise) judge(ctx context.Context) error {
	n.setFloor()
	s, err := n.strangers(ctx)
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, strangers) error{n.splits, n.mergers} {
		if err := step(ctx, s); err != nil {
			return err
		}
	}
	n.mislabelled()
	n.outliers(s)
	return nil
}
