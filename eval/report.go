package eval

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/chart"
)

// Report is a page that needs nothing but itself: pictures are inside, no script, no request to
// any network.
type Report struct {
	Title    string
	Lead     string // a sentence or two below the title
	Numbers  []Fact // the few that matter, shown large
	Contents bool   // a list of the sections before them
	Sections []Section
}

// Section is a part of a report; what is empty is not shown.
type Section struct {
	Title    string
	Text     string // paragraphs, parted by blank lines
	Facts    []Fact
	Pictures []Picture
	Tables   []Table
	Faces    []FacePairs
}

// FacePairs are rows of two faces side by side.
type FacePairs struct {
	Title string
	Pairs []FacePair
}

// FacePair is two faces and what is said of them.
type FacePair struct {
	A, B Picture
	Note string
}

// Fact is a name and a value.
type Fact struct{ Name, Value string }

// Picture is a PNG, a JPEG or an SVG.
type Picture struct {
	Alt  string // what it shows, for those who can't see it
	SVG  []byte
	PNG  []byte
	JPEG []byte
	Note string
}

// Table is rows under a head; the first column is text, the others are numbers where they look
// like it. A table without rows is not shown.
type Table struct {
	Title string
	Head  []string
	Rows  [][]string
	Wide  bool // comes before the pictures; its first column names the rows and stays when it is scrolled
}

//go:embed report.html
var reportText string

var reportPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"image":      imageURL,
	"paragraphs": paragraphs,
	"numeric":    numeric,
	"long":       func(s string) bool { return len(s) > longCell },
}).Parse(reportText))

// WriteReport writes a report as one HTML file.
func WriteReport(path string, r Report) error {
	return atomicfile.Write(path, func(w io.Writer) error { return reportPage.Execute(w, r) })
}

// imageURL puts a picture into the page itself. An SVG goes into an img element, where nothing
// inside it can run or reach out.
func imageURL(p Picture) (template.URL, error) {
	kind, data := "image/svg+xml", p.SVG
	if len(data) == 0 {
		kind, data = "image/png", p.PNG
	}
	if len(data) == 0 {
		kind, data = "image/jpeg", p.JPEG
	}
	if len(data) == 0 {
		return "", fmt.Errorf("eval: picture %q is empty", p.Alt)
	}
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data)), nil
}

func paragraphs(s string) (out []string) {
	for _, p := range bytes.Split([]byte(s), []byte("\n\n")) {
		if p = bytes.TrimSpace(p); len(p) > 0 {
			out = append(out, string(p))
		}
	}
	return out
}

// longCell is from how many bytes on the text of a cell is broken into lines.
const longCell = 44

// numeric says whether a table's cell is a number, to be aligned right.
func numeric(s string) bool {
	digit := false
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digit = true
		case r == '.' || r == ',' || r == '-' || r == '+' || r == '%' || r == ' ' || r == '±' || r == 'e':
		default:
			return false
		}
	}
	return digit
}

// The size of a report's pictures, in pixels.
const (
	pictureWidth  = 720
	pictureHeight = 450
)

// svgPicture draws a chart for a report.
func svgPicture(c *chart.Chart, alt, note string) (Picture, error) {
	return ChartPicture(c, pictureWidth, pictureHeight, alt, note)
}

// ChartPicture draws a chart of width x height pixels for a report; the smaller, the larger its text
// beside it.
func ChartPicture(c *chart.Chart, width, height int, alt, note string) (Picture, error) {
	var b bytes.Buffer
	if err := c.Write(&b, "svg", width, height); err != nil {
		return Picture{}, err
	}
	return Picture{Alt: alt, SVG: b.Bytes(), Note: note}, nil
}
