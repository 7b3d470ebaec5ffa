package curate

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/split"
)

// A journal may say anything.
func FuzzJournal(f *testing.F) {
	f.Add([]byte(journalMagic))
	f.Add(append([]byte(journalMagic), 1, 0, 0, 0, 2, 0, 0, 0, 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		end, err := readJournal(bytes.NewReader(b), func(entry, *cache.Rejection) { n++ })
		if err != nil || end > int64(len(b)) || int64(n*entryBytes) > end {
			t.Errorf("end %d of %d bytes, %d hashes, %v", end, len(b), n, err)
		}
	})
}

// Hashes go with images, not with lists of them: what is the same in another manifest, under a split or in another
// search's journal is not decoded again, and what is not is.
func TestHashesOutliveManifests(t *testing.T) {
	files := map[string][]byte{}
	for n := range 12 {
		files["train/n000002/"+[]string{"0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012"}[n]+"_01.jpg"] = encoded(t, drawn(n), 92)
	}
	files["train/n000002/0013_01.jpg"] = []byte("\xff\xd8 no photo")
	root, m := photoSet(t, files)
	o := DuplicateOptions{Manifest: m, Root: root, Distance: 4, Difference: 12, Out: t.TempDir()}
	resumed := func(what string, want, rejected int) {
		t.Helper()
		d, err := FindDuplicates(context.Background(), o)
		if err != nil || d.Resumed != want || d.Rejected != rejected {
			t.Errorf("%s: %d resumed, %d rejected, %v, want %d and %d", what, d.Resumed, d.Rejected, err, want, rejected)
		}
	}
	resumed("the first time", 0, 1)
	resumed("again", 13, 1)

	a, err := split.Make(m, split.Options{Strategy: split.FirstN, Val: 3, MinTrain: 1})
	if err != nil {
		t.Fatal(err)
	}
	o.Split = t.TempDir()
	if err := a.Write(o.Split); err != nil {
		t.Fatal(err)
	}
	resumed("with a split", 13, 1)
	o.Split = ""

	// One image changes and one comes.
	files["train/n000002/0003_01.jpg"] = encoded(t, drawn(50), 92)
	files["train/n000002/0014_01.jpg"] = encoded(t, drawn(51), 92)
	before := o
	o.Root, o.Manifest = photoSet(t, files)
	resumed("another manifest", 12, 1)

	journal := filepath.Join(o.Out, hashesName)
	o.Out = t.TempDir()
	o.Hashes = []string{journal}
	resumed("another directory", 14, 1)

	// What is no journal is said where it was named.
	o.Hashes = []string{filepath.Join(root, "train", "n000002", "0001_01.jpg")}
	if _, err := FindDuplicates(context.Background(), o); !errors.Is(err, ErrHashes) || !strings.Contains(err.Error(), "0001_01.jpg: no hashes.bin") {
		t.Errorf("a photo for hashes: %v, want ErrHashes", err)
	}

	// A photo that is not the manifest's is a reject, and none for ever.
	o = before
	o.Out = t.TempDir()
	path := filepath.Join(root, "train", "n000002", "0001_01.jpg")
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, files["train/n000002/0002_01.jpg"], 0o644); err != nil {
		t.Fatal(err)
	}
	resumed("a changed photo", 0, 2)
	if text := string(filesOf(t, o.Out)[rejectsCSV]); !strings.Contains(text, "n000002/0001_01,read,changed since the manifest,") {
		t.Errorf("rejects:\n%s", text)
	}
	if err := os.WriteFile(path, was, 0o644); err != nil {
		t.Fatal(err)
	}
	resumed("the photo as it was", 12, 1)
}

// Without digests in the manifest hashes go with the manifest.
func TestHashesWithoutDigests(t *testing.T) {
	root, _ := photoSet(t, map[string][]byte{"train/n000002/0001_01.jpg": encoded(t, drawn(1), 90), "train/n000002/0002_01.jpg": encoded(t, drawn(1), 70)})
	out := filepath.Join(t.TempDir(), "m.parquet")
	if _, err := manifest.Build(context.Background(), manifest.BuildOptions{Root: root, Out: out, NoScan: true}); err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	o := DuplicateOptions{Manifest: m, Root: root, Distance: 4, Difference: 12, Out: t.TempDir()}
	for _, want := range []int{0, 2} {
		d, err := FindDuplicates(context.Background(), o)
		if err != nil || d.Resumed != want || d.Pairs != 1 {
			t.Errorf("%d resumed, %d pairs, %v, want %d and 1", d.Resumed, d.Pairs, err, want)
		}
	}
}
