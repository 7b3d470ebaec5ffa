package doctor

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

func find(t *testing.T, checks []Check, name string) Check {
	t.Helper()
	for _, c := range checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no check %q in %v", name, checks)
	return Check{}
}

func TestRun(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"train/n000002", "train/n000003", "bb_landmark"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "bb_landmark", "loose_bb_train.csv"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	checks := Run(context.Background(), Options{Root: root, Shards: root, Out: filepath.Join(root, "new", "dir")})
	for name, want := range map[string]string{
		"system": OK, "decoding": OK, "train/": OK, "test/": Warning,
		"loose_bb_train.csv": OK, "identity_meta.csv": Warning, "shards": Failure,
	} {
		if got := find(t, checks, name); got.State != want {
			t.Errorf("%s: %+v, want %s", name, got, want)
		}
	}
	if got := find(t, checks, "train/").Found; got != "2 identities" {
		t.Errorf("train/: %s", got)
	}
	checks = Run(context.Background(), Options{Root: filepath.Join(root, "none")})
	if got := find(t, checks, "data set"); got.State != Failure {
		t.Errorf("missing root: %+v", got)
	}
}
