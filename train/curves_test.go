package train

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestCurvesHaveAPanelForTheLearningRate(t *testing.T) {
	o := usual(t)
	o.Schedule, o.Milestones, o.Epochs = stepped, "1", 2
	mustRun(t, o)
	steps, rates, err := readRates(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	// A line for every second of three steps, and for the last of an epoch.
	if want := []float64{2, 3, 5, 6}; !slices.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
	if want := []float64{1, 1, 0.1, 0.1}; !slices.Equal(rates, want) {
		t.Errorf("rates %v, want %v", rates, want)
	}
	img, err := png.Decode(bytes.NewReader(read(t, filepath.Join(o.Out, CurvesPNG))))
	if err != nil || img.Bounds().Dy() != 3*panelHeight {
		t.Errorf("%s: %v, want three panels", CurvesPNG, err)
	}
	if got := bytes.Count(read(t, filepath.Join(o.Out, CurvesSVG)), []byte(`role="img"`)); got != 3 {
		t.Errorf("%s has %d panels, want 3", CurvesSVG, got)
	}
}

func TestReadRatesLeavesOutWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	text := `{"kind":"train","step":1,"lr":0.5}
{"kind":"epoch","step":1}
{"kind":"train","step":2,"lr":
{"kind":"train","step":3,"lr":0.25}
`
	if err := os.WriteFile(filepath.Join(dir, MetricsName), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	steps, rates, err := readRates(dir)
	if err != nil || !slices.Equal(steps, []float64{1, 3}) || !slices.Equal(rates, []float64{0.5, 0.25}) {
		t.Errorf("readRates = %v, %v, %v", steps, rates, err)
	}
}
