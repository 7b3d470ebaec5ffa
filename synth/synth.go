package synth

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/vf2prep/vf2prep/internal/progress"
)

// ErrForeign says that the output directory holds something that this run must not mix with.
var ErrForeign = errors.New("directory holds other files")

// ErrOptions says that options make no sense together.
var ErrOptions = errors.New("synth: options")

// Options say what to draw.
type Options struct {
	Out            string
	Identities     int // train and test together
	TestIdentities int // of these; -1: a sixth
	Images         int // of each identity
	Spread         float64
	Seed           uint64
	MetadataOnly   bool
	IdentityMeta   string // take identities, counts and gender from this file instead
	Workers        int    // 0: one a CPU
	Force          bool   // write into a directory that holds other things; nothing is deleted
	Progress       progress.Reporter
}

// The largest set that is drawn: ten of the real one.
const (
	maxIdentities = 999999 // six digits
	maxImages     = 40 << 20
)

func (o *Options) check() error {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...)
	}
	if o.Out == "" {
		return bad("no output directory")
	}
	if o.Images < 1 || o.Images > maxSamples {
		return bad("%d images an identity, want 1 to %d", o.Images, maxSamples)
	}
	if !(o.Spread >= 0 && o.Spread <= 1) {
		return bad("spread %g, want 0 to 1", o.Spread)
	}
	if o.IdentityMeta != "" {
		return nil
	}
	if o.Identities < 1 || o.Identities > maxIdentities/2 {
		return bad("%d identities, want 1 to %d", o.Identities, maxIdentities/2)
	}
	if o.TestIdentities < 0 {
		o.TestIdentities = o.Identities / 6
	}
	if o.TestIdentities > o.Identities {
		return bad("%d test identities of %d", o.TestIdentities, o.Identities)
	}
	return nil
}

// Result is what a run made.
type Result struct {
	Out             string  `json:"out"`
	Identities      int     `json:"identities"`
	TrainIdentities int     `json:"train_identities"`
	TestIdentities  int     `json:"test_identities"`
	Images          int64   `json:"images"`
	TrainImages     int64   `json:"train_images"`
	TestImages      int64   `json:"test_images"`
	Drawn           int64   `json:"drawn"` // by this run
	Kept            int64   `json:"kept"`  // from an earlier run
	Bytes           int64   `json:"bytes"` // of the images drawn
	Seconds         float64 `json:"seconds"`
	ImagesPerSecond float64 `json:"images_per_second"` // drawing alone; 0 with metadata only
}

// Run draws the set. It goes on with a set that the same options began; any other directory
// that isn't empty is an error wrapping [ErrForeign] unless o.Force.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	start := time.Now()
	people, err := plan(&o)
	if err != nil {
		return nil, err
	}
	res := &Result{Out: o.Out, Identities: len(people)}
	for i := range people {
		n := int64(people[i].count)
		res.Images += n
		if people[i].test {
			res.TestIdentities++
			res.TestImages += n
		} else {
			res.TrainIdentities++
			res.TrainImages += n
		}
	}
	if res.Images > maxImages {
		return nil, fmt.Errorf("%w: %d images in all, at most %d", ErrOptions, res.Images, maxImages)
	}
	m, ours, err := claim(&o)
	if err != nil {
		return nil, err
	}
	report := progress.Or(o.Progress)
	if !o.MetadataOnly {
		began := time.Now()
		if err := drawAll(ctx, &o, people, res, ours, report); err != nil {
			return nil, err
		}
		res.ImagesPerSecond = float64(res.Drawn) / time.Since(began).Seconds()
	}
	if err := writeMetadata(ctx, &o, people, res.Images, report); err != nil {
		return nil, err
	}
	m.Complete = true
	if err := m.write(o.Out); err != nil {
		return nil, err
	}
	res.Seconds = time.Since(start).Seconds()
	return res, nil
}
