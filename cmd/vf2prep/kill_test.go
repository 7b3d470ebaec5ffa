package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// packed writes the photos below root into an archive, the last first, and returns its name.
func packed(t *testing.T, root string) string {
	t.Helper()
	name := root + ".tar.gz"
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	paths, err := filepath.Glob(filepath.Join(root, "t*", "*", "*.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Backward(paths) {
		rel, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		b := readFile(t, path)
		err = w.WriteHeader(&tar.Header{Name: "./" + filepath.ToSlash(rel), Mode: 0o644, Size: int64(len(b)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []io.Closer{w, z, f} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return name
}

// Builds from a tree and from an archive are killed at random moments, again and again, until
// they come to their end; the bytes are those of builds that were left in peace. So they are with
// one worker and with eight, with much memory and with little.
func TestCacheSurvivesKills(t *testing.T) {
	root, manifest, split := prepared(t)
	archive := packed(t, root)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const wanted = 60
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rng.Stream(seed, "kills")
	recipes := [][]string{
		{"--recipe", "arcface-112"}, {"--recipe", "vggface2-256"}, {"--recipe", "seed-190x170"},
		{"--recipe", "arcface-112", "--size", "224x224", "--encoding", "jpeg"},
	}
	sources := [][]string{{"--root", root}, {"--tar", archive}}
	kills, ends := 0, 0
	for i, recipe := range recipes {
		build := func(source []string, out string, more ...string) []string {
			args := []string{"cache", "build", "--manifest", manifest, "--split", split, "--shard-size", "1", "--out", out, "--quiet"}
			return append(append(append(args, source...), recipe...), more...)
		}
		straight, one := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
		must(t, build(sources[0], straight, "--workers", "8")...)
		must(t, build(sources[1], one, "--workers", "1", "--memory", "2MiB")...)
		want := tree(t, straight)
		if d := cmp.Diff(want, tree(t, one)); d != "" {
			t.Errorf("%v: from an archive, 1 worker (-tree, 8 workers +archive, 1 worker):\n%s", recipe, d)
		}
		for kills < wanted*(i+1)/len(recipes) {
			source := sources[ends%len(sources)]
			killed := filepath.Join(t.TempDir(), "c")
			for {
				cmd := exec.Command(self)
				cmd.Args = append([]string{"vf2prep"}, build(source, killed, "--workers", "4", "--memory", "2MiB")...)
				cmd.Stderr = io.Discard
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				// Most of the time within the life of such a build, which ends in the end.
				timer := time.AfterFunc(time.Duration(r.Float64()*r.Float64()*float64(time.Second)), func() { cmd.Process.Kill() })
				err := cmd.Wait()
				timer.Stop()
				if err == nil {
					break
				}
				kills++
			}
			ends++
			if d := cmp.Diff(want, tree(t, killed)); d != "" {
				t.Errorf("%v %v: after %d kills in all (-straight +killed):\n%s", recipe, source, kills, d)
			}
		}
	}
	t.Logf("%d kills, %d builds came to their end", kills, ends)
}
