package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/shard"
	"github.com/vf2prep/vf2prep/train"
)

// Options say what to report.
type Options struct {
	Paths    []string // run directories and evaluation folders
	Out      string   // the HTML file; the JSON lies beside it
	Title    string   // "" is "Report"
	Compare  bool     // refuse results of one kind that answer different questions, of other protocols too
	Separate bool     // give each question a section instead of refusing
	Shards   string   // shard set with the faces of the hardest pairs; "": none
	Images   string   // folder with them; "": none
}

// Report is what report.json holds.
type Report struct {
	Format    string     `json:"format"` // "vf2prep.report/1"
	Title     string     `json:"title"`
	Runs      []Run      `json:"runs"`
	Questions []Question `json:"questions"`
	HTML      string     `json:"html,omitempty"` // where they were written; not in the file itself
	JSON      string     `json:"json,omitempty"`
}

// Run is a training.
type Run struct {
	Name    string            `json:"name"`
	Summary train.Summary     `json:"summary"`
	Weights string            `json:"weights"` // digest
	Inputs  train.Inputs      `json:"inputs"`
	Config  train.Config      `json:"config"`
	Epochs  []train.EpochLine `json:"epochs"`
}

// Question is results that may stand side by side.
type Question struct {
	Title    string   `json:"title"`
	Kind     string   `json:"kind"` // "identification", "verification", "attributes" or "other"
	Protocol string   `json:"protocol"`
	Results  []Result `json:"results"`
}

// Result is an evaluation.
type Result struct {
	System string          `json:"system"`
	Stale  bool            `json:"stale"` // made with other weights than the run keeps now
	Result json.RawMessage `json:"result"`
}

const reportFormat = "vf2prep.report/1"

// Write makes the page and the JSON beside it.
//
// Errors: wrapping [ErrProtocol] and naming the field where results would share a table that answer
// different questions; [ErrResult] and train.ErrRecord for damaged files; fs.ErrNotExist for a path that
// is neither a run nor an evaluation.
func Write(o Options) (*Report, error) {
	if o.Title == "" {
		o.Title = "Report"
	}
	runs, results, err := collect(o.Paths)
	if err != nil {
		return nil, err
	}
	if o.Compare {
		for _, r := range runs {
			if err := sameInputs(runs[0], r); err != nil {
				return nil, err
			}
		}
	}
	groups, err := grouped(results, o.Compare, o.Separate)
	if err != nil {
		return nil, err
	}
	var f *faces
	if o.Shards != "" || o.Images != "" {
		f = &faces{places: map[string]map[string]int{}}
		if o.Shards != "" {
			if f.set, err = shard.Open(o.Shards); err != nil {
				return nil, err
			}
			defer f.set.Close()
		}
		if o.Images != "" {
			if f.images, err = os.OpenRoot(o.Images); err != nil {
				return nil, err
			}
			defer f.images.Close()
		}
	}
	p, err := page(o.Title, runs, groups, results, f)
	if err != nil {
		return nil, err
	}
	out := &Report{Format: reportFormat, Title: o.Title, Runs: []Run{}, Questions: []Question{}}
	for _, r := range runs {
		s := r.summary
		s.Run = r.name
		out.Runs = append(out.Runs, Run{r.name, s, r.weights, r.record.Inputs, r.record.Config, r.history.Epochs})
	}
	for _, g := range groups {
		q := Question{Title: g.title, Kind: g.first().kind(), Protocol: g.first().protocol()}
		for _, r := range g.results {
			q.Results = append(q.Results, Result{r.name, r.stale(), compact(r.raw)})
		}
		out.Questions = append(out.Questions, q)
	}
	path := strings.TrimSuffix(o.Out, filepath.Ext(o.Out)) + ".json"
	if err := os.MkdirAll(filepath.Dir(o.Out), 0o755); err != nil {
		return nil, err
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		return e.Encode(out)
	})
	if err != nil {
		return nil, err
	}
	if err := eval.WriteReport(o.Out, p); err != nil {
		return nil, err
	}
	out.HTML, out.JSON = o.Out, path
	return out, nil
}

// sameInputs refuses to compare runs on other data.
func sameInputs(a, b *run) error {
	x, y := a.record.Inputs, b.record.Inputs
	for _, f := range []struct{ name, a, b string }{{"split", x.Split, y.Split}, {"shards", x.Shards, y.Shards}} {
		if f.a != f.b {
			return fmt.Errorf("%w: runs %s and %s differ in %s: %s and %s", ErrProtocol, a.name, b.name, f.name, f.a, f.b)
		}
	}
	return nil
}

// Print says for a terminal what was written.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "runs      %d\n", len(r.Runs))
	for _, q := range r.Questions {
		var names []string
		for _, x := range q.Results {
			name := x.System
			if x.Stale {
				name += " (of other weights than the run keeps now)"
			}
			names = append(names, name)
		}
		fmt.Fprintf(w, "section   %s: %s\n", q.Title, strings.Join(names, ", "))
	}
	fmt.Fprintf(w, "report    %s\n", r.HTML)
	fmt.Fprintf(w, "json      %s\n", r.JSON)
}
