package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/shard"
)

// Options say what is exported and how.
type Options struct {
	To  string // one of Formats
	Out string // directory

	Shards string   // directory of a shard set, or:
	Parts  []string // which; none are all

	Manifest string // file, with:
	Split    string // directory
	Root     string // of the data set
	Seed     uint64 // of the photos' order

	Image    string // PNG, JPEG or "" for the format's own choice
	Quality  int    // of JPEGs made here; 0: DefaultQuality
	Name     string // of the data set, for formats that ask for one; "": DefaultName
	MaxBytes int64  // of a file, as far as sizes are known before; 0: DefaultMaxBytes
	MaxCount int    // samples of a file; 0: no limit

	Plain bool   // of mxnet-rec: labels without InsightFace's records of identities
	Pairs string // file that eval.OpenPairList reads, for formats that hold pairs

	Restart  bool // take away what another export left in Out
	Workers  int  // 0: one per CPU
	Progress progress.Reporter
}

// Defaults of [Options].
const (
	DefaultName     = "faces"
	DefaultMaxBytes = 256 << 20
)

// ErrOption says that options are wrong or do not go together.
var ErrOption = errors.New("wrong option")

const maxPieces = 100_000 // files of a part: all names have five or six digits

// How much an interruption costs at most where a part is one file, in bytes, or where each sample is
// one. Variables for tests, which have less.
var (
	checkpoint   int64 = 256 << 20
	looseSamples       = 8192
)

var nameText = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// check fills in defaults and says what does not go together.
func (o *Options) check() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf(format+": %w", append(args, ErrOption)...)
	}
	if o.Name == "" {
		o.Name = DefaultName
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	photos := o.Manifest != "" || o.Split != "" || o.Root != ""
	switch {
	case o.Out == "":
		return wrong("no directory to export to")
	case o.Shards == "" && !photos:
		return wrong("give a shard set, or manifest, split and root")
	case o.Shards != "" && photos:
		return wrong("give a shard set or manifest, split and root, not both")
	case photos && (o.Manifest == "" || o.Split == "" || o.Root == ""):
		return wrong("photos need a manifest, a split and a root")
	case photos && o.Image == PNG:
		return wrong("photos are exported as they are: png is for shards")
	case o.Image != "" && o.Image != PNG && o.Image != JPEG:
		return wrong("image %q, want %s or %s", o.Image, PNG, JPEG)
	case o.Quality != 0 && (photos || o.Image == PNG):
		return wrong("a quality is for JPEGs that are made of shards")
	case o.Quality < 0 || o.Quality > 100:
		return wrong("quality %d, want 1 to 100", o.Quality)
	case o.Plain && o.To != "mxnet-rec":
		return wrong("plain is a kind of mxnet-rec, not of %s", o.To)
	case o.Pairs != "" && o.To != "insightface-bin":
		return wrong("pairs are for insightface-bin, not for %s", o.To)
	case !nameText.MatchString(o.Name):
		return wrong("name %q, want a small letter, then small letters, digits and _, 64 at most", o.Name)
	case o.MaxBytes < 1 || o.MaxCount < 0:
		return wrong("files of %d bytes, %d samples", o.MaxBytes, o.MaxCount)
	}
	return nil
}

// source opens what is exported.
func (o *Options) source() (Source, error) {
	if o.Shards != "" {
		return openShards(o.Shards, o.Parts)
	}
	return openPhotos(o)
}

// plan is an export before it is written.
type plan struct {
	o      *Options
	format Format
	needs  Needs
	src    Source
	set    *Set
	image  string // PNG or JPEG
	chosen [][]Ref
	bytes  int64 // to be written, as far as sizes are known before
	digest string
}

func makePlan(o *Options, f Format, src Source) (*plan, error) {
	p := &plan{o: o, format: f, needs: f.Needs(), src: src, image: o.Image}
	origin := src.Origin()
	jpegs := origin["kind"] == "photos" || origin["encoding"] == shard.JPEG
	if p.image == "" {
		p.image = PNG
		if jpegs || p.needs.JPEG {
			p.image = JPEG
		}
	}
	switch {
	case p.needs.Pixels && src.Shape() == (shard.Shape{}):
		return nil, fmt.Errorf("%s holds samples of one size, photos have each their own: export shards: %w", o.To, ErrOption)
	case p.needs.Pixels && (o.Image != "" || o.Quality != 0):
		return nil, fmt.Errorf("%s holds pixels, not images: %w", o.To, ErrOption)
	case p.image == JPEG && jpegs && o.Quality != 0:
		return nil, fmt.Errorf("the samples are JPEGs already and are passed on as they are: no quality: %w", ErrOption)
	case p.image == PNG && o.Quality != 0:
		return nil, fmt.Errorf("a quality is for JPEGs: %w", ErrOption)
	case p.needs.Whole && (o.MaxCount != 0 || o.MaxBytes != DefaultMaxBytes):
		return nil, fmt.Errorf("how large files are is not a choice in %s: %w", o.To, ErrOption)
	}
	if o.Quality == 0 {
		o.Quality = DefaultQuality
	}
	p.set = &Set{Name: o.Name, Classes: src.Classes(), Shape: src.Shape(), Ext: "png", Origin: origin, Options: o}
	if p.image == JPEG {
		p.set.Ext = "jpg"
	}
	if p.needs.Pixels {
		p.set.Ext = ""
	}
	if err := p.lay(); err != nil {
		return nil, err
	}
	if err := f.Begin(p.set); err != nil {
		return nil, err
	}
	if l, ok := f.(Loose); ok {
		for _, part := range p.set.Parts {
			if err := unique(l, p.samples(part.Name, nil)); err != nil {
				return nil, fmt.Errorf("%s: %w", part.Name, err)
			}
		}
	}
	p.digest = p.sum(jpegs)
	return p, nil
}

// lay says which samples go into which piece: as many as fit, one after another.
func (p *plan) lay() error {
	var parts []ChosenPart
	chooser, chosen := p.format.(Chooser)
	if chosen {
		var err error
		if parts, err = chooser.Choose(p.src); err != nil {
			return err
		}
	} else {
		for _, part := range p.src.Parts() {
			parts = append(parts, ChosenPart{Name: part.Name})
		}
	}
	for i, part := range parts {
		plan := PartPlan{Name: part.Name, Count: len(part.Order)}
		if !chosen {
			plan.Count = p.src.Parts()[i].Count
		}
		p.chosen = append(p.chosen, part.Order)
		if err := p.cut(i, &plan); err != nil {
			return err
		}
		p.set.Parts = append(p.set.Parts, plan)
	}
	return nil
}

// at returns where sample i of a part is.
func (p *plan) at(part, i int) Ref {
	if order := p.chosen[part]; order != nil {
		return order[i]
	}
	return Ref{int32(part), int32(i)}
}

// cut cuts a part into pieces.
func (p *plan) cut(part int, plan *PartPlan) error {
	limit, most := p.o.MaxBytes, p.o.MaxCount
	if p.needs.Whole {
		limit, most = checkpoint, p.needs.Per
	}
	piece := Piece{Part: plan.Name, part: part, Planned: plan.Count}
	end := func(to int) {
		piece.To = to
		plan.Pieces = append(plan.Pieces, piece)
		piece.I, piece.From, piece.bytes = piece.I+1, to, 0
	}
	for i := range plan.Count {
		size, err := p.sampleBytes(p.at(part, i))
		if err != nil {
			return err
		}
		if i > piece.From && i%max(p.needs.Group, 1) == 0 && (piece.bytes+size > limit || most > 0 && i-piece.From >= most) {
			end(i)
		}
		piece.bytes += size
		p.bytes += size
	}
	if plan.Count > 0 {
		end(plan.Count)
	}
	if len(plan.Pieces) > maxPieces && !p.needs.Whole {
		return fmt.Errorf("part %s would have %d files, at most %d: allow larger ones: %w", plan.Name, len(plan.Pieces), maxPieces, ErrOption)
	}
	for i := range plan.Pieces {
		plan.Pieces[i].N = len(plan.Pieces)
	}
	return nil
}

// sampleBytes is what a sample takes in a file: at most, but for JPEGs that are made here, which are
// taken for half of their pixels, and photos of unknown size.
func (p *plan) sampleBytes(r Ref) (int64, error) {
	size, err := p.src.Size(r)
	if err != nil {
		return 0, err
	}
	stored := p.set.Origin["encoding"] == shard.Raw
	switch pixels := int64(p.set.Shape.Bytes()); {
	case p.needs.Pixels:
		size = pixels
	case p.image == PNG:
		size = pngBound(p.set.Shape)
	case stored:
		size = pixels/2 + 1024
	case size == 0:
		size = 32 << 10
	}
	return size + p.needs.Beside, nil
}

// sum names all that decides the bytes.
func (p *plan) sum(jpegs bool) string {
	quality := p.o.Quality
	if p.needs.Pixels || p.image != JPEG || jpegs {
		quality = 0
	}
	type part struct {
		Name   string
		Ends   []int
		Chosen string
	}
	var parts []part
	for i, q := range p.set.Parts {
		x := part{Name: q.Name}
		for _, piece := range q.Pieces {
			x.Ends = append(x.Ends, piece.To)
		}
		if order := p.chosen[i]; order != nil {
			h := digest.New()
			for _, r := range order {
				fmt.Fprintln(h, r.Part, r.I)
			}
			x.Chosen = h.String()
		}
		parts = append(parts, x)
	}
	b, err := json.Marshal([]any{exportFormat, p.o.To, p.format.Version(), p.set.Origin, p.set.Ext, quality, p.o.Name, parts})
	if err != nil {
		panic(err) // plain fields
	}
	return digest.Bytes(b)
}
