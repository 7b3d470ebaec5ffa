package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/eval"
)

// page lays out the whole report.
func page(title string, runs []*run, groups []*group, results []*result, f *faces) (eval.Report, error) {
	r := eval.Report{Title: title, Contents: true,
		Numbers: []eval.Fact{{Name: "training runs", Value: strconv.Itoa(len(runs))}, {Name: "evaluations", Value: strconv.Itoa(len(results))}, {Name: "questions", Value: strconv.Itoa(len(groups))}},
		Lead: fmt.Sprintf("%s and %s. Results share a table or a picture only where they answer the same question; below each number stands what it leaves out.",
			plural(len(runs), "training run"), plural(len(results), "evaluation"))}
	for i, same := range sameData(runs) {
		s, err := trainingSection(same)
		if err != nil {
			return r, err
		}
		if i > 0 {
			s.Title += ", other data"
			s.Text += "\n\nThese runs were trained and validated on other images than those above; their numbers can't be held against each other."
		}
		r.Sections = append(r.Sections, s)
	}
	for _, g := range groups {
		s := eval.Section{Title: g.title, Text: g.story(), Tables: []eval.Table{g.table()}}
		var err error
		if s.Pictures, err = g.pictures(); err != nil {
			return r, err
		}
		if g.first().kind() == attributes {
			for _, x := range g.results {
				t, err := x.decades()
				if err != nil {
					return r, err
				}
				s.Tables = append(s.Tables, t)
			}
		}
		r.Sections = append(r.Sections, s)
		if f != nil && g.first().kind() == verification {
			hard, err := f.show(g)
			if err != nil {
				return r, err
			}
			if hard != nil {
				r.Sections = append(r.Sections, *hard)
			}
		}
	}
	if len(results) > 0 {
		t, apart := beside(results)
		s := eval.Section{Title: "Published figures", Tables: []eval.Table{t}}
		if len(t.Rows) == 0 {
			s.Text = "No result here follows a published protocol completely, so no published figure is shown."
		}
		if len(apart) > 0 {
			s.Text += "\n\nNot comparable with anything here:\n\n" + strings.Join(apart, "\n\n")
		}
		r.Sections = append(r.Sections, s)
	}
	if len(runs) > 0 {
		r.Sections = append(r.Sections, settingsSection(runs))
	}
	r.Sections = append(r.Sections, provenance(runs, results))
	return r, nil
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}

// sameData parts runs by the images that they saw.
func sameData(runs []*run) (out [][]*run) {
next:
	for _, r := range runs {
		for i := range out {
			if out[i][0].same(r) {
				out[i] = append(out[i], r)
				continue next
			}
		}
		out = append(out, []*run{r})
	}
	return out
}

func trainingSection(runs []*run) (eval.Section, error) {
	s := eval.Section{Title: "Training"}
	heads := false
	t := eval.Table{Title: "Runs", Head: []string{"run"}, Wide: true}
	for _, r := range runs {
		t.Head = append(t.Head, r.name)
		heads = heads || r.record.Config.Heads != runs[0].record.Config.Heads
	}
	row := func(name string, cell func(r *run) string) {
		out, some := []string{name}, false
		for _, r := range runs {
			c := cell(r)
			some = some || c != ""
			if c == "" {
				c = none
			}
			out = append(out, c)
		}
		if some {
			t.Rows = append(t.Rows, out)
		}
	}
	number := func(v *float64, format string, factor float64) string {
		if v == nil {
			return ""
		}
		return fmt.Sprintf(format, factor**v)
	}
	row("network", func(r *run) string { return r.record.Config.Arch })
	row("heads", func(r *run) string { return strings.ReplaceAll(r.record.Config.Heads, ",", ", ") })
	row("parameters", func(r *run) string { return strconv.Itoa(r.record.Parameters) })
	row("state", func(r *run) string { return r.summary.State })
	row("epochs", func(r *run) string { return strconv.Itoa(r.summary.Epochs) })
	row("best epoch", func(r *run) string {
		if r.summary.BestEpoch == nil {
			return ""
		}
		return strconv.Itoa(*r.summary.BestEpoch)
	})
	row("validation loss", func(r *run) string { return number(r.summary.ValLoss, "%.4f", 1) })
	row("validation top-1", func(r *run) string { return number(r.summary.ValTop1, "%.2f %%", 100) })
	row("validation top-5", func(r *run) string { return number(r.summary.ValTop5, "%.2f %%", 100) })
	row("validation gender", func(r *run) string { return number(r.summary.ValGender, "%.2f %%", 100) })
	row("validation age error, years", func(r *run) string { return number(r.summary.ValAge, "%.2f", 1) })
	row("training images", func(r *run) string { return strconv.Itoa(r.record.TrainImages) })
	row("validation images", func(r *run) string { return strconv.Itoa(r.record.ValImages) })
	row("identities", func(r *run) string { return strconv.Itoa(len(r.record.Classes)) })
	row("images a second", func(r *run) string { return fmt.Sprintf("%.0f", r.summary.ImagesPerSec) })
	row("seconds", func(r *run) string { return fmt.Sprintf("%.0f", r.summary.Seconds) })
	s.Tables = append(s.Tables, t)
	if heads {
		s.Text = "A loss is the sum over a run's heads. The heads differ, so the losses can't be held against each other."
	}
	var err error
	s.Pictures, err = training(runs)
	return s, err
}

// story says what a question's numbers mean.
func (g *group) story() string {
	switch g.first().kind() {
	case identification:
		return "Is the right identity, of those that the network was trained on, the one with the highest score? The intervals take images as independent, so they are a little too narrow."
	case verification:
		return "Do two images show one person? A pair is accepted when its distance is at most a threshold. FAR is the share of pairs of two persons that are accepted, TAR that of pairs of one."
	case search:
		return "Who of a gallery is it? Rank k is the share of images whose own person is among the k most similar; TPIR is rank 1 above a threshold, FPIR the share of strangers for whom the same threshold finds somebody."
	case attributes:
		over := g.first().text("interval_over")
		return "How far from the label is the estimated age, and how often is the gender right? The intervals are those of drawing " + over + " anew."
	}
	return ""
}

// decades are the errors of age by group.
func (r *result) decades() (eval.Table, error) {
	t := eval.Table{Title: "Error of age by group: " + r.name, Head: []string{"label", "images", "MAE, years", "bias, years", "CS(5)"}}
	err := readTable(filepath.Join(r.dir, "age_groups.csv"), func(head, row []string) error {
		if len(row) != 6 {
			return fmt.Errorf("%d columns, want 6", len(row))
		}
		out := append([]string(nil), row...)
		for i, f := range []string{"", "", "", "%.2f", "%.2f", "%.2f %%"} {
			if f == "" {
				continue
			}
			v, err := strconv.ParseFloat(row[i], 64)
			if err != nil {
				return fmt.Errorf("%q is not a number", row[i])
			}
			if i == 5 {
				v *= 100
			}
			out[i] = fmt.Sprintf(f, v)
		}
		if row[0] == "decade" {
			out[1] += " years"
		} else if name := map[string]string{"m": "male", "f": "female"}[row[1]]; name != "" {
			out[1] = name
		}
		t.Rows = append(t.Rows, out[1:])
		return nil
	})
	return t, err
}

// settingsSection lists every setting; those that differ come first.
func settingsSection(runs []*run) eval.Section {
	names := map[string]bool{}
	var all []map[string]string
	for _, r := range runs {
		m := r.settings()
		all = append(all, m)
		for name := range m {
			names[name] = true
		}
	}
	differ := eval.Table{Title: "Settings that differ", Head: []string{"setting"}, Wide: true}
	same := eval.Table{Title: "Settings in common", Head: []string{"setting", "all"}, Wide: true}
	if len(runs) == 1 {
		same.Title, same.Head[1] = "Settings", runs[0].name
	}
	for _, r := range runs {
		differ.Head = append(differ.Head, r.name)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		row := []string{strings.ReplaceAll(name, "_", " ")}
		equal := true
		for _, m := range all {
			v := m[name]
			if v == "" {
				v = none
			}
			equal = equal && m[name] == all[0][name]
			row = append(row, v)
		}
		if equal {
			same.Rows = append(same.Rows, row[:2])
		} else {
			differ.Rows = append(differ.Rows, row)
		}
	}
	return eval.Section{Title: "Settings", Tables: []eval.Table{differ, same}}
}

// provenance traces runs and results back to bytes.
func provenance(runs []*run, results []*result) eval.Section {
	s := eval.Section{Title: "Made from", Text: "Digests name the bytes of each step; each was made from the one below it."}
	for _, r := range runs {
		in := r.record.Inputs
		t := eval.Table{Title: "Run " + r.name, Head: []string{"step", "digest"}, Wide: true}
		for _, f := range []eval.Fact{{Name: "weights", Value: r.weights}, {Name: "first weights", Value: in.Init}, {Name: "shards", Value: in.Shards},
			{Name: "recipe " + r.record.Input.Recipe, Value: in.Recipe}, {Name: "split", Value: in.Split}, {Name: "manifest", Value: in.Manifest}} {
			if f.Value != "" {
				t.Rows = append(t.Rows, []string{f.Name, f.Value})
			}
		}
		t.Rows = append(t.Rows, []string{"command", strings.Join(r.record.Command, " ")})
		s.Tables = append(s.Tables, t)
	}
	for _, r := range results {
		t := eval.Table{Title: titleOf(r) + ": " + r.name, Head: []string{"input", "digest"}, Wide: true}
		of := map[string]string{}
		if r.run != nil {
			in := r.run.record.Inputs
			of = map[string]string{"weights": r.run.weights, "shards": in.Shards, "recipe_digest": in.Recipe, "split": in.Split, "manifest": in.Manifest}
			t.Rows = append(t.Rows, []string{"run", r.run.name + "; what is not listed is the run's own"})
		}
		for _, name := range []string{"weights", "predictions", "embeddings", "shards", "recipe_digest", "split", "manifest", "pairs", "protocol_files", "label_digest"} {
			if v := r.text(name); v != "" && v != of[name] {
				t.Rows = append(t.Rows, []string{strings.TrimSuffix(strings.ReplaceAll(name, "_", " "), " digest"), v})
			}
		}
		s.Tables = append(s.Tables, t)
		if r.stale() {
			s.Text += fmt.Sprintf("\n\n%s of %s was made with other weights than the run keeps now; run it again.", titleOf(r), r.name)
		}
	}
	return s
}

// stale says that a result's weights are not those that its run keeps.
func (r *result) stale() bool {
	w := r.text("weights")
	return r.run != nil && w != "" && r.run.weights != "" && w != r.run.weights
}

// compact writes JSON on one line.
func compact(raw json.RawMessage) json.RawMessage {
	var v any
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return raw
	}
	b, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return b
}
