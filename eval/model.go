package eval

import (
	"errors"
	"fmt"

	"github.com/vf2prep/vf2prep/augment"
	"github.com/vf2prep/vf2prep/loader"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
)

// ErrMismatch says that a network and a shard set don't belong together.
var ErrMismatch = errors.New("eval: network and shards do not belong together")

// Model is a trained network.
type Model interface {
	// Infer runs n images, x[:n*C*H*W], n <= Batch(). The results, n*Classes() scores before
	// softmax and n*Width() embedding values, are valid until the next call.
	Infer(x []float32, n int) (logits, embedding []float32, err error)
	Classes() int
	Width() int
	Batch() int
	Shape() (c, h, w int)
}

// Provenance names what a result was made from, so that it can be traced back to bytes.
type Provenance struct {
	Run          string `json:"run,omitempty"`           // name of the run
	Arch         string `json:"arch,omitempty"`          // of the network
	Weights      string `json:"weights,omitempty"`       // digest of the weights' file
	Shards       string `json:"shards,omitempty"`        // digest of the shard set
	Recipe       string `json:"recipe,omitempty"`        // its name
	RecipeDigest string `json:"recipe_digest,omitempty"` // how the pixels were made
	Manifest     string `json:"manifest,omitempty"`      // digest
	Split        string `json:"split,omitempty"`         // digest
	Embeddings   string `json:"embeddings,omitempty"`    // digest of the file that they were read from
	FlipSum      bool   `json:"flip_sum,omitempty"`      // embeddings of the image and of its mirror, added
}

// of fills in what a shard set knows of itself.
func (p Provenance) of(set *shard.Set) Provenance {
	x := set.Index()
	p.Shards, p.Recipe, p.RecipeDigest = set.Digest(), x.Recipe, x.RecipeDigest
	p.Manifest, p.Split = x.Manifest, x.Split
	return p
}

func (p Provenance) facts() []Fact {
	var out []Fact
	for _, f := range []Fact{
		{"run", p.Run}, {"network", p.Arch}, {"weights", p.Weights}, {"shards", p.Shards},
		{"recipe", p.Recipe}, {"recipe digest", p.RecipeDigest}, {"split", p.Split}, {"manifest", p.Manifest},
		{"embeddings file", p.Embeddings}, {"embedding", map[bool]string{true: "image and mirror added"}[p.FlipSum]},
	} {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	return out
}

// input is what a network takes.
type input interface {
	Batch() int
	Shape() (c, h, w int)
}

// openPart returns a Loader that gives a part's samples once, in the shards' order, as the
// model wants them: where its input is smaller than the samples, their centre is cut out.
func openPart(m input, set *shard.Set, part string) (*loader.Loader, error) {
	crop, err := centreCrop(m, set.Index().Shape)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", set.Dir(), err)
	}
	l, err := loader.New(set, part, loader.Options{Batch: m.Batch(), Augment: crop})
	if err != nil {
		return nil, err
	}
	if l.Len() == 0 {
		return nil, fmt.Errorf("%s: part %s is empty", set.Dir(), part)
	}
	return l, nil
}

// centreCrop returns the pipeline that cuts samples down to the model's input, nil for none.
func centreCrop(m input, s shard.Shape) (*augment.Pipeline, error) {
	c, h, w := m.Shape()
	switch {
	case s == shard.Shape{c, h, w}:
		return nil, nil
	case s[0] != c || s[1] < h || s[2] < w:
		return nil, fmt.Errorf("samples of %v, the network wants %v: %w", s, shard.Shape{c, h, w}, ErrMismatch)
	}
	return augment.Parse(fmt.Sprintf("crop=%dx%d", h, w))
}

// checkClasses compares the classes that the shards number with those the network was trained
// on; equal numbers of other identities would give a nonsense that looks like a result.
func checkClasses(m Model, network []string, set *shard.Set) error {
	have := set.Index().Classes
	if len(have) != m.Classes() || network != nil && len(network) != len(have) {
		return fmt.Errorf("%s has %d classes, the network %d: %w", set.Dir(), len(have), m.Classes(), ErrMismatch)
	}
	for i := range network {
		if network[i] != have[i] && !manifest.IsForgottenClass(have[i]) { // which keeps its place
			return fmt.Errorf("%s: label %d is %s, the network learnt it as %s: %w", set.Dir(), i, have[i], network[i], ErrMismatch)
		}
	}
	return nil
}

// checkRecipe compares how the shards' pixels were made with how those of the training were;
// digest is the training's recipe, "" where it is not known.
func checkRecipe(set *shard.Set, digest string) error {
	if x := set.Index(); digest != "" && x.RecipeDigest != digest {
		return fmt.Errorf("%s was made with recipe %s (%s), the network was trained on %s: %w", set.Dir(), x.Recipe, x.RecipeDigest, digest, ErrMismatch)
	}
	return nil
}
