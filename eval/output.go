package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/chart"
)

// writeJSON writes v as an indented object; equal values give equal bytes.
func writeJSON(path string, v any) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	})
}

// writeSkipped lists what a result left out; the file exists even when that is nothing, so that
// an old list never stays beside a new result.
func writeSkipped(dir string, skipped []Skip) error {
	return atomicfile.CSV(filepath.Join(dir, "skipped.csv"), []string{"item", "reason", "detail"}, len(skipped), func(i int) []string {
		return []string{skipped[i].Item, skipped[i].Reason, skipped[i].Detail}
	})
}

// drawBoth writes a chart as NAME.png and NAME.svg and returns it for the report.
func drawBoth(dir, name string, c *chart.Chart, alt, note string) (Picture, error) {
	p, err := svgPicture(c, alt, note)
	if err != nil {
		return p, err
	}
	if err := atomicfile.Bytes(filepath.Join(dir, name+".svg"), p.SVG); err != nil {
		return p, err
	}
	return p, atomicfile.Write(filepath.Join(dir, name+".png"), func(w io.Writer) error {
		return c.Write(w, "png", 2*pictureWidth, 2*pictureHeight)
	})
}

// maxCurves bounds the picture of the training curves, in bytes.
const maxCurves = 8 << 20

// curvesSection shows the training curves of a run; nil where there are none.
func curvesSection(path string) ([]Section, error) {
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxCurves {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are shown", path, info.Size(), maxCurves)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return []Section{{Title: "Training", Pictures: []Picture{{Alt: "loss and accuracy by epoch", PNG: b}}}}, nil
}

func percent(v float64) string {
	if math.IsNaN(v) {
		return "not reachable"
	}
	return strconv.FormatFloat(100*v, 'f', 2, 64) + " %"
}

func decimal(v float64, places int) string { return strconv.FormatFloat(v, 'f', places, 64) }

// exact writes v so that reading it gives the same number.
func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// value makes null of a number that does not exist.
func value(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

// reasons counts skipped items by reason, in the order of their first.
func reasons(skipped []Skip) (names []string, count map[string]int) {
	count = map[string]int{}
	for _, s := range skipped {
		if count[s.Reason] == 0 {
			names = append(names, s.Reason)
		}
		count[s.Reason]++
	}
	return names, count
}
