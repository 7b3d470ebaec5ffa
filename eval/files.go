package eval

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vf2prep/vf2prep/internal/progress"
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

// FrameLister is a Crop that knows which images a video consists of.
type FrameLister interface {
	// Frames returns the paths of a video's frames in order. The error wraps fs.ErrNotExist where
	// there is no such video.
	Frames(video string) ([]string, error)
}

// Reasons for images and pairs that are left out.
const (
	missingImage    = "missing-image"
	unreadableImage = "unreadable-image"
)

// embedFiles runs image files through the model, batch by batch, and hands each one's embedding
// to use, in the order of the paths, or to skip why it has none. The embedding is valid until use
// returns.
func embedFiles(ctx context.Context, m Model, crop Crop, paths []string, bar progress.Reporter, use func(path string, v []float32) error, skip func(path string, why Skip)) error {
	stored := shard.Shape{}
	stored[0], stored[1], stored[2] = crop.Shape()
	cut, err := centreCrop(m, stored)
	if err != nil {
		return err
	}
	c, h, w := m.Shape()
	size, batch, width := c*h*w, m.Batch(), m.Width()
	x := make([]float32, batch*size)
	scratch := make([]uint8, batch*size)
	pixels := make([]uint8, batch*stored.Bytes())
	errs := make([]error, batch)
	for from := 0; from < len(paths); from += batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := paths[from:min(from+batch, len(paths))]
		each(len(now), func(i int) {
			errs[i] = crop.Load(now[i], pixels[i*stored.Bytes():(i+1)*stored.Bytes()])
		})
		var good []string
		for i, path := range now {
			if errs[i] != nil {
				skip(path, skipFor(path, errs[i]))
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
				return err
			}
			for i, path := range good {
				if err := use(path, out[i*width:(i+1)*width]); err != nil {
					return err
				}
			}
		}
		bar.Add(int64(len(now)))
	}
	return nil
}

func skipFor(item string, err error) Skip {
	if errors.Is(err, fs.ErrNotExist) {
		return Skip{item, missingImage, "no such file"}
	}
	return Skip{item, unreadableImage, err.Error()}
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

// sides are the vectors of what pairs name: images, or videos.
type sides struct {
	*Embeddings
	row    map[string]int
	why    map[string]Skip // of what has no vector
	frames []Skip          // frames of videos that were left out
}

func newSides(width int, raw bool) *sides {
	return &sides{Embeddings: &Embeddings{Width: width, Raw: raw}, row: map[string]int{}, why: map[string]Skip{}}
}

// put gives an item its vector.
func (s *sides) put(item string, v []float32) error {
	ok, err := s.Embeddings.put(item, v, s.Raw, false)
	if err != nil {
		return err
	}
	if !ok {
		s.why[item] = Skip{item, zeroEmbedding, "the network gives zeros alone"}
		return nil
	}
	s.row[item] = len(s.Keys) - 1
	return nil
}

// fromFiles embeds what the items name: an image each, or with videos the images of a folder.
func (s *sides) fromFiles(ctx context.Context, o VerifyOptions, items []string, videos bool) error {
	if !videos {
		slices.Sort(items)
		o.Progress.Start(int64(len(items)), "embed images")
		defer o.Progress.Done()
		return embedFiles(ctx, o.Model, o.Crop, items, o.Progress, s.put, func(item string, why Skip) { s.why[item] = why })
	}
	lister, ok := o.Crop.(FrameLister)
	if !ok {
		return errors.New("eval: these images can't be listed by video")
	}
	frames := make([][]string, len(items))
	total := 0
	for i, video := range items {
		all, err := lister.Frames(video)
		if err == nil && len(all) == 0 {
			err = fs.ErrNotExist
		}
		if err != nil {
			why := skipFor(video, err)
			if why.Reason == missingImage {
				why.Detail = "no frames"
			}
			s.why[video] = why
			continue
		}
		frames[i] = thin(all, o.MaxFrames)
		total += len(frames[i])
	}
	o.Progress.Start(int64(total), "embed frames")
	defer o.Progress.Done()
	for i, video := range items {
		if frames[i] == nil {
			continue
		}
		m := newMean(s.Width)
		first := Skip{}
		leave := func(frame string, why Skip) {
			s.frames = append(s.frames, why)
			if first.Item == "" {
				first = why
			}
		}
		err := embedFiles(ctx, o.Model, o.Crop, frames[i], o.Progress, func(frame string, v []float32) error {
			ok, err := m.add(frame, v, s.Raw)
			if err == nil && !ok {
				leave(frame, Skip{frame, zeroEmbedding, "the network gives zeros alone"})
			}
			return err
		}, leave)
		if err != nil {
			return err
		}
		if m.n == 0 {
			s.why[video] = Skip{video, first.Reason, fmt.Sprintf("none of %d frames; the first: %s", len(frames[i]), first.Detail)}
			continue
		}
		if err := s.put(video, m.vector()); err != nil {
			return err
		}
	}
	return nil
}

// thin returns n of the frames, at equal steps; all of them for n <= 0.
func thin(frames []string, n int) []string {
	if n <= 0 || len(frames) <= n {
		return frames
	}
	out := make([]string, n)
	for i := range out {
		out[i] = frames[i*len(frames)/n]
	}
	return out
}

// mean is the mean of vectors, each of length 1 unless raw.
type mean struct {
	sum []float64
	n   int
	one []float32
}

func newMean(width int) *mean { return &mean{sum: make([]float64, width), one: make([]float32, width)} }

// add reports false for a vector of zeros, which counts for nothing.
func (m *mean) add(key string, v []float32, raw bool) (bool, error) {
	copy(m.one, v)
	e := Embeddings{Width: len(v)}
	if ok, err := e.put(key, m.one, raw, false); !ok || err != nil {
		return false, err
	}
	for i, x := range e.Data {
		m.sum[i] += float64(x)
	}
	m.n++
	return true, nil
}

func (m *mean) vector() []float32 {
	out := make([]float32, len(m.sum))
	for i, x := range m.sum {
		out[i] = float32(x / float64(m.n))
	}
	return out
}

// fromEmbeddings looks the items up among keys. A key may lack the extension of its file or have
// one that the item lacks. A video is the key of its own name, or the mean of the keys of its frames,
// in the first of [videoFolders] that has any.
func (s *sides) fromEmbeddings(e *Embeddings, items []string, videos bool, maxFrames int) error {
	row := map[string]int{} // -1: two keys
	below := map[string][]int{}
	for i, k := range e.Keys {
		plain := withoutExtension(k)
		if _, ok := row[plain]; ok {
			row[plain] = -1
		} else {
			row[plain] = i
		}
		if videos {
			dir := path.Dir(k)
			below[dir] = append(below[dir], i)
		}
	}
	exact := e.Rows()
	absent := map[string]Skip{}
	for _, k := range e.Skips {
		absent[withoutExtension(k.Item)] = k
	}
	skipped := map[string][]Skip{} // frames by folder
	if videos {
		for _, k := range e.Skips {
			dir := path.Dir(k.Item)
			skipped[dir] = append(skipped[dir], k)
		}
	}
	for _, item := range items {
		i, ok := exact[item]
		if !ok {
			i, ok = row[withoutExtension(item)]
		}
		var rows []int
		var lost []Skip
		if videos && !ok { // the first folder that has any, as Frames takes it
			for _, dir := range videoFolders(item) {
				if rows, lost = below[dir], skipped[dir]; len(rows)+len(lost) > 0 {
					break
				}
			}
			s.frames = append(s.frames, lost...)
		}
		switch {
		case len(rows) > 0:
			slices.SortFunc(rows, func(a, b int) int { return strings.Compare(e.Keys[a], e.Keys[b]) })
			m := newMean(s.Width)
			keys := make([]string, len(rows))
			for k, r := range rows {
				keys[k] = e.Keys[r]
			}
			for _, key := range thin(keys, maxFrames) {
				if _, err := m.add(key, e.Vector(exact[key]), s.Raw); err != nil {
					return err
				}
			}
			if err := s.put(item, m.vector()); err != nil {
				return err
			}
		case len(lost) > 0:
			s.why[item] = Skip{item, lost[0].Reason, fmt.Sprintf("none of %d frames; the first: %s", len(lost), lost[0].Detail)}
		case ok && i < 0:
			s.why[item] = Skip{item, unreadableImage, "two keys differ in nothing but their extension"}
		case ok:
			if s.Raw == e.Raw { // as it is, so that nothing is rounded twice
				s.Keys, s.Data = append(s.Keys, item), append(s.Data, e.Vector(i)...)
				s.row[item] = len(s.Keys) - 1
			} else if err := s.put(item, e.Vector(i)); err != nil {
				return err
			}
		default:
			why, ok := absent[withoutExtension(item)]
			if !ok {
				why = Skip{Reason: missingImage, Detail: "no embedding has this key"}
			}
			s.why[item] = Skip{item, why.Reason, why.Detail}
		}
	}
	return nil
}

// withoutExtension takes the extension of an image file off a key.
func withoutExtension(key string) string {
	switch ext := path.Ext(key); strings.ToLower(ext) {
	case ".jpg", ".jpeg", ".png", ".bmp", ".webp":
		return strings.TrimSuffix(key, ext)
	}
	return key
}
