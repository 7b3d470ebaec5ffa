package digest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// XXH3 with 128 bits and seed 0 of "" and "abc", from the algorithm's reference implementation
// (xxhsum -H2); digests are part of every file format.
var known = map[string]string{
	"":    "xxh3-128:99aa06d3014798d86001c324468d497f",
	"abc": "xxh3-128:06b05ab6733a618578af5f94892f3950",
}

func TestDigestsAreFixed(t *testing.T) {
	for text, want := range known {
		if got := Bytes([]byte(text)); got != want {
			t.Errorf("Bytes(%q) = %s, want %s", text, got, want)
		}
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		file, err := File(path)
		if err != nil || file != want {
			t.Errorf("File of %q = %s, %v, want %s", text, file, err, want)
		}
		got, n, err := Reader(bytes.NewReader([]byte(text)))
		if err != nil || got != want || n != int64(len(text)) {
			t.Errorf("Reader of %q = %s, %d, %v, want %s", text, got, n, err, want)
		}
		h := New()
		h.Write([]byte(text))
		if h.String() != want {
			t.Errorf("Hash of %q = %s, want %s", text, h, want)
		}
	}
	if _, err := File("no such file"); err == nil {
		t.Error("a file that is not there has a digest")
	}
}
