package train

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"path/filepath"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/chart"
)

// The two forms of the picture of a run.
const (
	CurvesPNG = "curves.png"
	CurvesSVG = "curves.svg"
)

// The size of one of the picture's panels, in pixels.
const (
	panelWidth  = 640
	panelHeight = 400
)

// drawCurves writes loss above what the heads get right, all by epoch, above the learning rate by step:
// the accuracy of names where the run learns names, of genders and the error of ages where it learns those.
func drawCurves(run string, history []point, named bool) error {
	if len(history) == 0 {
		return nil
	}
	get := func(value func(point) (float64, bool)) (x, y []float64) {
		for _, p := range history {
			if v, ok := value(p); ok {
				x, y = append(x, float64(p.Epoch)), append(y, v)
			}
		}
		return x, y
	}
	series := func(train, val func(point) (float64, bool), valName string) []chart.Series {
		x, y := get(train)
		out := []chart.Series{{Name: "train", X: x, Y: y}}
		if x, y := get(val); len(x) > 0 {
			out = append(out, chart.Series{Name: valName, X: x, Y: y})
		}
		return out
	}
	ofVal := func(f func(*validation) float64) func(point) (float64, bool) {
		return func(p point) (float64, bool) {
			if p.Val == nil {
				return 0, false
			}
			return f(p.Val), true
		}
	}
	loss, err := chart.Lines(chart.Axes{Title: "Loss", X: "epoch", Y: "cross-entropy, nats"},
		series(func(p point) (float64, bool) { return p.TrainLoss, true },
			ofVal(func(v *validation) float64 { return v.Loss }), "validation")...)
	if err != nil {
		return err
	}
	panels := []*chart.Chart{loss}
	add := func(axes chart.Axes, lines ...chart.Series) error {
		c, err := chart.Lines(axes, lines...)
		panels = append(panels, c)
		return err
	}
	top := series(func(p point) (float64, bool) { return p.TrainAccuracy, true },
		ofVal(func(v *validation) float64 { return v.Top1 }), "validation")
	if x, y := get(ofVal(func(v *validation) float64 { return v.Top5 })); len(x) > 0 {
		top = append(top, chart.Series{Name: "validation, top 5", X: x, Y: y, Dashed: true})
	}
	if named {
		if err := add(chart.Axes{Title: "Accuracy", X: "epoch", Y: "share of images", YMax: 1}, top...); err != nil {
			return err
		}
	}
	known := func(f func(*validation) *float64) func(point) (float64, bool) {
		return func(p point) (float64, bool) {
			if p.Val == nil || f(p.Val) == nil {
				return 0, false
			}
			return *f(p.Val), true
		}
	}
	for _, head := range []struct {
		axes  chart.Axes
		value func(*validation) *float64
	}{
		{chart.Axes{Title: "Gender", X: "epoch", Y: "share of images", YMax: 1}, func(v *validation) *float64 { return v.Gender }},
		{chart.Axes{Title: "Age", X: "epoch", Y: "mean error, years"}, func(v *validation) *float64 { return v.Age }},
	} {
		if x, y := get(known(head.value)); len(x) > 0 {
			if err := add(head.axes, chart.Series{Name: "validation", X: x, Y: y}); err != nil {
				return err
			}
		}
	}
	steps, rates, err := readRates(run)
	if err != nil {
		return err
	}
	if len(steps) > 0 {
		rate, err := chart.Lines(chart.Axes{Title: "Learning rate", X: "step", Y: "learning rate"}, chart.Series{X: steps, Y: rates})
		if err != nil {
			return err
		}
		panels = append(panels, rate)
	}
	if err := atomicfile.Write(filepath.Join(run, CurvesPNG), func(w io.Writer) error { return stackPNG(w, panels) }); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(run, CurvesSVG), func(w io.Writer) error { return stackSVG(w, panels) })
}

func stackPNG(w io.Writer, panels []*chart.Chart) error {
	all := image.NewRGBA(image.Rect(0, 0, panelWidth, panelHeight*len(panels)))
	for i, p := range panels {
		var b bytes.Buffer
		if err := p.Write(&b, "png", panelWidth, panelHeight); err != nil {
			return err
		}
		img, err := png.Decode(&b)
		if err != nil {
			return err
		}
		at := image.Rect(0, i*panelHeight, panelWidth, (i+1)*panelHeight)
		draw.Draw(all, at, img, img.Bounds().Min, draw.Src)
	}
	return png.Encode(w, all)
}

// stackSVG nests the panels: an svg element inside another is placed by its y.
func stackSVG(w io.Writer, panels []*chart.Chart) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d">`+"\n", panelWidth, panelHeight*len(panels))
	for i, p := range panels {
		var one strings.Builder
		if err := p.Write(&one, "svg", panelWidth, panelHeight); err != nil {
			return err
		}
		b.WriteString(strings.Replace(one.String(), "<svg ", fmt.Sprintf(`<svg y="%d" `, i*panelHeight), 1))
	}
	b.WriteString("</svg>\n")
	_, err := w.Write(b.Bytes())
	return err
}
