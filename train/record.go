package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/loader"
	"github.com/vf2prep/vf2prep/shard"
)

// RecordName is the file that makes a directory a run.
const RecordName = "run.json"

const (
	recordFormat = "vf2prep.run/1"
	maxRecord    = 256 << 20 // bytes; a million class names fit
)

// ErrRecord says that a run directory's files are not what was written.
var ErrRecord = errors.New("damaged run")

// ErrOtherRun says that a run directory holds a run of another configuration or other data.
var ErrOtherRun = errors.New("holds another run")

// Record is what run.json holds: where a run's weights come from and how to feed them.
type Record struct {
	Format  string   `json:"format"`
	Command []string `json:"command"` // of the start; absolute paths inside are cut to their last name
	Config  Config   `json:"config"`
	Inputs  Inputs   `json:"inputs"`
	Input   Input    `json:"input"`

	Parameters  int `json:"parameters"`
	TrainImages int `json:"train_images"` // those with a label
	ValImages   int `json:"val_images"`   // those with a label

	Fresh   []string `json:"fresh,omitempty"` // parameters that the first weights' file had no values for
	Classes []string `json:"classes"`         // identity by output
}

// Inputs are the digests of what a run was made from.
type Inputs struct {
	Shards   string `json:"shards"`
	Recipe   string `json:"recipe"`
	Split    string `json:"split"`
	Manifest string `json:"manifest"`
	Init     string `json:"init,omitempty"` // the first weights' file
}

// Input says what the network takes: planes in the order of Order, x = byte/Divide - Subtract.
type Input struct {
	Recipe   string  `json:"recipe"` // the name of how the shards' pixels were made
	Stored   [3]int  `json:"stored"` // channels, rows and columns in the shards
	Channels int     `json:"channels"`
	Height   int     `json:"height"` // after a centre crop, where the augmentation crops
	Width    int     `json:"width"`
	Order    string  `json:"order"` // "rgb" or "bgr"
	Divide   float64 `json:"divide"`
	Subtract float64 `json:"subtract"`
}

// newRecord describes a run over a shard set with a network of shape c, h, w.
func newRecord(o *Options, x shard.Index, digest string, c, h, w int) *Record {
	return &Record{
		Format: recordFormat, Command: portable(o.Command), Config: o.Config,
		Inputs: Inputs{Shards: digest, Recipe: x.RecipeDigest, Split: x.Split, Manifest: x.Manifest},
		Input: Input{
			Recipe: x.Recipe, Stored: x.Shape, Channels: c, Height: h, Width: w, Order: x.Channels,
			Divide: 127.5, Subtract: 1, // what package loader does
		},
		Classes: x.Classes,
	}
}

// portable cuts absolute paths in a command to their last name: where a machine keeps its files
// is nobody's business who gets the run.
func portable(command []string) []string {
	out := slices.Clone(command)
	for i, a := range out {
		flag, path, joined := strings.Cut(a, "=")
		if !joined || !strings.HasPrefix(a, "-") {
			flag, path = "", a
		}
		if filepath.IsAbs(path) {
			path = filepath.Base(path)
			if flag != "" {
				path = flag + "=" + path
			}
			out[i] = path
		}
	}
	return out
}

func (r *Record) write(dir string) error {
	return atomicfile.Write(filepath.Join(dir, RecordName), func(w io.Writer) error {
		return writeJSON(w, r)
	})
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	return enc.Encode(v)
}

// ReadRecord reads a run's record. The error wraps fs.ErrNotExist where dir holds no run, and
// [ErrRecord] where what it holds is damaged.
func ReadRecord(dir string) (*Record, error) {
	r := &Record{}
	path := filepath.Join(dir, RecordName)
	if err := readJSON(path, maxRecord, r); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is no run directory: %w", dir, err)
		}
		return nil, err
	}
	if r.Format != recordFormat {
		return nil, fmt.Errorf("%s: format %q, want %q: %w", path, r.Format, recordFormat, ErrRecord)
	}
	if r.Config.Sampler == "" { // the only one that runs without this word could have
		r.Config.Sampler = string(loader.Shuffled)
	}
	in := r.Input
	if in.Channels < 1 || in.Channels > 64 || in.Height < 1 || in.Height > 1<<14 || in.Width < 1 || in.Width > 1<<14 || len(r.Classes) == 0 && r.Config.named() {
		return nil, fmt.Errorf("%s: input %dx%dx%d and %d classes: %w", path, in.Channels, in.Height, in.Width, len(r.Classes), ErrRecord)
	}
	return r, nil
}

// readJSON reads a file of at most limit bytes into v; what can't be understood is an ErrRecord.
func readJSON(path string, limit int64, v any) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > limit {
		return fmt.Errorf("%s: %d bytes, at most %d are read: %w", path, info.Size(), limit, ErrRecord)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w: %w", path, err, ErrRecord)
	}
	return nil
}

// differences lists the fields in which a run that is wanted differs from the one there is,
// sorted: "batch: 4 there, 8 wanted". More epochs are no difference, but to a cosine, which is
// stretched over all of them.
func (r *Record) differences(want *Record) []string {
	a := fields(map[string]any{"": r.Config, "digest of ": r.Inputs, "input ": r.Input})
	b := fields(map[string]any{"": want.Config, "digest of ": want.Inputs, "input ": want.Input})
	if want.Config.Epochs >= r.Config.Epochs && want.Config.Schedule != cosine {
		delete(a, "epochs")
		delete(b, "epochs")
	}
	var out []string
	for name, value := range a {
		if other, ok := b[name]; !ok {
			out = append(out, fmt.Sprintf("%s: %s there, none wanted", name, value))
		} else if other != value {
			out = append(out, fmt.Sprintf("%s: %s there, %s wanted", name, value, other))
		}
	}
	for name, value := range b {
		if _, ok := a[name]; !ok {
			out = append(out, fmt.Sprintf("%s: none there, %s wanted", name, value))
		}
	}
	slices.Sort(out)
	return out
}

// fields is the JSON of each field of some structs, by name; a struct's key goes before its names.
func fields(structs map[string]any) map[string]string {
	out := map[string]string{}
	for prefix, v := range structs {
		b, err := json.Marshal(v)
		if err != nil {
			panic("train: " + err.Error()) // plain numbers and text, checked to be finite
		}
		var values map[string]json.RawMessage
		if err := json.Unmarshal(b, &values); err != nil {
			panic("train: " + err.Error())
		}
		for name, value := range values {
			out[prefix+name] = string(value)
		}
	}
	return out
}
