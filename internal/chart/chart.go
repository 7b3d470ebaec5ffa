package chart

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// ErrData says that the numbers given can't be drawn.
var ErrData = errors.New("chart: data can't be drawn")

// Series is one named sequence of numbers.
type Series struct {
	Name   string // "" keeps it out of the legend
	X, Y   []float64
	Dashed bool
	Weight []float64 // Histogram only: how often each value counts; nil is once each
}

// Axes describes what a picture's axes say and span. A pair of zeros for a minimum and its
// maximum takes the span from the data.
type Axes struct {
	Title, X, Y            string
	LogX, LogY             bool
	XMin, XMax, YMin, YMax float64
}

// Chart is a picture ready to be written; it may be written by several goroutines at once.
type Chart struct {
	axes    Axes
	legend  []legendItem
	nominal bool // X holds names, not numbers
	// fill adds what is drawn inside the axes; scale is the size of text and lines relative to
	// the usual one.
	fill func(p *plot.Plot, scale float64) error
}

// Bounds of a picture's side, in pixels.
const (
	minSide = 64
	maxSide = 8192
)

// dpi relates pixels to points as browsers do.
const dpi = 96

// Write draws the chart as "png" or "svg" in width x height pixels.
func (c *Chart) Write(w io.Writer, format string, width, height int) (err error) {
	if width < minSide || height < minSide || width > maxSide || height > maxSide {
		return fmt.Errorf("chart: size %dx%d pixels, each side must be %d to %d", width, height, minSide, maxSide)
	}
	pw, ph := points(width), points(height)
	switch format {
	case "png":
		canvas := vgimg.NewWith(vgimg.UseWH(pw, ph), vgimg.UseDPI(dpi))
		if err := c.draw(draw.New(canvas)); err != nil {
			return err
		}
		_, err = vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
		return err
	case "svg":
		canvas := vgsvg.New(pw, ph)
		if err := c.draw(draw.New(canvas)); err != nil {
			return err
		}
		var b bytes.Buffer
		if _, err := canvas.WriteTo(&b); err != nil {
			return err
		}
		_, err = io.WriteString(w, c.finishSVG(b.String(), width, height))
		return err
	}
	return fmt.Errorf("chart: format %q, want png or svg", format)
}

func points(px int) vg.Length { return vg.Length(float64(px) * 72 / dpi) }

// finishSVG replaces the head that the drawing library writes: sizes in pixels, a name for
// screen readers, and fonts to fall back on. No declaration is left in front, so that the text
// can be put into a page as it is.
func (c *Chart) finishSVG(s string, width, height int) string {
	if i := strings.Index(s, "<svg"); i >= 0 {
		if j := strings.IndexByte(s[i:], '>'); j >= 0 {
			s = s[i+j+1:]
		}
	}
	title := html.EscapeString(c.axes.Title)
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %.6g %.6g" role="img" aria-label="%s"><title>%s</title>`,
		width, height, float64(points(width)), float64(points(height)), title, title)
	s = strings.ReplaceAll(s, "font-family:Liberation Sans;", "font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")
	return head + s
}

func (c *Chart) draw(dc draw.Canvas) error {
	size := dc.Size()
	// 640 pixels is the width that the styles are made for; a poster gets larger letters.
	scale := math.Min(float64(size.X)/480, float64(size.Y)/300)
	scale = math.Max(0.7, math.Min(scale, 6))
	dc.SetColor(paper)
	dc.Fill(dc.Rectangle.Path())

	margin := vg.Length(10 * scale)
	dc = draw.Crop(dc, margin, -1.4*margin, margin, -margin)
	p := newPlot(c.axes, !c.nominal, scale)
	if err := c.fill(p, scale); err != nil {
		return err
	}
	if err := span(p, c.axes); err != nil {
		return err
	}
	dc.Max.Y = c.drawHead(dc, scale)
	p.Draw(dc)
	return nil
}

// span puts the axes' own limits over those of the data, and makes sure that there is a span.
func span(p *plot.Plot, a Axes) error {
	if a.XMin != 0 || a.XMax != 0 {
		p.X.Min, p.X.Max = a.XMin, a.XMax
	}
	if a.YMin != 0 || a.YMax != 0 {
		p.Y.Min, p.Y.Max = a.YMin, a.YMax
	}
	for _, axis := range []struct {
		name     string
		min, max float64
		log      bool
	}{{"X", p.X.Min, p.X.Max, a.LogX}, {"Y", p.Y.Min, p.Y.Max, a.LogY}} {
		if !finite(axis.min) || !finite(axis.max) || !finite(axis.max-axis.min) || axis.min >= axis.max || axis.log && axis.min <= 0 {
			return fmt.Errorf("%w: %s axis from %v to %v", ErrData, axis.name, axis.min, axis.max)
		}
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// check reports the first number of a series that can't be drawn.
func check(kind string, i int, s Series, logX, logY bool) error {
	name := s.Name
	if name == "" {
		name = fmt.Sprint(i)
	}
	for _, list := range []struct {
		of     string
		values []float64
		pos    bool
	}{{"X", s.X, logX}, {"Y", s.Y, logY}} {
		for j, v := range list.values {
			if !finite(v) {
				return fmt.Errorf("%w: %s: series %q: %s[%d] is %v", ErrData, kind, name, list.of, j, v)
			}
			if list.pos && v <= 0 {
				return fmt.Errorf("%w: %s: series %q: %s[%d] is %v on a logarithmic axis", ErrData, kind, name, list.of, j, v)
			}
		}
	}
	return nil
}
