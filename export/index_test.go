package export

import (
	"os"
	"path/filepath"
	"testing"
)

// An export.json is not trusted: what is no sound one is an error, and no file outside the directory
// is ever read or removed.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"format":"vf2prep.export/1","complete":true,"files":[{"name":"a.tar","bytes":1,"sha256":"00"}]}`))
	f.Add([]byte(`{"format":"vf2prep.export/1","complete":true,"files":[{"name":"../outside"}],"directories":["d"]}`))
	f.Add([]byte(`{"format":"vf2prep.export/1","directories":["..","../outside","."]}`))
	f.Add([]byte(`{"format":"vf2prep.export/9"}`))
	f.Add([]byte(`{"format":"vf2prep.export/1","complete":true,"to":"parquet-hf","parts":[{"part":"(","planned":1}],"classes":["a"]}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, text []byte) {
		base := t.TempDir()
		outside, dir := filepath.Join(base, "outside"), filepath.Join(base, "export")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{outside, filepath.Join(dir, "mine")} {
			if err := os.WriteFile(name, []byte("mine"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, IndexName), text, 0o644); err != nil {
			t.Fatal(err)
		}
		_, readErr := ReadIndex(dir)
		if _, err := Describe(DescribeOptions{Dir: dir}); err == nil && readErr != nil {
			t.Errorf("ReadIndex: %v, and yet described", readErr)
		}
		was, err := clean(dir)
		if (readErr == nil) != was && err == nil {
			t.Errorf("ReadIndex: %v, clean: %v %v", readErr, was, err)
		}
		if b, err := os.ReadFile(outside); err != nil || string(b) != "mine" {
			t.Errorf("a file outside the directory: %q, %v", b, err)
		}
	})
}
