package train

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/chart"
)

// labels are short names of the runs: the last part of their path where these differ.
func (c *Comparison) labels() []string {
	var short, long []string
	for _, r := range c.Runs {
		base := filepath.Base(r.Run)
		if slices.Contains(short, base) {
			short = nil
			break
		}
		short = append(short, base)
	}
	for _, r := range c.Runs {
		long = append(long, r.Run)
	}
	if short == nil {
		return long
	}
	return short
}

// WriteText writes a table with a column a run: first the settings that differ, then the outcome.
func (c *Comparison) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, cells []string) { fmt.Fprintln(t, name+"\t"+strings.Join(cells, "\t")) }
	each := func(name string, cell func(Summary) string) {
		var cells []string
		some := false
		for _, r := range c.Runs {
			cells = append(cells, cell(r))
			some = some || cells[len(cells)-1] != "-"
		}
		if some { // no row for a head that none of them has
			row(name, cells)
		}
	}
	row("run", c.labels())
	if !c.Comparable {
		each("data", func(r Summary) string {
			if r.Data == "" {
				return "as the first"
			}
			return strings.ToUpper(r.Data)
		})
	}
	heads := false
	for _, d := range c.Differing {
		var cells []string
		for _, v := range d.Values {
			text := strings.Trim(string(v), `"`)
			if text == "null" || text == "" {
				text = "-"
			}
			cells = append(cells, text)
		}
		row(d.Name, cells)
		heads = heads || d.Name == "heads"
	}
	optional := func(format string, factor float64, value func(Summary) *float64) func(Summary) string {
		return func(r Summary) string {
			if v := value(r); v != nil {
				return fmt.Sprintf(format, factor**v)
			}
			return "-"
		}
	}
	each("state", func(r Summary) string { return r.State })
	each("images/s", func(r Summary) string { return fmt.Sprintf("%.0f", r.ImagesPerSec) })
	each("epochs done", func(r Summary) string { return fmt.Sprint(r.Epochs) })
	each("best epoch", func(r Summary) string {
		if r.BestEpoch == nil {
			return "-"
		}
		return fmt.Sprint(*r.BestEpoch)
	})
	each("val loss", optional("%.4f", 1, func(r Summary) *float64 { return r.ValLoss }))
	each("val top-1", optional("%.1f %%", 100, func(r Summary) *float64 { return r.ValTop1 }))
	each("val top-5", optional("%.1f %%", 100, func(r Summary) *float64 { return r.ValTop5 }))
	each("val gender", optional("%.1f %%", 100, func(r Summary) *float64 { return r.ValGender }))
	each("val age error", optional("%.2f years", 1, func(r Summary) *float64 { return r.ValAge }))
	each("seconds", func(r Summary) string { return fmt.Sprintf("%.0f", r.Seconds) })
	if err := t.Flush(); err != nil {
		return err
	}
	if !c.Comparable {
		fmt.Fprintln(w, "\nNot comparable: runs on other shards or another split than the first were validated on other images.")
	}
	if heads {
		fmt.Fprintln(w, "\nThe losses are not comparable: a loss is the sum over a run's heads, and the heads differ.")
	}
	return nil
}

// WritePNG draws validation loss above top-1, by epoch, a line a run; runs on other data than the
// first are dashed. It fails where no run was validated.
func (c *Comparison) WritePNG(path string) error {
	labels := c.labels()
	var loss, top1 []chart.Series
	for i, r := range c.Runs {
		l := chart.Series{Name: labels[i], Dashed: r.Data != ""}
		if r.Data != "" {
			l.Name += " (" + r.Data + ")"
		}
		t := l
		for _, p := range r.history {
			if p.Val == nil {
				continue
			}
			l.X, l.Y = append(l.X, float64(p.Epoch)), append(l.Y, p.Val.Loss)
			if r.names {
				t.X, t.Y = append(t.X, float64(p.Epoch)), append(t.Y, p.Val.Top1)
			}
		}
		loss, top1 = append(loss, l), append(top1, t)
	}
	empty := func(s chart.Series) bool { return len(s.X) == 0 }
	if !slices.ContainsFunc(loss, func(s chart.Series) bool { return !empty(s) }) {
		return fmt.Errorf("%s: nothing to draw: none of the runs was validated yet", path)
	}
	upper, err := chart.Lines(chart.Axes{Title: "Validation loss", X: "epoch", Y: "loss, nats"}, loss...)
	if err != nil {
		return err
	}
	panels := []*chart.Chart{upper}
	if slices.ContainsFunc(top1, func(s chart.Series) bool { return !empty(s) }) {
		lower, err := chart.Lines(chart.Axes{Title: "Validation top-1", X: "epoch", Y: "share of images", YMax: 1}, top1...)
		if err != nil {
			return err
		}
		panels = append(panels, lower)
	}
	return atomicfile.Write(path, func(w io.Writer) error { return stackPNG(w, panels) })
}
