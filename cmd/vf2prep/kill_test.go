package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/rng"
)

// must runs a command line in this process.
func must(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), append([]string{"vf2prep"}, args...), nil, &stdout, &stderr); code != 0 {
		t.Fatalf("vf2prep %v: exit code %d\n%s", args, code, &stderr)
	}
	return stdout.String()
}

// prepared draws a data set and makes its manifest and split.
func prepared(t *testing.T) (root, manifest, split string) {
	t.Helper()
	dir := t.TempDir()
	root, manifest, split = filepath.Join(dir, "set"), filepath.Join(dir, "manifest.parquet"), filepath.Join(dir, "split")
	must(t, "synth", "--out", root, "--identities", "8", "--images", "24", "--seed", "3", "--quiet")
	must(t, "manifest", "build", "--root", root, "--out", manifest, "--quiet")
	must(t, "split", "make", "--manifest", manifest, "--out", split, "--val", "8", "--quiet")
	return root, manifest, split
}

// tree returns the digest of every file below dir.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		sum, err := digest.File(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = sum
	}
	return out
}

// A build killed at random moments and run again gives the bytes of one that was left in peace,
// and so does another number of workers.
func TestCacheSurvivesKills(t *testing.T) {
	root, manifest, split := prepared(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := rng.Stream(uint64(time.Now().UnixNano()), "kills")
	for _, recipe := range []string{"arcface-112", "vggface2-256", "seed-190x170"} {
		build := func(out, workers string) []string {
			return []string{"cache", "build", "--manifest", manifest, "--split", split, "--root", root,
				"--recipe", recipe, "--shard-size", "1", "--workers", workers, "--out", out, "--quiet"}
		}
		straight, killed, one := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b"), filepath.Join(t.TempDir(), "c")
		start := time.Now()
		must(t, build(straight, "8")...)
		whole := time.Since(start)
		kills := 0
		for range 8 {
			cmd := exec.Command(self)
			cmd.Args = append([]string{"vf2prep"}, build(killed, "8")...)
			cmd.Stderr = io.Discard
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(time.Duration(r.Float64()*float64(whole)), func() { cmd.Process.Kill() })
			if cmd.Wait() == nil {
				break // it finished first
			}
			kills++
		}
		must(t, build(killed, "8")...)
		must(t, build(one, "1")...)
		want := tree(t, straight)
		if d := cmp.Diff(want, tree(t, killed)); d != "" {
			t.Errorf("%s: after %d kills (-straight +killed):\n%s", recipe, kills, d)
		}
		if d := cmp.Diff(want, tree(t, one)); d != "" {
			t.Errorf("%s: 1 worker (-8 +1):\n%s", recipe, d)
		}
		t.Logf("%s: %d kills, %d files", recipe, kills, len(want))
	}
}
