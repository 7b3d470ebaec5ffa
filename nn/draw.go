package nn

import (
	"fmt"
	"io"
	"strings"
)

// Sizes of the drawing, in pixels.
const (
	boxWidth  = 300
	boxHeight = 40
	boxGap    = 22
	margin    = 30
	laneWidth = 26 // between skip connections side by side
)

var kindColours = map[Kind]string{
	KindInput: "#e8e8e8", KindConv: "#cfe3f7", KindAdd: "#fde3b8", KindAvgPool: "#d8efd3",
	KindMaxPool: "#d8efd3",
	KindMean:    "#d8efd3", KindNorm: "#dfe9ee", KindGate: "#fde3b8", KindDropout: "#eeeeee", KindFlatten: "#eeeeee", KindLinear: "#e5d6f2", KindSoftmax: "#f7d4d4", KindRank: "#f7d4d4", KindTriplet: "#f7d4d4",
}

// DrawSVG draws the network.
func (n *Network) DrawSVG(w io.Writer) error { return n.Summary().DrawSVG(w) }

// DrawSVG draws the network from top to bottom, a box a layer with its name, what it does and its
// output's shape. The main path runs down the middle; a layer on a shortcut stands beside
// it, and connections that skip boxes run along the right. The same network gives the same bytes.
func (s Summary) DrawSVG(w io.Writer) error {
	d := newDrawing(s)
	var b strings.Builder
	width, height := d.width(), margin*2+40+len(d.rows)*(boxHeight+boxGap)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Helvetica, Arial, sans-serif">`+"\n", width, height, width, height)
	b.WriteString(`<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>` + "\n")
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="%d" y="%d" font-size="17" font-weight="bold" fill="#222">%s</text>`+"\n", margin, margin+4, escape(s.Arch))
	fmt.Fprintf(&b, `<text x="%d" y="%d" font-size="12" fill="#555">%s parameters, %.1f MFLOPs a sample</text>`+"\n", margin, margin+22, thousands(s.Parameters), float64(s.FLOPs)/1e6)
	for i, l := range s.Layers {
		for _, in := range l.Inputs {
			b.WriteString(d.arrow(d.index[in], i))
		}
	}
	for i, l := range s.Layers {
		b.WriteString(d.box(i, l))
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// drawing holds where each layer stands: a row, and a column, 0 the main path and 1 a shortcut.
type drawing struct {
	s        Summary
	index    map[string]int
	row, col []int
	rows     []int // layers on the main path, from the top
}

func newDrawing(s Summary) *drawing {
	d := &drawing{s: s, index: map[string]int{}, row: make([]int, len(s.Layers)), col: make([]int, len(s.Layers))}
	for i, l := range s.Layers {
		d.index[l.Name] = i
	}
	for _, l := range s.Layers {
		// A convolution that an addition takes second is on the shortcut.
		if l.Kind == KindAdd {
			if m := d.index[l.Inputs[1]]; s.Layers[m].Kind == KindConv {
				d.col[m] = 1
			}
		}
	}
	for i := range s.Layers {
		if d.col[i] == 0 {
			d.row[i] = len(d.rows)
			d.rows = append(d.rows, i)
		} else {
			d.row[i] = d.row[i-1] // beside the main path's last
		}
	}
	return d
}

func (d *drawing) width() int {
	for _, c := range d.col {
		if c > 0 {
			return 2*margin + 2*boxWidth + 3*laneWidth
		}
	}
	return 2*margin + boxWidth + 2*laneWidth
}

func (d *drawing) place(i int) (x, y int) {
	return margin + d.col[i]*(boxWidth+2*laneWidth), margin + 40 + d.row[i]*(boxHeight+boxGap)
}

func (d *drawing) box(i int, l Layer) string {
	x, y := d.place(i)
	what := string(l.Kind)
	if l.Detail != "" {
		what += " " + l.Detail
	}
	return fmt.Sprintf(`<g><rect x="%d" y="%d" width="%d" height="%d" rx="5" fill="%s" stroke="#777"/>`+
		`<text x="%d" y="%d" font-size="13" font-weight="bold" fill="#222">%s</text>`+
		`<text x="%d" y="%d" font-size="11" fill="#444">%s</text>`+
		`<text x="%d" y="%d" font-size="12" fill="#222" text-anchor="end">%s</text></g>`+"\n",
		x, y, boxWidth, boxHeight, kindColours[l.Kind],
		x+10, y+17, escape(l.Name), x+10, y+32, escape(what), x+boxWidth-10, y+25, Shape(l.Output))
}

// arrow draws the connection between two layers.
func (d *drawing) arrow(from, to int) string {
	x0, y0 := d.place(from)
	x1, y1 := d.place(to)
	// On a box's right side what comes in stands above what goes out.
	out, in := y0+boxHeight*3/4, y1+boxHeight/4
	path := ""
	switch {
	case d.col[from] == 0 && d.col[to] == 0 && d.row[to] == d.row[from]+1: // straight down
		x := x0 + boxWidth/2
		path = fmt.Sprintf("M%d %dV%d", x, y0+boxHeight, y1)
	case d.col[from] == 0 && d.col[to] == 0: // past the boxes between
		lane := x0 + boxWidth + laneWidth
		path = fmt.Sprintf("M%d %dH%dV%dH%d", x0+boxWidth, out, lane, in, x1+boxWidth)
	case d.col[to] == 1: // out to the shortcut's box
		path = fmt.Sprintf("M%d %dH%dV%d", x0+boxWidth, out, x1+boxWidth/2, y1)
	default: // back from it
		path = fmt.Sprintf("M%d %dV%dH%d", x0+boxWidth/2, y0+boxHeight, in, x1+boxWidth)
	}
	return fmt.Sprintf(`<path d="%s" fill="none" stroke="#555" stroke-width="1.5" marker-end="url(#tip)"/>`+"\n", path)
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace
