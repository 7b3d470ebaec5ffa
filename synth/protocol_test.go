package synth

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readTree returns every file below dir by its path.
func readTree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestProtocolsGiveTheSameBytes(t *testing.T) {
	// One file of each set that its release has too.
	want := map[string]string{"ijba": "IJB-A_11_sets/split10/verify_comparisons_10.csv", "ijbb": "meta/ijbb_1N_gallery_S2.csv",
		"ijbc": "meta/ijbc_template_pair_label.txt", "vggface2-templates": "meta/test_agetemp_imglist.txt"}
	for _, p := range Protocols {
		o := ProtocolOptions{Protocol: p, Out: filepath.Join(t.TempDir(), "a"), Subjects: 12, Width: 5, Missing: 0.2, Seed: 3}
		r, err := RunProtocol(o)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		a := readTree(t, o.Out)
		if len(a) != r.Files || len(a[want[p]]) == 0 {
			t.Errorf("%s: %d files, want %d and %s among them", p, len(a), r.Files, want[p])
		}
		if keys := bytes.Count(a["embeddings.keys.txt"], []byte("\n")); keys != r.Embeddings || len(a["embeddings.npy"])%64 != (4*5*keys)%64 {
			t.Errorf("%s: %d keys, want %d; %d bytes of embeddings", p, keys, r.Embeddings, len(a["embeddings.npy"]))
		}
		if share := float64(r.Embeddings) / float64(r.Faces); math.Abs(share-0.8) > 0.1 {
			t.Errorf("%s: %d of %d faces have an embedding, want four of five", p, r.Embeddings, r.Faces)
		}
		o.Out += "again"
		if _, err := RunProtocol(o); err != nil {
			t.Fatal(err)
		}
		for name, b := range readTree(t, o.Out) {
			if !bytes.Equal(a[name], b) {
				t.Errorf("%s: %s differs between two runs", p, name)
			}
		}
		o.Seed, o.Out = 4, o.Out+"other"
		if _, err := RunProtocol(o); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(a["embeddings.npy"], readTree(t, o.Out)["embeddings.npy"]) {
			t.Errorf("%s: another seed gives the same embeddings", p)
		}
	}
}

func TestProtocolRefuses(t *testing.T) {
	good := ProtocolOptions{Protocol: "ijbb", Out: t.TempDir(), Subjects: 10, Width: 4}
	for want, change := range map[string]func(o *ProtocolOptions){
		`no protocol "ijbx"`:                   func(o *ProtocolOptions) { o.Protocol = "ijbx" },
		"5 subjects, want 6 to":                func(o *ProtocolOptions) { o.Subjects = 5 },
		"embeddings of 1 values":               func(o *ProtocolOptions) { o.Width = 1 },
		"1 of the faces without":               func(o *ProtocolOptions) { o.Missing = 1 },
		"NaN of the faces without":             func(o *ProtocolOptions) { o.Missing = math.NaN() },
		"no output directory":                  func(o *ProtocolOptions) { o.Out = "" },
		"5001 subjects, want 6 to 5000":        func(o *ProtocolOptions) { o.Subjects = 5001 },
		"embeddings of 4097 values, want 2 to": func(o *ProtocolOptions) { o.Width = 4097 },
	} {
		o := good
		change(&o)
		if _, err := RunProtocol(o); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want ErrOptions and %q", err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(good.Out, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := RunProtocol(good); !errors.Is(err, ErrForeign) {
		t.Errorf("a directory with other files: error %v, want ErrForeign", err)
	}
	good.Force = true
	if _, err := RunProtocol(good); err != nil {
		t.Errorf("with force: %v", err)
	}
}
