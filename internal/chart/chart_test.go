package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var nan, inf = math.NaN(), math.Inf(1)

// pictures are one of each kind and of each corner case that must still give a picture.
func pictures(t *testing.T) map[string]*Chart {
	t.Helper()
	pics := map[string]*Chart{}
	add := func(name string, c *Chart, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		pics[name] = c
	}
	var epochs, train, val []float64
	for i := range 9 {
		epochs = append(epochs, float64(i+1))
		train = append(train, 3.9*math.Exp(-float64(i)/3)+0.1)
		val = append(val, 3.9*math.Exp(-float64(i)/4)+0.6)
	}
	c, err := Lines(Axes{Title: "Loss", X: "epoch", Y: "cross-entropy"},
		Series{Name: "train", X: epochs, Y: train}, Series{Name: "validation", X: epochs, Y: val, Dashed: true})
	add("lines", c, err)
	var far, tar []float64
	for i := 0; i <= 100000; i++ {
		f := math.Pow(10, -5+5*float64(i)/100000)
		far, tar = append(far, f), append(tar, 1-0.5*math.Pow(1-math.Pow(f, 0.3), 2))
	}
	c, err = Lines(Axes{Title: "ROC, false accept rate on a logarithmic axis", X: "false accept rate", Y: "true accept rate", LogX: true, XMin: 1e-5, XMax: 1, YMin: 0, YMax: 1},
		Series{Name: "all pairs", X: far, Y: tar})
	add("roc", c, err)
	c, err = Lines(Axes{Title: "One point"}, Series{Name: "a", X: []float64{3}, Y: []float64{0}})
	add("point", c, err)
	c, err = Lines(Axes{LogX: true}, Series{X: []float64{1e-3}, Y: []float64{-2}})
	add("logpoint", c, err)
	c, err = Bars(Axes{Title: "Images per identity", Y: "images"}, []string{"n000001", "n000002", "n000003"}, []float64{424, 12, 87})
	add("bars", c, err)
	var labels []string
	var values []float64
	for i := range 200 {
		labels, values = append(labels, "identity "+string(rune('A'+i%26))), append(values, float64(i%17)-3)
	}
	c, err = Bars(Axes{Title: "Many bars & <signs>"}, labels, values)
	add("manybars", c, err)
	var genuine, impostor []float64
	for i := range 400 {
		genuine = append(genuine, 0.7+0.2*math.Sin(float64(i)*1.7))
		impostor = append(impostor, 1.6+0.3*math.Sin(float64(i)*2.3))
	}
	c, err = Histogram(Axes{Title: "Distances", X: "squared Euclidean distance"}, 40, Series{Name: "genuine", Y: genuine}, Series{Name: "impostor", Y: impostor})
	add("histogram", c, err)
	c, err = Histogram(Axes{Title: "One value", LogX: true}, 10, Series{Y: []float64{5}})
	add("onevalue", c, err)
	c, err = Matrix(Axes{Title: "Confusions", X: "taken for"}, []string{"a", "b"}, []string{"a", "b", "others"}, [][]int{{3, 1, 0}, {12, 0, 400}})
	add("matrix", c, err)
	c, err = Matrix(Axes{}, []string{"a"}, []string{"a"}, [][]int{{7}})
	add("onecell", c, err)
	return pics
}

func TestSameInputSameBytes(t *testing.T) {
	first, second := pictures(t), pictures(t)
	dir := os.Getenv("VF2PREP_CHARTS") // a folder to look at the pictures in
	for name := range first {
		for _, format := range []string{"png", "svg"} {
			var a, b bytes.Buffer
			for chart, w := range map[*Chart]io.Writer{first[name]: &a, second[name]: &b} {
				if err := chart.Write(w, format, 640, 400); err != nil {
					t.Fatalf("%s.%s: %v", name, format, err)
				}
			}
			if !bytes.Equal(a.Bytes(), b.Bytes()) {
				t.Errorf("%s.%s: two drawings differ", name, format)
			}
			if limit := 200 << 10; a.Len() > limit {
				t.Errorf("%s.%s has %d bytes, want at most %d", name, format, a.Len(), limit)
			}
			if dir != "" {
				if err := os.WriteFile(filepath.Join(dir, name+"."+format), a.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if format == "svg" {
				wellFormed(t, name, a.Bytes())
				continue
			}
			img, err := png.Decode(&a)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got, want := img.Bounds(), image.Rect(0, 0, 640, 400); got != want {
				t.Errorf("%s: picture is %v, want %v", name, got, want)
			}
			if n := coloured(img); n < 8 {
				t.Errorf("%s: %d pixels have a colour of the data, want some", name, n)
			}
		}
	}
}

func wellFormed(t *testing.T, name string, b []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%s.svg: %v", name, err)
		}
	}
	if s := string(b); !strings.HasPrefix(s, "<svg ") || !strings.Contains(s, "Arial") {
		t.Errorf("%s.svg starts %.40q, want <svg and a font to fall back on", name, s)
	}
}

// coloured counts pixels that are neither grey nor white: those of the data.
func coloured(img image.Image) int {
	n := 0
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			r, g, b, _ := img.At(x, y).RGBA()
			if max(r, g, b)-min(r, g, b) > 0x2000 {
				n++
			}
		}
	}
	return n
}

func TestWhatCannotBeDrawnIsAnError(t *testing.T) {
	lines := func(a Axes, s ...Series) error {
		c, err := Lines(a, s...)
		if err != nil {
			return err
		}
		return c.Write(io.Discard, "png", 100, 100)
	}
	bar := func(l []string, v []float64) error { _, err := Bars(Axes{}, l, v); return err }
	hist := func(a Axes, s ...Series) error { _, err := Histogram(a, 4, s...); return err }
	matrix := func(rows, columns []string, n ...[]int) error { _, err := Matrix(Axes{}, rows, columns, n); return err }
	one, a := []float64{1}, []string{"a"}
	for name, err := range map[string]error{
		"no series":       lines(Axes{}),
		"empty series":    lines(Axes{}, Series{Name: "a"}),
		"NaN":             lines(Axes{}, Series{Name: "loss", X: one, Y: []float64{nan}}),
		"infinite X":      lines(Axes{}, Series{Name: "loss", X: []float64{inf}, Y: one}),
		"lengths":         lines(Axes{}, Series{X: one, Y: []float64{1, 2}}),
		"log of zero":     lines(Axes{LogX: true}, Series{X: []float64{0}, Y: one}),
		"log axis at 0":   lines(Axes{LogX: true, XMax: 1}, Series{X: one, Y: one}),
		"axis backwards":  lines(Axes{XMin: 2, XMax: 1}, Series{X: one, Y: one}),
		"axis of NaN":     lines(Axes{YMin: nan, YMax: 1}, Series{X: one, Y: one}),
		"bars: none":      bar(nil, nil),
		"bars: labels":    bar([]string{"a"}, []float64{1, 2}),
		"bars: NaN":       bar([]string{"a"}, []float64{nan}),
		"hist: none":      hist(Axes{}),
		"hist: empty":     hist(Axes{}, Series{}),
		"hist: NaN":       hist(Axes{}, Series{Y: []float64{nan}}),
		"hist: log of -1": hist(Axes{LogX: true}, Series{Y: []float64{-1}}),
		"hist: weights":   hist(Axes{}, Series{Y: one, Weight: []float64{1, 2}}),
		"matrix: none":    matrix(nil, a),
		"matrix: rows":    matrix(a, a),
		"matrix: columns": matrix(a, a, []int{1, 2}),
		"matrix: -1":      matrix(a, a, []int{-1}),
		"hist: weight -1": hist(Axes{}, Series{Y: one, Weight: []float64{-1}}),
	} {
		if !errors.Is(err, ErrData) {
			t.Errorf("%s: error %v, want ErrData", name, err)
		}
	}
	if err := lines(Axes{}, Series{Name: "loss", X: []float64{1, 2}, Y: []float64{1, nan}}); !strings.Contains(err.Error(), `"loss": Y[1] is NaN`) {
		t.Errorf("error %q does not name the series and the place", err)
	}
	c, err := Lines(Axes{}, Series{X: one, Y: one})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(io.Discard, "gif", 100, 100); err == nil {
		t.Error("format gif gives no error")
	}
	if err := c.Write(io.Discard, "png", 100, 1<<20); err == nil {
		t.Error("a side of 1048576 pixels gives no error")
	}
}

// The columns' extremes are what a picture shows; thin must keep them all.
func TestThinKeepsWhatCanBeSeen(t *testing.T) {
	const n = 50000
	x, y := make([]float64, n), make([]float64, n)
	for i := range x {
		x[i] = float64(i) / (n - 1)
		y[i] = math.Sin(float64(i*i%9973)) + x[i]
	}
	extremes := func(xs, ys []float64) (lo, hi map[int]float64) {
		lo, hi = map[int]float64{}, map[int]float64{}
		for i := range xs {
			c := int(xs[i] * columns)
			if v, ok := lo[c]; !ok || ys[i] < v {
				lo[c] = ys[i]
			}
			if v, ok := hi[c]; !ok || ys[i] > v {
				hi[c] = ys[i]
			}
		}
		return lo, hi
	}
	pts := thin(x, y, false)
	if len(pts) > 4*(columns+1) {
		t.Errorf("%d points are left, want at most %d", len(pts), 4*(columns+1))
	}
	var tx, ty []float64
	for _, p := range pts {
		tx, ty = append(tx, p.X), append(ty, p.Y)
	}
	lo, hi := extremes(x, y)
	tlo, thi := extremes(tx, ty)
	for c := range lo {
		if lo[c] != tlo[c] || hi[c] != thi[c] {
			t.Fatalf("column %d spans %v..%v, want %v..%v", c, tlo[c], thi[c], lo[c], hi[c])
		}
	}
}

func TestHistogramCountsEveryValueOnce(t *testing.T) {
	h := histogram{lo: 0, hi: 4}
	h.add(0, Series{Y: []float64{0, 0.5, 1, 1, 3.999, 4}}, 4, false)
	h.add(1, Series{Y: []float64{0, 2, 9}, Weight: []float64{1, 2, 1}}, 4, true)
	for i, want := range [][]float64{{2, 2, 0, 2}, {25, 0, 50, 0}} {
		for j, w := range want {
			if got := h.groups[i].heights[j]; got != w {
				t.Errorf("series %d, bin %d = %v, want %v", i, j, got, w)
			}
		}
	}
}

func TestLabels(t *testing.T) {
	for _, c := range []struct {
		min, max float64
		want     string
	}{
		{0, 1, "0 0.2 0.4 0.6 0.8 1"},
		{1, 9, "2 4 6 8"},
		{-1e-9, 3311286, "0 1,000,000 2,000,000 3,000,000"},
		{0, 0.003, "0 0.0005 0.001 0.0015 0.002 0.0025 0.003"},
		{0, 6e-8, "0 1e-8 2e-8 3e-8 4e-8 5e-8 6e-8"},
		{-40, 40, "-40 -20 0 20 40"},
	} {
		var got []string
		for _, tick := range (linearTicks{count: 6}).Ticks(c.min, c.max) {
			got = append(got, strings.TrimSuffix(tick.Label, ".0"))
		}
		if g := strings.Join(got, " "); trimZeros(g) != c.want {
			t.Errorf("labels from %v to %v = %q, want %q", c.min, c.max, trimZeros(g), c.want)
		}
	}
	var got []string
	for _, tick := range (logTicks{}).Ticks(1e-6, 1) {
		if !tick.IsMinor() {
			got = append(got, tick.Label)
		}
	}
	if g, want := strings.Join(got, " "), "1e-6 1e-5 0.0001 0.001 0.01 0.1 1"; g != want {
		t.Errorf("labels of a logarithmic axis = %q, want %q", g, want)
	}
}

func trimZeros(s string) string {
	f := strings.Fields(s)
	for i, w := range f {
		if strings.Contains(w, ".") {
			f[i] = strings.TrimRight(strings.TrimRight(w, "0"), ".")
		}
	}
	return strings.Join(f, " ")
}

func TestScatterCountsEveryPoint(t *testing.T) {
	a := Axes{Title: "t", XMin: 0, XMax: 10, YMin: 0, YMax: 10}
	c, err := Scatter(a, 10, true, Series{X: []float64{0, 0.5, 10, 99, 5}, Y: []float64{0, 0.9, 10, 99, -3}})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Write(&b, "svg", 640, 400); err != nil {
		t.Fatal(err)
	}
	// Cells (0, 0) and (9, 9) with two points each, (5, 0) with one that lies below the axis.
	if n := strings.Count(b.String(), "fill:#007"); n != 3 {
		t.Errorf("%d cells are filled, want 3", n)
	}
	for name, f := range map[string]func() (*Chart, error){
		"nothing": func() (*Chart, error) { return Scatter(a, 10, false, Series{}) },
		"lengths": func() (*Chart, error) { return Scatter(a, 10, false, Series{X: []float64{1}, Y: []float64{1, 2}}) },
		"NaN": func() (*Chart, error) {
			return Scatter(a, 10, false, Series{X: []float64{math.NaN()}, Y: []float64{1}})
		},
		"no axes": func() (*Chart, error) { return Scatter(Axes{}, 10, false, Series{X: []float64{1}, Y: []float64{1}}) },
		"log": func() (*Chart, error) {
			return Scatter(Axes{LogX: true, XMin: 1, XMax: 2, YMax: 1}, 10, false, Series{X: []float64{1}, Y: []float64{1}})
		},
		"no cells": func() (*Chart, error) { return Scatter(a, 0, false, Series{X: []float64{1}, Y: []float64{1}}) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s was drawn", name)
		}
	}
}

func TestLinesOnLogarithmicAxes(t *testing.T) {
	a := Axes{Title: "DET", LogX: true, LogY: true}
	c, err := Lines(a, Series{X: []float64{1e-4, 1e-2, 1}, Y: []float64{0.5, 0.1, 0.001}})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Write(&b, "svg", 640, 400); err != nil {
		t.Fatal(err)
	}
	for _, tick := range []string{"0.0001", "0.01", "0.1"} {
		if !strings.Contains(b.String(), ">"+tick+"<") {
			t.Errorf("no tick %s", tick)
		}
	}
	if c, err = Lines(a, Series{X: []float64{1}, Y: []float64{1}}); err == nil {
		err = c.Write(&b, "svg", 640, 400)
	}
	if err != nil {
		t.Errorf("a single point: %v", err)
	}
	if _, err := Lines(a, Series{X: []float64{1, 2}, Y: []float64{1, 0}}); !errors.Is(err, ErrData) {
		t.Errorf("zero on a logarithmic Y axis: %v", err)
	}
}
