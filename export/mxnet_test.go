package export

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/shard"
)

// record is a record as a test reads it by the format's description.
type record struct {
	flag   uint32
	labels []float32
	id     uint64
	image  []byte
}

// readRecords reads NAME.rec through NAME.idx. No drawn image holds the number that begins a record.
func readRecords(t *testing.T, name string) (all []record) {
	t.Helper()
	b, err := os.ReadFile(name + ".rec")
	if err != nil {
		t.Fatal(err)
	}
	idx, err := os.ReadFile(name + ".idx")
	if err != nil {
		t.Fatal(err)
	}
	end := 0
	for i, line := range strings.Split(strings.TrimSuffix(string(idx), "\n"), "\n") {
		if line == "" {
			break
		}
		if want := fmt.Sprintf("%d\t%d", i, end); line != want {
			t.Fatalf("%s.idx:%d: %q, want %q", name, i+1, line, want)
		}
		u := binary.LittleEndian.Uint32
		n := int(u(b[end+4:]))
		if u(b[end:]) != 0xced7230a || n >= 1<<29 {
			t.Fatalf("%s.rec: part at %d: %x", name, end, b[end:end+8])
		}
		x := b[end+8:][:n]
		r := record{flag: u(x), id: binary.LittleEndian.Uint64(x[8:]), image: x[24:]}
		if r.flag == 0 {
			r.labels = []float32{math.Float32frombits(u(x[4:]))}
		}
		for range r.flag {
			r.labels = append(r.labels, math.Float32frombits(u(r.image)))
			r.image = r.image[4:]
		}
		all = append(all, r)
		end += 8 + (n+3)&^3
	}
	if end != len(b) {
		t.Fatalf("%s.rec has %d bytes, the records of its .idx end at %d", name, len(b), end)
	}
	return all
}

// readRec reads the images of NAME.rec, numbered from first on, with the keys of NAME.lst.
func readRec(t *testing.T, name string, first int) (out []got) {
	t.Helper()
	records := readRecords(t, name)
	lst, err := os.ReadFile(name + ".lst")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(lst), "\n"), "\n") {
		if line == "" {
			break
		}
		f := strings.Split(line, "\t")
		r := records[first+i]
		if first == 1 && len(f) == 3 { // of identities: aligned, key, label
			if f[0] != "1" {
				t.Fatalf("%s.lst:%d: %q", name, i+1, line)
			}
			f = []string{strconv.Itoa(i + 1), f[2], f[1]}
		}
		if len(f) != 3 || f[0] != strconv.Itoa(first+i) || f[1] != fmt.Sprint(r.labels[0]) || r.id != uint64(first+i) {
			t.Fatalf("%s.lst:%d: %q, record %d has labels %v", name, i+1, line, r.id, r.labels)
		}
		out = append(out, got{key: f[2], label: int32(r.labels[0]), image: r.image})
	}
	return out
}

// insightface reads a part as InsightFace's trainings do: through record 0 and the records of the
// identities.
func insightface(t *testing.T, dir, part string) (out []got) {
	t.Helper()
	name := filepath.Join(dir, part, "train")
	records := readRecords(t, name)
	out = readRec(t, name, 1)
	zero := records[0]
	if zero.flag != 2 || int(zero.labels[0]) != len(out)+1 || int(zero.labels[1]) != len(records) {
		t.Fatalf("%s: record 0: %v, want %d and %d", part, zero.labels, len(out)+1, len(records))
	}
	next, last := 1, int32(-1)
	for _, r := range records[len(out)+1:] {
		if r.flag != 2 || int(r.labels[0]) != next || r.labels[1] <= r.labels[0] {
			t.Fatalf("%s: identity of images %v, the next is %d", part, r.labels, next)
		}
		label := out[next-1].label
		if label <= last {
			t.Fatalf("%s: label %d follows %d", part, label, last)
		}
		for last = label; next < int(r.labels[1]); next++ {
			if im := records[next]; im.flag != 2 || im.labels[1] != 1 || int32(im.labels[0]) != label {
				t.Fatalf("%s: image %d: %v, want label %d", part, next, im.labels, label)
			}
		}
	}
	if next != len(out)+1 {
		t.Fatalf("%s: identities up to image %d of %d", part, next-1, len(out))
	}
	property, err := os.ReadFile(filepath.Join(dir, part, "property"))
	if err != nil || string(property) != "6,12,10" {
		t.Errorf("property %q, %v", property, err)
	}
	return out
}

// sortByLabel orders what was drawn as the records of identities are.
func (d *drawn) sortByLabel() {
	for part, samples := range d.samples {
		order := make([]int, len(samples))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return int(samples[a].Label) - int(samples[b].Label) })
		var moved []shard.Sample
		var stored [][]byte
		for _, i := range order {
			moved = append(moved, samples[i])
			if d.stored[part] != nil {
				stored = append(stored, d.stored[part][i])
			}
		}
		d.samples[part] = moved
		if d.stored[part] != nil {
			d.stored[part] = stored
		}
	}
}

func TestIdentitiesOfRecords(t *testing.T) {
	for _, set := range []struct{ channels, encoding, image string }{
		{"rgb", shard.Raw, PNG}, {"bgr", shard.Raw, ""}, {"rgb", shard.JPEG, ""}, {"bgr", shard.JPEG, PNG},
	} {
		d := drawMany(t, set.channels, set.encoding, strange, []int{23, 18}, labelled)
		out := t.TempDir()
		s := exported(t, Options{To: "mxnet-rec", Shards: d.dir, Out: out, Image: set.image})
		if s.Samples != 50 {
			t.Fatalf("%+v", s)
		}
		how := JPEG
		if set.image == PNG {
			how = ""
			if set.encoding == shard.JPEG {
				d.decoded(t)
			}
		}
		d.sortByLabel()
		for _, part := range []string{"train", "val", "test"} {
			d.agree(t, part, insightface(t, out, part), how)
		}
	}
}

// Samples that are rejected in any piece, and a stop behind any, leave files whose numbers agree.
func TestIdentitiesWithoutRejects(t *testing.T) {
	before := checkpoint
	checkpoint = 3000 // some pieces
	t.Cleanup(func() { checkpoint = before })
	d := drawMany(t, "rgb", shard.Raw, strange, []int{23, 18}, labelled)
	file := filepath.Join(d.dir, shard.FileName("train", 0, 2))
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	gone := map[string]bool{}
	for _, i := range []int{0, 1, 6, 7, 12, 13, 18, 19, 21} { // nearly all of labels 0 and 1
		b[len(b)-1-(22-i)*d.shape.Bytes()] ^= 1
		gone[d.samples["train"][i].Key] = true
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	d.samples["train"] = slices.DeleteFunc(d.samples["train"], func(s shard.Sample) bool { return gone[s.Key] })
	o := Options{To: "mxnet-rec", Shards: d.dir, Out: t.TempDir(), Image: PNG}
	s := exported(t, o)
	if s.Rejected != len(gone) || s.Pieces < 8 {
		t.Fatalf("%+v", s)
	}
	d.sortByLabel()
	d.agree(t, "train", insightface(t, o.Out, "train"), "")
	want := files(t, o.Out)
	for stop := range 10 {
		o.Out = t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		o.Progress = &stopper{after: int64(1 + 4*stop), cancel: cancel}
		_, _ = try(ctx, o)
		cancel()
		o.Progress = nil
		exported(t, o)
		if diff := cmp.Diff(want, files(t, o.Out)); diff != "" {
			t.Fatalf("stopped after %d (-straight +stopped):\n%s", 1+4*stop, diff)
		}
	}
}

// WebFace12M's records can be counted, Glint360K's can't.
func TestRecordsAreCounted(t *testing.T) {
	if err := countable(12_720_066, 617_970); err != nil {
		t.Error(err)
	}
	for _, n := range [][2]int{{17_091_657, 360_232}, {1<<24 - 10, 10}} {
		if err := countable(n[0], n[1]); !errors.Is(err, ErrOption) {
			t.Errorf("%v: %v", n, err)
		}
	}
	if n := identities([]int32{0, 0, 3, 7, 7}); n != 3 {
		t.Errorf("%d identities of 3", n)
	}
}

func TestIdentitiesNeedLabels(t *testing.T) {
	d := draw(t, "rgb", shard.Raw, strange)
	_, err := try(context.Background(), Options{To: "mxnet-rec", Shards: d.dir, Out: t.TempDir()})
	if !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), "has no label") {
		t.Errorf("samples without labels: %v", err)
	}
	_, err = try(context.Background(), Options{To: "npy plain", Shards: d.dir, Out: t.TempDir()})
	if !errors.Is(err, ErrOption) {
		t.Errorf("plain npy: %v", err)
	}
}
