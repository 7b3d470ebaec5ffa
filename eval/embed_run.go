package eval

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/shard"
)

// EmbedOptions say whose embeddings to write: of parts of a shard set, or of image files.
type EmbedOptions struct {
	Model   Model
	Recipe  string // digest of the recipe of the training; "": not known
	FlipSum bool   // add the embedding of each image's mirror

	Set   *shard.Set
	Parts []string // none: every part, in the order of their names

	Crop  Crop     // makes pixels of image files
	Paths []string // of them, below the folder; their keys lack the extension

	Raw      bool   // keep the vectors' lengths
	Out      string // directory for the files, made where missing
	NPY      bool   // write embeddings.npy, embeddings.keys.txt and embeddings.json
	Tensors  bool   // write embeddings.safetensors
	From     Provenance
	Progress progress.Reporter
}

// Embedded is what was written.
type Embedded struct {
	Images  int      `json:"images"`
	Width   int      `json:"width"`
	Skipped int      `json:"skipped"`
	Files   []string `json:"files"`
	EmbeddingsOrigin
	Skips []Skip `json:"-"`
}

// Embed runs images through a network and writes their embeddings, as [OpenEmbeddings] reads
// them, and skipped.csv. The same images give the same bytes whatever the batch.
//
// Errors: wrapping [ErrMismatch] when network and pixels don't fit, [ErrEmbeddings] where no
// image can be embedded or two have one key; naming the image where a value is NaN or infinite.
func Embed(ctx context.Context, o EmbedOptions) (*Embedded, error) {
	o.Progress = progress.Or(o.Progress)
	m := o.Model
	if o.FlipSum {
		m, o.From.FlipSum = FlipSum(m), true
	}
	var e *Embeddings
	var err error
	if o.Set != nil && o.Crop == nil {
		e, err = embedParts(ctx, m, &o)
	} else {
		e, err = embedPaths(ctx, m, &o)
	}
	if err != nil {
		return nil, err
	}
	if len(e.Keys) == 0 {
		return nil, fmt.Errorf("none of %d images can be embedded%s: %w", len(e.Skips), firstOf(e.Skips), ErrEmbeddings)
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	out := &Embedded{Images: len(e.Keys), Width: e.Width, Skipped: len(e.Skips), EmbeddingsOrigin: e.Origin, Skips: e.Skips}
	if err := writeSkipped(o.Out, e.Skips); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		want bool
		name string
	}{{o.NPY, "embeddings.npy"}, {o.Tensors, "embeddings.safetensors"}} {
		if !f.want {
			continue
		}
		path := filepath.Join(o.Out, f.name)
		if err := e.Save(path); err != nil {
			return nil, err
		}
		out.Files = append(out.Files, path)
	}
	return out, nil
}

func firstOf(skips []Skip) string {
	if len(skips) == 0 {
		return ""
	}
	return fmt.Sprintf("; the first, %s: %s", skips[0].Item, skips[0].Detail)
}

func embedParts(ctx context.Context, m Model, o *EmbedOptions) (*Embeddings, error) {
	if err := checkRecipe(o.Set, o.Recipe); err != nil {
		return nil, err
	}
	parts := o.Parts
	if len(parts) == 0 {
		for name, p := range o.Set.Index().Parts {
			if p.Samples > 0 {
				parts = append(parts, name)
			}
		}
		sort.Strings(parts)
	}
	e := &Embeddings{Width: m.Width(), Raw: o.Raw, Origin: EmbeddingsOrigin{Provenance: o.From.of(o.Set)}}
	for i, part := range parts {
		one, skipped, err := embedPart(ctx, m, o.Set, part, o.Raw, o.Progress)
		if err != nil {
			return nil, err
		}
		e.Keys, e.Data, e.Skips = append(e.Keys, one.Keys...), append(e.Data, one.Data...), append(e.Skips, skipped...)
		if e.Origin.Part += part; i+1 < len(parts) {
			e.Origin.Part += ","
		}
	}
	return e, nil
}

func embedPaths(ctx context.Context, m Model, o *EmbedOptions) (*Embeddings, error) {
	e := &Embeddings{Width: m.Width(), Raw: o.Raw, Origin: EmbeddingsOrigin{Provenance: o.From, Crop: o.Crop.String()}}
	o.Progress.Start(int64(len(o.Paths)), "embed images")
	defer o.Progress.Done()
	paths := slices.Compact(slices.Sorted(slices.Values(o.Paths)))
	err := embedFiles(ctx, m, o.Crop, paths, o.Progress, func(path string, v []float32) error {
		ok, err := e.put(withoutExtension(path), v, o.Raw, false)
		if err == nil && !ok {
			e.Skips = append(e.Skips, Skip{path, zeroEmbedding, "the network gives zeros alone"})
		}
		return err
	}, func(_ string, why Skip) { e.Skips = append(e.Skips, why) })
	return e, err
}

// FlipSum returns a model whose embedding of an image is that of the image and that of its mirror,
// left for right, added: a habit of InsightFace's evaluations. Scores are those of the image.
func FlipSum(m Model) Model {
	return &flipSum{Model: m}
}

type flipSum struct {
	Model
	mirrored       []float32
	logits, summed []float32
}

func (f *flipSum) Infer(x []float32, n int) (logits, embedding []float32, err error) {
	c, h, w := f.Shape()
	logits, embedding, err = f.Model.Infer(x, n)
	if err != nil {
		return nil, nil, err
	}
	f.logits, f.summed = append(f.logits[:0], logits...), append(f.summed[:0], embedding...)
	f.mirrored = mirror(f.mirrored, x[:n*c*h*w], w)
	if _, embedding, err = f.Model.Infer(f.mirrored, n); err != nil {
		return nil, nil, err
	}
	for i, v := range embedding {
		f.summed[i] += v
	}
	return f.logits, f.summed, nil
}

// maxListed is how many images of a folder are listed.
const maxListed = 50_000_000

// ListImages returns the paths of the JPEGs below a folder, sorted, with slashes; links to folders
// are not followed.
func ListImages(dir string) ([]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var out []string
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() || !isJPEG(path):
			return nil
		case len(out) == maxListed:
			return fmt.Errorf("more than %d images", maxListed)
		}
		out = append(out, path)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	slices.Sort(out)
	return out, nil
}

var errImageList = errors.New("not a list of images")

// ReadImageList reads the paths of images below a folder, one a line; no path leaves the folder.
func ReadImageList(path string) ([]string, error) {
	f, _, err := capped.Open(path, maxKeysFile, errImageList)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out, err := readPaths(newTextLines(f, maxKeysFile, errImageList), maxListed, localPath)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return out, nil
}

// readPaths reads a path a line, each of which check accepts.
func readPaths(l *textLines, most int, check func(string) error) ([]string, error) {
	var out []string
	for b := l.next(); b != nil; b = l.next() {
		if len(out) == most {
			return nil, l.failf("more than %d images", most)
		}
		if err := check(string(b)); err != nil {
			return nil, l.fail(err)
		}
		out = append(out, string(b))
	}
	return out, l.end(len(out), "rows")
}

// mirror appends x with each row of w pixels reversed to dst[:0].
func mirror(dst, x []float32, w int) []float32 {
	dst = append(dst[:0], x...)
	for row := 0; row < len(dst); row += w {
		slices.Reverse(dst[row : row+w])
	}
	return dst
}
