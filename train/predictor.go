package train

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/nn"
)

// Predictor is the network of a run with its kept weights, ready for inference. It is not for
// use by two goroutines at once.
type Predictor struct {
	rec    *Record
	net    *nn.Network
	path   string
	digest string
	meta   map[string]string
}

// OpenRun loads a run's network with the weights of the smallest validation loss, or those of
// the newest checkpoint where nothing was validated. batch is the most images that [Predictor.Infer]
// takes at once; 0 takes what the run was trained with.
//
// The error wraps fs.ErrNotExist where dir holds no run or no weights yet, [ErrRecord] where
// run.json is damaged, safetensors.ErrFormat where the weights' file is, and nn.ErrMismatch where
// the weights are another network's or not finite; it names each misfit.
func OpenRun(dir string, batch int) (*Predictor, error) {
	rec, err := ReadRecord(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, BestName)
	if _, err := os.Stat(path); err != nil {
		all, newest, err := checkpoints(dir)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("%s: the run has no checkpoint yet: %w", dir, os.ErrNotExist)
		}
		var s state
		if err := readJSON(filepath.Join(newest.dir(dir), stateName), maxState, &s); err != nil {
			return nil, err
		}
		if s.best() != nil {
			return nil, fmt.Errorf("%s: the weights of the best epoch are gone: %w", path, os.ErrNotExist)
		}
		path = filepath.Join(newest.dir(dir), usableName(rec.Config))
	}
	if batch <= 0 {
		batch = rec.Config.Batch
	}
	cfg, err := rec.Config.network(rec.Input.Channels, rec.Input.Height, rec.Input.Width, len(rec.Classes), batch)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	net, err := nn.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	p := &Predictor{rec: rec, net: net, path: path}
	if err := p.load(); err != nil {
		net.Close()
		return nil, err
	}
	return p, nil
}

func (p *Predictor) load() (err error) {
	if p.meta, err = p.net.Load(p.path); err != nil {
		return err
	}
	if got, ok := p.meta["shards"]; ok && got != p.rec.Inputs.Shards {
		return fmt.Errorf("%s: weights of a run on shards %s, this one is on %s: %w", p.path, got, p.rec.Inputs.Shards, nn.ErrMismatch)
	}
	p.digest, err = digest.File(p.path)
	return err
}

// Infer runs n images, x in the layout N, C, H, W and scaled as package loader does. It returns
// logits [n*Classes] and embeddings [n*Width], valid until the next call.
func (p *Predictor) Infer(x []float32, n int) (logits, embedding []float32, err error) {
	out, err := p.net.Infer(x, n)
	return out.Logits, out.Embedding, err
}

// Classes returns the number of outputs.
func (p *Predictor) Classes() int { return len(p.rec.Classes) }

// ClassNames returns the identity of each output.
func (p *Predictor) ClassNames() []string { return p.rec.Classes }

// Width returns the number of values of an embedding.
func (p *Predictor) Width() int { return p.net.EmbeddingWidth() }

// Batch returns the most images that Infer takes at once.
func (p *Predictor) Batch() int { return p.net.Config().Batch }

// Shape returns the size of an image: channels, rows, columns.
func (p *Predictor) Shape() (c, h, w int) {
	return p.rec.Input.Channels, p.rec.Input.Height, p.rec.Input.Width
}

// Recipe returns the name of how the pixels of the training were made.
func (p *Predictor) Recipe() string { return p.rec.Input.Recipe }

// Augment returns the augmentation of the training, as augment.Parse reads it; its centre crop
// belongs to inference too.
func (p *Predictor) Augment() string { return p.rec.Config.Augment }

// Record returns what run.json holds.
func (p *Predictor) Record() *Record { return p.rec }

// Path returns the file of the weights.
func (p *Predictor) Path() string { return p.path }

// Digest returns the digest of the file of the weights.
func (p *Predictor) Digest() string { return p.digest }

// Meta returns what the file of the weights says of itself.
func (p *Predictor) Meta() map[string]string { return p.meta }

// Close frees the network.
func (p *Predictor) Close() { p.net.Close() }

// WriteONNX writes the network and its weights for other programs; its metadata says how an image
// becomes its input.
func (p *Predictor) WriteONNX(w io.Writer) error {
	in := p.rec.Input
	return p.net.WriteONNX(w, map[string]string{
		"arch": p.rec.Config.Arch, "recipe": in.Recipe, "shards": p.rec.Inputs.Shards, "weights": p.digest,
		"input": fmt.Sprintf("planes in %s order, x = byte / %g - %g", in.Order, in.Divide, in.Subtract),
	})
}
