package eval

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/vf2prep/vf2prep/synth"
)

// synthSet draws the files of a protocol as testdata/templates_golden.py names them.
func synthSet(t testing.TB, protocol string, change func(o *synth.ProtocolOptions)) string {
	t.Helper()
	o := synth.ProtocolOptions{Protocol: protocol, Out: filepath.Join(t.TempDir(), protocol), Subjects: 60, Width: 16, Missing: 0.02, Seed: 7}
	if change != nil {
		change(&o)
	}
	if _, err := synth.RunProtocol(o); err != nil {
		t.Fatal(err)
	}
	return o.Out
}

func openSynth(t testing.TB, dir string) *Embeddings {
	t.Helper()
	e, err := OpenEmbeddings(filepath.Join(dir, "embeddings.npy"))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

type templatesGolden struct {
	Cases []struct {
		Protocol, Meta string
		Options        struct {
			Pooling Pooling
			KeyWith string `json:"key_with"`
		}
		Result map[string]*float64
	}
	Ties []struct {
		Distances [][]float64
		Mates     []int
		Result    map[string]*float64
	}
}

func readTemplatesGolden(t *testing.T) (g templatesGolden) {
	t.Helper()
	text, err := os.ReadFile("testdata/templates_golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// sameNumber allows for the sums being taken in another order.
func sameNumber(a, b *float64) bool {
	return (a == nil) == (b == nil) && (a == nil || math.Abs(*a-*b) <= 1e-9)
}

func text(v *float64) any {
	if v == nil {
		return "null"
	}
	return *v
}

// templates_golden.json was made by testdata/templates_golden.py with NumPy and scikit-learn from
// the same synthetic sets.
func TestTemplatesEqualScikitLearn(t *testing.T) {
	g := readTemplatesGolden(t)
	sets := map[string]string{}
	for _, p := range synth.Protocols {
		sets[p] = synthSet(t, p, nil)
	}
	if len(g.Cases) != 26 {
		t.Fatalf("%d cases, want 26", len(g.Cases))
	}
	for _, c := range g.Cases {
		set, meta := c.Meta, ""
		if dir, file, ok := splitFirst(c.Meta); ok {
			set, meta = dir, file
		}
		r, err := Templates(t.Context(), TemplateOptions{Protocol: c.Protocol, Meta: filepath.Join(sets[set], meta),
			Embeddings: openSynth(t, sets[set]), Pooling: c.Options.Pooling, KeyWith: c.Options.KeyWith})
		if err != nil {
			t.Fatalf("%s: %v", c.Protocol, err)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(b, &fields); err != nil {
			t.Fatal(err)
		}
		for name, want := range c.Result {
			raw, ok := fields[name]
			var got *float64
			if v, number := raw.(float64); number {
				got = &v
			}
			if !ok || !sameNumber(got, want) {
				t.Errorf("%s %+v: %s = %v, want %v", c.Protocol, c.Options, name, raw, text(want))
			}
		}
	}
}

func splitFirst(path string) (dir, rest string, ok bool) {
	for i := range path {
		if path[i] == '/' {
			return path[:i], path[i+1:], true
		}
	}
	return path, "", false
}

func TestSearchesWithTiesEqualScikitLearn(t *testing.T) {
	for n, c := range readTemplatesGolden(t).Ties {
		s := Searches{Subjects: len(c.Distances[0])}
		for p, d := range c.Distances {
			if m, nearest := judgeSearch(d, c.Mates[p]); m.Rank > 0 {
				s.Mated = append(s.Mated, m)
			} else {
				s.NonMated = append(s.NonMated, nearest)
			}
		}
		cmc := s.CMC(searchRanks)
		for name, got := range map[string]float64{"rank1": cmc[0], "rank5": cmc[4], "rank10": cmc[9],
			"tpir_at_fpir_0.1": s.TPIRAtFPIR(0.1).TAR, "tpir_at_fpir_0.01": s.TPIRAtFPIR(0.01).TAR} {
			if !sameNumber(value(got), c.Result[name]) {
				t.Errorf("case %d: %s = %v, want %v", n, name, got, text(c.Result[name]))
			}
		}
	}
}
