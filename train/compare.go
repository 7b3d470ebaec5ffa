package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/vf2prep/vf2prep/nn"
)

// Comparison sets runs side by side.
type Comparison struct {
	Runs      []Summary    `json:"runs"`
	Differing []Difference `json:"differing"` // by name
	// Comparable says that all runs were trained and validated on the same shards.
	Comparable bool `json:"comparable"`
}

// Summary is what a run came to. The numbers after BestEpoch are those of its kept weights, and
// nil where nothing was validated or no head gives them.
type Summary struct {
	Run          string   `json:"run"`
	State        string   `json:"state"`          // "finished", "unfinished", or why it ended early: "patience", "max-steps"
	Data         string   `json:"data,omitempty"` // beside the first run's: "", "other shards" or "other split"
	ImagesPerSec float64  `json:"images_per_second"`
	Epochs       int      `json:"epochs"` // finished
	BestEpoch    *int     `json:"best_epoch"`
	ValLoss      *float64 `json:"val_loss"`
	ValTop1      *float64 `json:"val_top1"`
	ValTop5      *float64 `json:"val_top5"`
	ValGender    *float64 `json:"val_gender"`  // share of genders that are right
	ValAge       *float64 `json:"val_age_mae"` // mean absolute error, years
	Seconds      float64  `json:"seconds"`     // validation and checkpoints included

	names   bool // has a head that names identities
	history []point
}

// Difference is a setting in which not all runs agree: a value for each, null where a run has none.
type Difference struct {
	Name   string            `json:"name"`
	Values []json.RawMessage `json:"values"`
}

// The words of [Summary.State] and [Summary.Data].
const (
	finished    = "finished"
	unfinished  = "unfinished"
	otherShards = "other shards"
	otherSplit  = "other split"
)

// Compare reads some run directories, of finished runs and of those still at work. The error wraps
// fs.ErrNotExist where one is no run, and [ErrRecord] where one is damaged.
func Compare(dirs ...string) (*Comparison, error) {
	c := &Comparison{Comparable: true}
	var records []*Record
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err == nil && !info.IsDir() {
			return nil, fmt.Errorf("%s is no run directory but a file: %w", dir, fs.ErrNotExist)
		}
		rec, err := ReadRecord(dir)
		if err != nil {
			return nil, err
		}
		s, err := newestState(dir)
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
		c.Runs = append(c.Runs, summarize(dir, rec, s))
	}
	for i, rec := range records {
		switch a, b := records[0].Inputs, rec.Inputs; {
		case a.Split != b.Split:
			c.Runs[i].Data = otherSplit
		case a.Shards != b.Shards:
			c.Runs[i].Data = otherShards
		}
		c.Comparable = c.Comparable && c.Runs[i].Data == ""
	}
	c.Differing = differing(records)
	return c, nil
}

// newestState reads where a run stands; a run without a checkpoint stands at its beginning.
func newestState(run string) (*state, error) {
	for attempt := 1; ; attempt++ {
		all, at, err := checkpoints(run)
		s := &state{}
		if err != nil || len(all) == 0 {
			return s, err
		}
		err = readJSON(filepath.Join(at.dir(run), stateName), maxState, s)
		if errors.Is(err, fs.ErrNotExist) && attempt < 3 {
			continue // a training at work has put a newer one in its place
		}
		return s, missing(err)
	}
}

func summarize(dir string, rec *Record, s *state) Summary {
	r := newResult(&Options{Out: dir, Config: rec.Config}, rec, s)
	out := Summary{
		Run: dir, State: unfinished, ImagesPerSec: r.ImagesPerSec, Epochs: r.Epochs, BestEpoch: r.BestEpoch,
		ValLoss: r.ValLoss, ValGender: r.ValGender, ValAge: r.ValAge, Seconds: r.Seconds,
		names: hasIdentity(rec.Config), history: s.History,
	}
	if s.finished(rec.Config) {
		out.State = finished
	}
	if s.Stopped != "" {
		out.State = s.Stopped
	}
	if out.names {
		out.ValTop1, out.ValTop5 = r.ValTop1, r.ValTop5
	}
	return out
}

// hasIdentity reports whether a configuration has a head that names identities.
func hasIdentity(c Config) bool {
	heads, err := nn.ParseHeads(c.Heads)
	return err == nil && slices.ContainsFunc(heads, func(h nn.Head) bool { return h.Kind == nn.Identity })
}

// differing lists the settings in which runs differ, and the digest of their first weights.
func differing(records []*Record) []Difference {
	var all []map[string]string
	names := map[string]bool{}
	for _, r := range records {
		f := fields(map[string]any{"": r.Config, "input ": r.Input, "digest of ": Inputs{Init: r.Inputs.Init}})
		for _, digest := range []string{"shards", "recipe", "split", "manifest"} {
			delete(f, "digest of "+digest) // what Summary.Data is for
		}
		for name := range f {
			names[name] = true
		}
		all = append(all, f)
	}
	out := []Difference{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d := Difference{Name: name}
		same := true
		for _, f := range all {
			value, ok := f[name]
			if !ok {
				value = "null"
			}
			same = same && (len(d.Values) == 0 || value == string(d.Values[0]))
			d.Values = append(d.Values, json.RawMessage(value))
		}
		if !same {
			out = append(out, d)
		}
	}
	return out
}
