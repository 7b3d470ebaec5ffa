package importer

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/shard"
)

// Options say what is imported and how.
type Options struct {
	Rec string // a record file of MXNet
	Out string // directory for the shards

	Height, Width int    // of a sample; 0: of the first image, and others of another size are rejects
	Encoding      string // shard.Raw, shard.JPEG, or "" for what the first image is
	Quality       int    // of JPEGs that have to be made; 0: DefaultQuality
	Val           int    // the first so many images of each identity that has more are part val; 0: all are part train
	Seed          uint64 // of the order of the samples
	ShardSize     int64  // most bytes of samples in a shard

	stretch bool // images of another size become samples too: a size was given

	Workers  int // 0: one per CPU; never changes the outcome
	Progress progress.Reporter
}

// DefaultQuality is that of JPEGs that are made of other images, 4:4:4.
const DefaultQuality = 95

// Errors of [Import]. The first says that options are wrong, the second that a directory holds something else,
// the third that a file is no record file, or holds next to nothing but damage.
var (
	ErrOption = errors.New("wrong option")
	ErrOther  = errors.New("choose an empty directory")
	ErrRec    = errors.New("no record file of MXNet")
)

// What is believed of a record file.
const (
	maxRecord  = 64 << 20 // bytes
	maxClasses = 1 << 22
	maxSide    = 2048    // pixels
	maxPixels  = 1 << 26 // of an image, which may be larger than a sample
)

// maxDamage is how many rejects a file may have: each is kept in memory with its reason. A variable for tests.
var maxDamage = 1 << 20

func (o *Options) check() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf(format+": %w", append(args, ErrOption)...)
	}
	if o.Workers < 1 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Quality == 0 {
		o.Quality = DefaultQuality
	}
	switch {
	case o.Encoding != "" && o.Encoding != shard.Raw && o.Encoding != shard.JPEG:
		return wrong("encoding %q, want %s or %s", o.Encoding, shard.Raw, shard.JPEG)
	case o.Height < 0 || o.Width < 0 || o.Height > maxSide || o.Width > maxSide || (o.Height == 0) != (o.Width == 0):
		return wrong("samples of %dx%d pixels, want 1 to %d a side", o.Height, o.Width, maxSide)
	case o.Quality < 1 || o.Quality > 100:
		return wrong("quality %d, want 1 to 100", o.Quality)
	case o.Val < 0:
		return wrong("%d images of each identity for val", o.Val)
	case o.ShardSize < 1 || o.ShardSize > 1<<34:
		return wrong("shards of %d bytes", o.ShardSize)
	}
	return nil
}

// recipe says how samples are made, as index.json keeps it. Images of a sample's size are taken as they are, others
// are stretched.
func (o *Options) recipe() *cache.Recipe {
	r := &cache.Recipe{
		Name: fmt.Sprintf("imported %dx%d", o.Height, o.Width), Geometry: cache.Whole, Height: o.Height, Width: o.Width,
		Sampling: "antialias", Channels: "rgb", Encoding: o.Encoding,
	}
	if o.Encoding == shard.JPEG {
		r.Quality = o.Quality
	}
	return r
}

// Summary is the outcome of [Import].
type Summary struct {
	Records          int            `json:"records"` // of the file, damage included
	Images           int            `json:"images"`  // Samples + Rejected
	Samples          int            `json:"samples"`
	Rejected         int            `json:"rejected"`
	Reasons          map[string]int `json:"reject_reasons"`
	Missing          int            `json:"missing"`    // images that InsightFace's first record counts and the file has not
	Identities       int            `json:"identities"` // that have an image
	Classes          int            `json:"classes"`
	Size             [2]int         `json:"size"` // height and width
	Encoding         string         `json:"encoding"`
	Copied           int            `json:"copied"` // JPEGs that are kept byte for byte, of the shards that were made now
	Shards           int            `json:"shards"`
	Reused           int            `json:"reused_shards"`
	Bytes            int64          `json:"bytes"`
	Seconds          float64        `json:"seconds"`
	SamplesPerSecond float64        `json:"samples_per_second"`
	Digest           string         `json:"digest"` // of index.json
}

const buildFormat = "vf2prep.import/1"

// build names all that decides the bytes.
func (o *Options) build(s *scan) string {
	return digest.Bytes(fmt.Appendf(nil, "%s\n%s\n%s\n%t %d %d %d\n", buildFormat, s.digest, o.recipe().Text(), o.stretch, o.Val, o.Seed, o.ShardSize))
}
