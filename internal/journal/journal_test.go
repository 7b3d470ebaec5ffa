package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

type fact struct {
	N int `json:"n"`
}

func open(t *testing.T, path, job string) (*Journal, []string) {
	t.Helper()
	var got []string
	j, begun, err := Open(path, job, func(b []byte) error {
		got = append(got, string(b))
		if bytes.Contains(b, []byte("-1")) {
			return errors.New("strange")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if begun {
		got = nil
	}
	return j, got
}

// Wherever a journal is cut off or damaged, the facts before that place are kept and the next one
// follows them.
func TestEveryCutKeepsWhatIsSound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := open(t, path, "a")
	for i := range 3 {
		if err := j.Add(fact{i}); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range whole {
		for _, damaged := range []bool{false, true} {
			text := bytes.Clone(whole[:cut])
			if damaged {
				text = bytes.Clone(whole)
				text[cut] ^= 1
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			want := max(0, bytes.Count(whole[:cut], []byte("\n"))-1)
			j, got := open(t, path, "a")
			if len(got) != want {
				t.Fatalf("cut at %d (damaged %v): facts %q, want %d", cut, damaged, got, want)
			}
			if err := j.Add(fact{9}); err != nil {
				t.Fatal(err)
			}
			j.Close()
			if j, got = open(t, path, "a"); len(got) != want+1 || got[want] != `{"n":9}` {
				t.Fatalf("cut at %d (damaged %v), then one more: %q", cut, damaged, got)
			}
			j.Close()
		}
	}
}

func TestAnotherJobBeginsAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := open(t, path, "a")
	if err := j.Add(fact{1}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	j, got := open(t, path, "b")
	if len(got) != 0 {
		t.Errorf("facts of another job: %q", got)
	}
	if err := j.Add(fact{-1}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	j, got = open(t, path, "b")
	j.Close()
	if len(got) != 0 {
		t.Errorf("facts that were called wrong: %q", got)
	}
}
