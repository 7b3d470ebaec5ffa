package export

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/split"
	"github.com/vf2prep/vf2prep/synth"
)

// photographed draws a VGGFace2 with its manifest and split.
func photographed(t testing.TB) Options {
	t.Helper()
	dir := t.TempDir()
	o := Options{Manifest: filepath.Join(dir, "manifest.parquet"), Split: filepath.Join(dir, "split"), Root: filepath.Join(dir, "set"), Seed: 1}
	if _, err := synth.Run(context.Background(), synth.Options{Out: o.Root, Identities: 5, TestIdentities: 1, Images: 8, Spread: 0.2, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.Build(context.Background(), manifest.BuildOptions{Root: o.Root, Out: o.Manifest}); err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Open(o.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	a, err := split.Make(m, split.Options{Strategy: split.FirstN, Val: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Write(o.Split); err != nil {
		t.Fatal(err)
	}
	return o
}

// Photos are in an archive byte for byte, with box, landmarks, age and gender beside them; one that is
// gone, changed or no JPEG is a reject.
func TestPhotosByteForByte(t *testing.T) {
	o := photographed(t)
	o.To, o.Out = "webdataset", t.TempDir()
	s := exported(t, o)
	if s.Samples != s.Planned || s.Samples < 20 {
		t.Fatalf("%+v", s)
	}
	names := map[string]bool{}
	for _, part := range []string{"train", "val", "test"} {
		for _, photo := range readPhotos(t, o.Out, part) {
			b, err := os.ReadFile(filepath.Join(o.Root, photo.subset(), filepath.FromSlash(photo.meta.Key)+".jpg"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b, photo.image) {
				t.Errorf("%s: not the photo's bytes", photo.meta.Key)
			}
			m := photo.meta
			if len(m.Box) != 4 || len(m.Landmarks) != 5 || m.Age == nil || m.Gender == nil || m.Width < 20 || m.Height < 20 || m.Part != part {
				t.Errorf("%s: %+v", m.Key, m)
			}
			if names[m.Key] {
				t.Errorf("%s came twice", m.Key)
			}
			names[m.Key] = true
		}
	}
	if len(names) != s.Samples {
		t.Errorf("%d photos, want %d", len(names), s.Samples)
	}

	again := o
	again.Out, again.Workers, again.MaxCount = t.TempDir(), 1, 7
	exported(t, again)

	var paths []string
	for _, key := range slices.Sorted(maps.Keys(names))[:2] {
		for _, subset := range []string{"train", "test"} {
			path := filepath.Join(o.Root, subset, filepath.FromSlash(key)+".jpg")
			if _, err := os.Stat(path); err == nil {
				paths = append(paths, path)
			}
		}
	}
	if err := os.WriteFile(paths[0], []byte("no photo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(paths[1]); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.Args[0], paths[1]); err != nil {
		if runtime.GOOS == "windows" {
			t.Skip("links need a privilege")
		}
		t.Fatal(err)
	}
	again.Out = t.TempDir()
	s = exported(t, again)
	if s.Rejected != 2 || s.Reasons["read: changed since the manifest"] != 1 || s.Reasons["read: outside the root"] != 1 {
		t.Errorf("%+v", s)
	}
}

// Photos go into every format but those that want samples of one size.
func TestPhotosInOtherFormats(t *testing.T) {
	o := photographed(t)
	for _, name := range append(Formats(), "mxnet-rec plain") {
		o.To, o.Out = name, t.TempDir()
		s, err := try(context.Background(), o)
		if name == "npy" || name == "insightface-bin" || name == "mxnet-rec" {
			if !errors.Is(err, ErrOption) {
				t.Errorf("%s: %v, want %v", name, err, ErrOption)
			}
			continue
		}
		if err != nil || s.Samples != s.Planned {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

type photo struct {
	image []byte
	meta  struct {
		Key, Part, Identity string
		Label               int32
		Age                 *float32
		Gender              *int8
		Landmarks           [][2]float32
		Box                 []float32
		Width, Height       int
	}
}

func (p *photo) subset() string {
	if p.meta.Part == "test" {
		return "test"
	}
	return "train"
}

func readPhotos(t *testing.T, dir, part string) (out []*photo) {
	t.Helper()
	for _, name := range sorted(t, filepath.Join(dir, part+"-*.tar")) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for r := tar.NewReader(bytes.NewReader(b)); ; {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			switch _, ext, _ := strings.Cut(h.Name, "."); ext {
			case "cls":
				out = append(out, &photo{})
			case "json":
				if err := json.Unmarshal(data, &out[len(out)-1].meta); err != nil {
					t.Fatal(err)
				}
			case "jpg":
				out[len(out)-1].image = data
			}
		}
	}
	return out
}
