package augment

import (
	"context"
	"fmt"
	"image"
	"io"
	"sort"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/sheet"
	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

// PreviewOptions say what a contact sheet shows.
type PreviewOptions struct {
	Shards  string // directory
	Part    string // "train", "val" or "test"
	Out     string // PNG file
	Augment *Pipeline
	Rows    int // samples
	Columns int // pictures of each: the original, five single changes, then all together
	Seed    uint64
}

// Preview is what a contact sheet came to.
type Preview struct {
	Out     string   `json:"out"`
	Recipe  string   `json:"recipe"`
	Augment string   `json:"augment"`
	Part    string   `json:"part"`
	Rows    int      `json:"rows"`
	Columns int      `json:"columns"`
	Width   int      `json:"width"`
	Height  int      `json:"height"`
	Keys    []string `json:"keys"`
}

// single is one change alone, always done.
type single struct {
	name string
	only Pipeline
	off  bool // the pipeline doesn't have it: shown with usual strength
}

// singles takes the pipeline apart for samples of h rows and w columns.
func (p *Pipeline) singles(h, w int) []single {
	var q Pipeline
	if p != nil {
		q = *p
	}
	sigma := Pipeline{Blur: 1, SigmaLow: q.SigmaLow, SigmaHigh: q.SigmaHigh}
	if q.Blur == 0 {
		sigma.SigmaLow, sigma.SigmaHigh = defaultSigmaLow, defaultSigmaHigh
	}
	window := Pipeline{CropH: q.CropH, CropW: q.CropW, Pad: q.Pad}
	if q.CropH == 0 && q.Pad == 0 {
		window = Pipeline{CropH: max(1, h*7/8), CropW: max(1, w*7/8)}
	}
	colour := Pipeline{Brightness: q.Brightness, Contrast: q.Contrast, Saturation: q.Saturation}
	none := colour == (Pipeline{})
	if none {
		colour = Pipeline{Brightness: 0.2, Contrast: 0.2, Saturation: 0.2}
	}
	_, ch, cw := window.OutputShape(3, h, w)
	cropName := fmt.Sprintf("crop %dx%d", ch, cw)
	if window.Pad > 0 {
		cropName += fmt.Sprintf(" pad %d", window.Pad)
	}
	list := []single{
		{"flip", Pipeline{Flip: 1}, q.Flip == 0},
		{cropName, window, q.CropH == 0 && q.Pad == 0},
		{"monochrome", Pipeline{Monochrome: 1}, q.Monochrome == 0},
		{colour.String(), colour, none},
		{"blur " + number(sigma.SigmaLow) + "-" + number(sigma.SigmaHigh), sigma, q.Blur == 0},
	}
	turn := Pipeline{ZoomLow: q.ZoomLow, ZoomHigh: q.ZoomHigh, Rotate: q.Rotate}
	if turn != (Pipeline{}) {
		list = append(list, single{turn.String(), turn, false})
	}
	if q.Erase > 0 {
		list = append(list, single{"erase", Pipeline{Erase: 1}, false})
	}
	return list
}

// WritePreview draws a contact sheet: a sample a row, first as it is, then flipped, cropped,
// grey, with other colours, blurred and, if the pipeline does so, turned and erased, then as training sees it in the first epochs. The same
// arguments give the same file.
func WritePreview(ctx context.Context, o PreviewOptions) (*Preview, error) {
	set, err := shard.Open(o.Shards)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	x := set.Index()
	part, err := set.Part(o.Part)
	if err != nil {
		return nil, err
	}
	c, h, w := x.Shape[0], x.Shape[1], x.Shape[2]
	if err := o.Augment.Check(c, h, w); err != nil {
		return nil, err
	}
	side := max(h, w, 128)
	if !sheet.Fits(o.Rows, o.Columns, side) {
		return nil, fmt.Errorf("augment: %d rows and %d columns of %dx%d pixels make no page", o.Rows, o.Columns, h, w)
	}
	if part.Len() == 0 {
		return nil, fmt.Errorf("augment: %s: part %s has no samples", o.Shards, o.Part)
	}
	res := &Preview{Out: o.Out, Recipe: x.Recipe, Augment: o.Augment.String(), Part: o.Part, Columns: o.Columns}
	page := &sheet.Sheet{Side: side, Heading: []string{
		fmt.Sprintf("recipe %s, %d x %d x %d %s, part %s", x.Recipe, c, h, w, x.Channels, o.Part),
		"augment " + o.Augment.String(),
	}}
	show := func(p *Pipeline, src []uint8, epoch int, key string) image.Image {
		_, ch, cw := p.OutputShape(c, h, w)
		dst := make([]uint8, c*ch*cw)
		p.Apply(dst, src, c, h, w, o.Seed, epoch, key)
		return sheet.Planes(dst, c, ch, cw, x.Channels)
	}
	for _, i := range pick(part.Len(), o.Rows, o.Seed) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, err := part.Sample(i)
		if err != nil {
			return nil, err
		}
		row := []sheet.Cell{{Picture: sheet.Planes(s.Data, c, h, w, x.Channels), Words: []string{s.Key}}}
		for _, one := range o.Augment.singles(h, w) {
			words := []string{one.name}
			if one.off {
				words = append(words, "(not in use)")
			}
			row = append(row, sheet.Cell{Picture: show(&one.only, s.Data, 0, s.Key), Words: words})
		}
		for e := range max(0, o.Columns-len(row)) {
			row = append(row, sheet.Cell{Picture: show(o.Augment, s.Data, e, s.Key), Words: []string{fmt.Sprintf("epoch %d", e)}})
		}
		page.Rows = append(page.Rows, row[:min(len(row), o.Columns)])
		res.Keys = append(res.Keys, s.Key)
	}
	res.Rows = len(page.Rows)
	if err := atomicfile.Write(o.Out, func(w io.Writer) error {
		size, err := page.Write(w)
		res.Width, res.Height = size.X, size.Y
		return err
	}); err != nil {
		return nil, err
	}
	return res, nil
}

// pick returns k different numbers below n, rising; all of them where there are no more.
func pick(n, k int, seed uint64) []int {
	r := rng.Stream(seed, "preview")
	seen := map[int]bool{}
	for len(seen) < min(n, k) {
		i := r.IntN(n)
		for seen[i] {
			i = (i + 1) % n
		}
		seen[i] = true
	}
	out := make([]int, 0, len(seen))
	for i := range seen {
		out = append(out, i)
	}
	sort.Ints(out)
	return out
}
