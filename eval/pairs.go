package eval

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/pixel"
	"github.com/vf2prep/vf2prep/shard"
)

// Crop makes a network's pixels of an image file, as the cache did for training.
type Crop interface {
	// Load reads the image at a path relative to the folder of images, slashes between its
	// parts, and writes C*H*W bytes to dst. An error that wraps fs.ErrNotExist says that there
	// is no such image, any other that it can't be used. Load may be called by several
	// goroutines.
	Load(path string, dst []uint8) error
	Shape() (c, h, w int)
	String() string // what it does, for the report
}

// Reasons for images and pairs that are left out.
const (
	missingImage    = "missing-image"
	unreadableImage = "unreadable-image"
)

const used = "used"

// judged is a pair of a pairs file and what became of it.
type judged struct {
	Pair
	distance float64
	status   string // used or the reason why not
}

// fromPairs compares the pairs of an LFW file.
func (v *Verification) fromPairs(ctx context.Context, o VerifyOptions) error {
	v.Protocol = ProtocolLFW
	list, err := OpenPairs(o.Pairs)
	if err != nil {
		return err
	}
	if v.Pairs, err = digest.File(o.Pairs); err != nil {
		return err
	}
	e, why, err := embedFiles(ctx, o, list)
	if err != nil {
		return err
	}
	for path, s := range why {
		s.Item = path
		v.Skips = append(v.Skips, s)
	}
	sort.Slice(v.Skips, func(i, j int) bool { return v.Skips[i].Item < v.Skips[j].Item })
	row := map[string]int{}
	people := map[string]bool{}
	for i, k := range e.Keys {
		row[k] = i
		people[k[:strings.IndexByte(k, '/')]] = true
	}
	v.Images, v.Identities = len(e.Keys), len(people)

	folds := make([]Fold, list.Folds)
	var genuine, impostor pairSet
	for _, p := range list.Pairs {
		set, all := &impostor, &v.ImpostorPairsAll
		if p.Genuine {
			set, all = &genuine, &v.GenuinePairsAll
		}
		*all++
		j := judged{Pair: p, status: used}
		for _, path := range []string{p.A.Path(), p.B.Path()} {
			if s, ok := why[path]; ok && j.status == used {
				j.status = s.Reason
				v.PairsLeftOut = append(v.PairsLeftOut, Skip{fmt.Sprintf("line %d: %s, %s", p.Line, p.A.Path(), p.B.Path()), s.Reason, path + ": " + s.Detail})
			}
		}
		if j.status == used {
			a, b := row[p.A.Path()], row[p.B.Path()]
			j.distance = squaredDistance(e.Vector(a), e.Vector(b))
			set.a, set.b, set.distance = append(set.a, int32(a)), append(set.b, int32(b)), append(set.distance, j.distance)
			f := &folds[p.Fold]
			if p.Genuine {
				f.Genuine = append(f.Genuine, j.distance)
			} else {
				f.Impostor = append(f.Impostor, j.distance)
			}
		}
		v.judgements = append(v.judgements, j)
	}
	v.MissingPairs = len(v.PairsLeftOut)
	if len(genuine.distance) == 0 || len(impostor.distance) == 0 {
		detail := ""
		if len(v.PairsLeftOut) > 0 {
			detail = "; the first is left out because of " + v.PairsLeftOut[0].Detail
		}
		return fmt.Errorf("%s: %d of %d pairs have both images, %d genuine and %d impostor%s: %w",
			o.Pairs, len(list.Pairs)-v.MissingPairs, len(list.Pairs), len(genuine.distance), len(impostor.distance), detail, ErrNoPairs)
	}
	v.HardGenuine = genuine.hardest(e, hardPairs, true)
	v.HardImpostor = impostor.hardest(e, hardPairs, false)
	return v.judge(folds, genuine.distance, impostor.distance, false)
}

// embedFiles embeds every image that the pairs name, once, in the order of their paths. An image
// that can't be embedded is in the map, with the reason.
func embedFiles(ctx context.Context, o VerifyOptions, list *Pairs) (*Embeddings, map[string]Skip, error) {
	m := o.Model
	stored := shard.Shape{}
	stored[0], stored[1], stored[2] = o.Crop.Shape()
	cut, err := centreCrop(m, stored)
	if err != nil {
		return nil, nil, err
	}
	var paths []string
	seen := map[string]bool{}
	for _, p := range list.Pairs {
		for _, r := range []ImageRef{p.A, p.B} {
			if path := r.Path(); !seen[path] {
				seen[path] = true
				paths = append(paths, path)
			}
		}
	}
	sort.Strings(paths)

	c, h, w := m.Shape()
	size, batch := c*h*w, m.Batch()
	e := &Embeddings{Width: m.Width()}
	why := map[string]Skip{}
	x := make([]float32, batch*size)
	scratch := make([]uint8, batch*size)
	pixels := make([]uint8, batch*stored.Bytes())
	errs := make([]error, batch)
	o.Progress.Start(int64(len(paths)), "embed "+filepath.Base(o.Pairs))
	defer o.Progress.Done()
	for from := 0; from < len(paths); from += batch {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		now := paths[from:min(from+batch, len(paths))]
		each(len(now), func(i int) {
			errs[i] = o.Crop.Load(now[i], pixels[i*stored.Bytes():(i+1)*stored.Bytes()])
		})
		var good []string
		for i, path := range now {
			if errs[i] != nil {
				why[path] = skipFor(errs[i])
				continue
			}
			src := pixels[i*stored.Bytes() : (i+1)*stored.Bytes()]
			if cut != nil {
				cut.Center(scratch[i*size:(i+1)*size], src, stored[0], stored[1], stored[2])
				src = scratch[i*size : (i+1)*size]
			}
			pixel.Normalize(x[len(good)*size:(len(good)+1)*size], src)
			good = append(good, path)
		}
		if len(good) > 0 {
			_, out, err := m.Infer(x[:len(good)*size], len(good))
			if err != nil {
				return nil, nil, err
			}
			for i, path := range good {
				ok, err := e.add(path, out[i*e.Width:(i+1)*e.Width])
				if err != nil {
					return nil, nil, err
				}
				if !ok {
					why[path] = Skip{Reason: zeroEmbedding, Detail: "the network gives zeros alone"}
				}
			}
		}
		o.Progress.Add(int64(len(now)))
	}
	return e, why, nil
}

func skipFor(err error) Skip {
	if errors.Is(err, fs.ErrNotExist) {
		return Skip{Reason: missingImage, Detail: "no such file"}
	}
	return Skip{Reason: unreadableImage, Detail: err.Error()}
}

// each calls f for 0 to n-1 with all CPUs.
func each(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}
