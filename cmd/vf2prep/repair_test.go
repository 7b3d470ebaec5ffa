package main

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/rng"
)

// sections returns where each tensor of a shard lies in its file, and the header as "header".
func sections(t *testing.T, path string) map[string][2]int {
	t.Helper()
	b := readFile(t, path)
	n := int(binary.LittleEndian.Uint64(b))
	var head map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &head); err != nil {
		t.Fatal(err)
	}
	out := map[string][2]int{"header": {0, 8 + n}}
	for name, text := range head {
		var tensor struct {
			At [2]int `json:"data_offsets"`
		}
		if name == "__metadata__" {
			continue
		}
		if err := json.Unmarshal(text, &tensor); err != nil {
			t.Fatal(err)
		}
		out[name] = [2]int{8 + n + tensor.At[0], 8 + n + tensor.At[1]}
	}
	return out
}

// A byte flipped anywhere in a set is named by cache verify, by shard, section and sample, and
// cache repair brings the bytes back without touching a sound shard.
func TestRepair(t *testing.T) {
	w := newWorld(t)
	small := filepath.Join(w.dir, "jpeg")
	must(t, w.build(small, "--encoding", "jpeg")...)
	r := rng.Stream(1, "flips")
	for _, dir := range []string{w.shards, small} {
		good := tree(t, dir)
		repair := []string{"cache", "repair", "--shards", dir, "--manifest", w.manifest, "--split", w.split, "--root", w.root, "--quiet"}
		found, _ := filepath.Glob(filepath.Join(dir, "train-*"))
		victim := found[len(found)-1]
		whole := readFile(t, victim)
		others, _ := filepath.Glob(filepath.Join(dir, "*.safetensors"))
		want := 8
		if dir == small {
			want = 9
		}
		all := sections(t, victim)
		if len(all) != want+1 {
			t.Errorf("%d sections, want %d", len(all), want+1)
		}
		for name, at := range all {
			bad := bytes.Clone(whole)
			bad[at[0]+r.IntN(at[1]-at[0])] ^= 1 << r.IntN(8)
			writeFile(t, victim, bad)
			untouched := map[string]os.FileInfo{}
			for _, o := range others {
				if o != victim {
					untouched[o], _ = os.Stat(o)
				}
			}
			code, stdout, stderr := typed(t, "cache", "verify", "--shards", dir)
			line := filepath.Base(victim) + ": section " + name + ": "
			if name == "image" {
				line += "sample "
			}
			if code != exitFailed || !strings.Contains(stdout, line) || !strings.Contains(stderr, "cache repair") {
				t.Errorf("verify: exit code %d, want 1 and %q:\n%s%s", code, line, stdout, stderr)
			}
			if out := must(t, repair...); !strings.Contains(out, filepath.Base(victim)+": as it was") {
				t.Errorf("repair of %s: %s", name, out)
			}
			if d := cmp.Diff(good, tree(t, dir)); d != "" {
				t.Errorf("%s: repaired (-good +repaired):\n%s", name, d)
			}
			for path, before := range untouched {
				if now, err := os.Stat(path); err != nil || !os.SameFile(before, now) || !now.ModTime().Equal(before.ModTime()) {
					t.Errorf("%s: %s was sound and is another file now", name, path)
				}
			}
		}
		// The index and the table of rejects are part of the set.
		index := readFile(t, filepath.Join(dir, "index.json"))
		for range 20 {
			bad := bytes.Clone(index)
			bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
			writeFile(t, filepath.Join(dir, "index.json"), bad)
			if code, stdout, stderr := typed(t, "cache", "verify", "--shards", dir, "--quiet"); code != exitFailed || !strings.Contains(stderr, "index.json") {
				t.Errorf("verify of a flipped index: exit code %d\n%s%s", code, stdout, stderr)
			}
		}
		must(t, repair...)
		writeFile(t, filepath.Join(dir, "rejects.csv"), []byte("nothing\n"))
		if _, stdout, _ := typed(t, "cache", "verify", "--shards", dir); !strings.Contains(stdout, "rejects.csv") {
			t.Errorf("verify of other rejects:\n%s", stdout)
		}
		must(t, repair...)
		for _, f := range others { // all but one are gone, and the index
			if f != victim {
				os.Remove(f)
			}
		}
		os.Remove(filepath.Join(dir, "index.json"))
		must(t, repair...)
		if d := cmp.Diff(good, tree(t, dir)); d != "" {
			t.Errorf("made anew from one shard's header (-good +repaired):\n%s", d)
		}
		if out := must(t, repair...); !strings.Contains(out, "0 made anew") {
			t.Errorf("repair of a sound set: %s", out)
		}
	}
	// A repair with other inputs is refused; one whose photos are not what they were says so.
	other := filepath.Join(w.dir, "other")
	must(t, "split", "make", "--manifest", w.manifest, "--out", other, "--val", "3", "--quiet")
	fails(t, exitFailed, []string{"was made from another manifest or split"},
		"cache", "repair", "--shards", w.shards, "--manifest", w.manifest, "--split", other, "--root", w.root)
	found, _ := filepath.Glob(filepath.Join(w.shards, "train-*"))
	os.Remove(found[0])
	if err := os.RemoveAll(filepath.Join(w.root, "train")); err != nil {
		t.Fatal(err)
	}
	fails(t, exitIncomplete, []string{"not what they were"},
		"cache", "repair", "--shards", w.shards, "--manifest", w.manifest, "--split", w.split, "--root", w.root)
	must(t, "cache", "verify", "--shards", w.shards, "--quiet")
}

// member is one entry of an archive.
type member struct {
	name string
	kind byte
	data []byte
}

func writeTar(t *testing.T, path string, members []member) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: 0o644, Typeflag: m.kind, Size: int64(len(m.data))}
		if m.kind == tar.TypeSymlink || m.kind == tar.TypeLink {
			h.Linkname, h.Size = "/etc/passwd", 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			w.Write(m.data)
		}
	}
	w.Close()
	writeFile(t, path, b.Bytes())
}

// An archive may hold anything: what is no photo of the manifest is passed over, a link is a
// reject, a later member replaces an earlier one, and nothing is written where a name points to.
func TestOddArchives(t *testing.T) {
	w := newWorld(t)
	in := func(name string) string { return filepath.Join(w.dir, name) }
	must(t, "manifest", "build", "--root", w.root, "--out", in("plain.parquet"), "--no-scan", "--quiet")
	must(t, "split", "make", "--manifest", in("plain.parquet"), "--out", in("plain"), "--val", "2", "--quiet")
	build := func(out string, more ...string) []string {
		return append([]string{"cache", "build", "--manifest", in("plain.parquet"), "--split", in("plain"),
			"--recipe", "vggface2-256", "--shard-size", "1", "--out", out, "--quiet"}, more...)
	}
	paths, _ := filepath.Glob(filepath.Join(w.root, "t*", "*", "*.jpg"))
	var photos []member
	for _, p := range paths {
		rel, _ := filepath.Rel(w.root, p)
		photos = append(photos, member{"data/" + filepath.ToSlash(rel), tar.TypeReg, readFile(t, p)})
	}
	must(t, build(in("tree"), "--root", w.root)...)
	want := tree(t, in("tree"))
	same := func(name string, members []member) {
		t.Helper()
		writeTar(t, in(name+".tar"), members)
		must(t, build(in(name), "--tar", in(name+".tar"))...)
		if d := cmp.Diff(want, tree(t, in(name))); d != "" {
			t.Errorf("%s (-tree +archive):\n%s", name, d)
		}
	}
	odd := []member{
		{"data/", tar.TypeDir, nil}, {"../../outside.jpg", tar.TypeReg, []byte("x")}, {"/etc/outside.jpg", tar.TypeReg, []byte("x")},
		{"data/readme", tar.TypeReg, []byte("hello")}, {"data/train/n000001/link.jpg", tar.TypeSymlink, nil},
		{"a/b/c/d/e/f/" + photos[0].name, tar.TypeReg, []byte("x")}, {"..", tar.TypeReg, nil}, {"data/fifo", tar.TypeFifo, nil},
	}
	same("odd", append(append([]member{}, odd...), append(photos, odd...)...))
	early := []member{}
	for _, p := range photos[:9] { // the same names before, with something else
		early = append(early, member{p.name, tar.TypeReg, photos[10].data}, member{p.name, tar.TypeReg, []byte("no JPEG")})
	}
	same("twice", append(early, photos...))

	// One is a link, one is missing.
	some := append([]member{}, photos[2:]...)
	some = append(some, member{photos[0].name, tar.TypeLink, nil})
	writeTar(t, in("some.tar"), some)
	fails(t, exitIncomplete, []string{"2 of "}, build(in("some"), "--tar", in("some.tar"))...)
	got := rejectsOf(t, in("some"))
	reasons := map[string]int{}
	for _, r := range got {
		reasons[r]++
	}
	if d := cmp.Diff(map[string]int{"read: no regular file": 1, "read: no such file": 1}, reasons); d != "" {
		t.Errorf("rejects (-want +got):\n%s", d)
	}

	// Archives that end too early, are damaged, empty or of something else. What was read stays.
	text := readFile(t, in("odd.tar"))
	writeTar(t, in("half.tar"), photos[:15])
	half := readFile(t, in("half.tar"))
	half = half[:len(half)-1024] // without the end marker
	for i, c := range []struct {
		name, says string
		b          []byte
	}{
		{"short", "ends too early", text[:len(text)*2/3+100]},
		{"garbled", "damaged", append(half, bytes.Repeat([]byte{0xaa}, 2048)...)},
		{"empty", "none of its files", nil},
		{"gzip", "gzip", []byte{0x1f, 0x8b, 9, 9}},
	} {
		writeFile(t, in(c.name+".tar"), c.b)
		out := in(fmt.Sprint("broken", i))
		fails(t, exitFailed, []string{c.name + ".tar", c.says}, build(out, "--tar", in(c.name+".tar"))...)
		stdout := must(t, build(out, "--tar", in("odd.tar"))...)
		if i < 2 && !strings.Contains(stdout, "samples of others") {
			t.Errorf("%s: what was read before was made again: %s", c.name, stdout)
		}
		if d := cmp.Diff(want, tree(t, out)); d != "" {
			t.Errorf("%s, then the whole archive (-tree +archive):\n%s", c.name, d)
		}
	}
	fails(t, exitFailed, []string{"none of its files is a photo of the manifest", `"x/y"`}, build(in("none"), "--tar", func() string {
		writeTar(t, in("none.tar"), []member{{"x/y", tar.TypeReg, nil}})
		return in("none.tar")
	}())...)
	fails(t, exitUsage, []string{"either --root or --tar"}, build(in("no"))...)
	fails(t, exitUsage, []string{"either --root or --tar"}, build(in("no"), "--root", w.root, "--tar", in("odd.tar"))...)
	fails(t, exitUsage, []string{"--memory", "no size"}, build(in("no"), "--root", w.root, "--memory", "much")...)
	fails(t, exitFailed, []string{"a shard takes 1 MiB of memory"}, build(in("no"), "--root", w.root, "--memory", "100KiB")...)
}
