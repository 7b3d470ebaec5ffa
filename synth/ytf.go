package synth

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/rng"
)

// YTFOptions say what [DrawYTF] draws.
type YTFOptions struct {
	Out      string
	People   int
	Videos   int // of each person, at least 2
	Frames   int // of each video
	Splits   int // each with people of its own, at least 2
	Pairs    int // of one person and of two, in each split
	Seed     uint64
	Progress progress.Reporter
}

// YTFResult is what was drawn.
type YTFResult struct {
	Out    string `json:"out"`
	People int    `json:"people"`
	Videos int    `json:"videos"`
	Frames int    `json:"frames"`
	Splits int    `json:"splits"`
	Pairs  int    `json:"pairs"`
}

// DrawYTF draws a set in the form of YouTube Faces: frame_images_DB/Person/video/video.frame.jpg
// and splits.txt, whose fields are padded with blanks:
//
//	split number, pair number, first name, second name, is same, is same name
//	1           , 1          , Ann_Example/0, Ann_Example/1, 1     , 1
//
// The frames of a video are photos of one person, cut as VGGFace2's are. No person is in two
// splits. The error wraps [ErrOptions] where the numbers make no such set, and [ErrForeign] where
// Out holds anything.
//
// L. Wolf, T. Hassner, I. Maoz, "Face recognition in unconstrained videos with matched background
// similarity", CVPR 2011.
func DrawYTF(ctx context.Context, o YTFOptions) (*YTFResult, error) {
	switch {
	case o.Out == "":
		return nil, fmt.Errorf("%w: no output directory", ErrOptions)
	case o.Videos < 2 || o.Frames < 1 || o.Splits < 1 || o.Pairs < 1:
		return nil, fmt.Errorf("%w: %d videos of %d frames, %d splits of %d pairs; want at least 2, 1, 1 and 1", ErrOptions, o.Videos, o.Frames, o.Splits, o.Pairs)
	case o.People < 2*o.Splits || o.People > maxIdentities:
		return nil, fmt.Errorf("%w: %d people for %d splits, want at least two each", ErrOptions, o.People, o.Splits)
	case o.Videos > 1000 || o.Frames > 10000 || o.Splits > 1000 || o.Pairs > 100000 || int64(o.People)*int64(o.Videos)*int64(o.Frames) > maxImages:
		return nil, fmt.Errorf("%w: %d people with %d videos of %d frames are too many", ErrOptions, o.People, o.Videos, o.Frames)
	}
	if all, err := os.ReadDir(o.Out); err == nil && len(all) > 0 {
		return nil, fmt.Errorf("%s: %w", o.Out, ErrForeign)
	}
	female := make([]bool, o.People)
	for i := range female {
		female[i] = i%5 == 1 || i%5 == 3
	}
	called := names(o.Seed, female)
	report := progress.Or(o.Progress)
	report.Start(int64(o.People*o.Videos*o.Frames), "draw")
	d := &drawer{}
	for i := range called {
		called[i] = strings.ReplaceAll(called[i], ",", "") // the fields of splits.txt are parted by them
		p := &identity{id: fmt.Sprintf("ytf-%d", i), female: female[i]}
		who := p.person(o.Seed)
		for v := range o.Videos {
			dir := filepath.Join(o.Out, "frame_images_DB", called[i], strconv.Itoa(v))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return nil, err
			}
			for f := range o.Frames {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				p.take(&d.photo, &who, o.Seed, slot{v, f})
				d.painter.paint(&d.photo, &d.out, rng.Stream(o.Seed, "synth paint", p.id, v, f))
				d.file.Reset()
				if err := encode(&d.file, &d.photo, &d.out); err != nil {
					return nil, err
				}
				if err := put(dir, fmt.Sprintf("%d.%d.jpg", v, f+1), d.file.Bytes()); err != nil {
					return nil, err
				}
				report.Add(1)
			}
		}
	}
	report.Done()
	return &YTFResult{o.Out, o.People, o.People * o.Videos, o.People * o.Videos * o.Frames, o.Splits, 2 * o.Pairs * o.Splits},
		atomicfile.Bytes(filepath.Join(o.Out, "splits.txt"), ytfSplits(o, called))
}

// ytfSplits draws the pairs: in each split as many of one person as of two, in mixed order.
func ytfSplits(o YTFOptions, called []string) []byte {
	width := 0
	for _, c := range called {
		width = max(width, len(c)+5)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "split number, pair number, %-*s, %-*s, is same, is same name\n", width, "first name", width, "second name")
	for s := range o.Splits {
		r := rng.Stream(o.Seed, "synth ytf pairs", s)
		first, end := s*o.People/o.Splits, (s+1)*o.People/o.Splits
		n := end - first
		order := r.Perm(2 * o.Pairs)
		for k, kind := range order {
			i, same := first+r.IntN(n), kind < o.Pairs
			j := i
			for !same && j == i {
				j = first + r.IntN(n)
			}
			v, w := r.IntN(o.Videos), r.IntN(o.Videos)
			for same && w == v {
				w = r.IntN(o.Videos)
			}
			fmt.Fprintf(&b, "%-12d, %-11d, %-*s, %-*s, %-7d, %d\n", s+1, k+1,
				width, fmt.Sprintf("%s/%d", called[i], v), width, fmt.Sprintf("%s/%d", called[j], w), b2i(same), b2i(same))
		}
	}
	return b.Bytes()
}
