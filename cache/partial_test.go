package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
	"github.com/vf2prep/vf2prep/shard"
)

// openTest returns the partials of one shard of n slots in dir, and what they hold.
func openTest(t testing.TB, dir string, n int) (*partials, map[int]uint32) {
	t.Helper()
	j, was, err := openJournal(dir, "build")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.close)
	b := &build{plan: &Plan{Shape: shard.Shape{3, 2, 2}, o: PlanOptions{Out: dir}}, o: BuildOptions{Memory: 600}, journal: j, past: was}
	held := map[int]uint32{}
	all, err := b.openPartials(context.Background(), []*shardPlan{{to: n, name: "s"}}, func(at int, ordinal uint32) { held[at] = ordinal })
	if err != nil {
		t.Fatal(err)
	}
	return all, held
}

func pixelsOf(slot int, ordinal uint32) []byte {
	b := make([]byte, 12)
	r := rng.Stream(uint64(slot), "pixels", int(ordinal))
	for i := range b {
		b[i] = byte(r.Uint64())
	}
	return b
}

func addTest(t *testing.T, all *partials, slot int, ordinal uint32) {
	t.Helper()
	ph := &photo{item: item{key: fmt.Sprint(slot)}, place: place{0, slot}, ordinal: ordinal}
	var err error
	if slot%5 == 4 {
		err = all.reject(ph, shard.Reject{Key: ph.key, Stage: "decode", Reason: fmt.Sprint(ordinal)})
	} else {
		err = all.put(ph, points{}, pixelsOf(slot, ordinal))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// writeInto gives what the partials hold to a shard and returns which slots there are.
func writeInto(all *partials) (*shard.Writer, []bool, error) {
	p := all.list[0]
	w, err := shard.NewWriter(filepath.Dir(p.path), "train", 0, 1, all.build.plan.Shape, p.planned(), nil)
	if err != nil {
		return nil, nil, err
	}
	have := make([]bool, p.planned())
	item := func(slot int) (item, error) { return item{key: fmt.Sprint(slot)}, nil }
	return w, have, p.into(w, have, item, all.build.longest(), true)
}

// However much of the file's end is lost or garbled, what is sound of it stays, what is lost can
// be added again, and the shard is what it would have been.
func TestPartialLosesItsEndOnly(t *testing.T) {
	const n = 30
	dir := t.TempDir()
	all, _ := openTest(t, dir, n)
	for slot := range n {
		addTest(t, all, slot, uint32(slot))
		if slot == 12 {
			if err := all.sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := all.list[0].flush(); err != nil { // on its way to the disk when power was lost
		t.Fatal(err)
	}
	good, err := os.ReadFile(all.list[0].path)
	if err != nil {
		t.Fatal(err)
	}
	_, was, err := openJournal(dir, "build")
	if err != nil {
		t.Fatal(err)
	}
	synced := was.partials["s.partial"]
	if synced == 0 || synced >= int64(len(good)) {
		t.Fatalf("%d of %d bytes synced", synced, len(good))
	}
	r := rng.Stream(2, "partial")
	for cut := int(synced); cut <= len(good); cut += 1 + r.IntN(9) {
		bad := append([]byte(nil), good[:cut]...)
		switch cut % 3 {
		case 1:
			bad = append(bad, make([]byte, len(good)-cut)...)
		case 2:
			bad = append([]byte(nil), good...)
			if cut < len(good) {
				bad[cut] ^= 0x10
			}
		}
		if err := os.WriteFile(all.list[0].path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		again, held := openTest(t, dir, n)
		for slot := range 13 {
			if _, ok := held[slot]; !ok {
				t.Fatalf("cut at %d: slot %d was synced and is lost", cut, slot)
			}
		}
		for slot := range n {
			if _, ok := held[slot]; !ok {
				addTest(t, again, slot, uint32(slot))
			}
		}
		if err := again.list[0].flush(); err != nil {
			t.Fatal(err)
		}
		w, have, err := writeInto(again)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		for slot, there := range have {
			if !there {
				t.Fatalf("cut at %d: slot %d is lost", cut, slot)
			}
			if slot%5 != 4 && string(w.Buffer(slot)) != string(pixelsOf(slot, uint32(slot))) {
				t.Fatalf("cut at %d: slot %d has other pixels", cut, slot)
			}
		}
	}
}

// The last member of a name wins, in whatever order they came.
func TestPartialLastMemberWins(t *testing.T) {
	all, _ := openTest(t, t.TempDir(), 5)
	for _, m := range []struct {
		slot    int
		ordinal uint32
	}{{0, 7}, {0, 3}, {1, 2}, {1, 9}, {4, 5}, {4, 8}, {4, 6}} {
		addTest(t, all, m.slot, m.ordinal)
	}
	if err := all.sync(); err != nil {
		t.Fatal(err)
	}
	w, have, err := writeInto(all)
	if err != nil {
		t.Fatal(err)
	}
	if string(w.Buffer(0)) != string(pixelsOf(0, 7)) || string(w.Buffer(1)) != string(pixelsOf(1, 9)) {
		t.Error("an earlier member's pixels")
	}
	if r := w.Rejects(); len(r) != 1 || r[0].Reason != "8" || have[2] {
		t.Errorf("rejects %+v, slots %v", r, have)
	}
}

// Damage to what was safely on the disk is found before a shard is made of it, and costs that
// shard's samples alone.
func TestPartialDamagedOnDisk(t *testing.T) {
	dir := t.TempDir()
	all, _ := openTest(t, dir, 10)
	for slot := range 10 {
		addTest(t, all, slot, 1)
	}
	if err := all.sync(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(all.list[0].path)
	if err != nil {
		t.Fatal(err)
	}
	b[recordHead+recordPoints+2] ^= 1
	if err := os.WriteFile(all.list[0].path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	again, held := openTest(t, dir, 10)
	if len(held) != 10 {
		t.Fatalf("%d slots", len(held))
	}
	if _, _, err := writeInto(again); !errors.Is(err, errDamagedPartial) {
		t.Errorf("error %v, want errDamagedPartial", err)
	}
	if _, err := os.Stat(again.list[0].path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the damaged file is still there: %v", err)
	}
}

func FuzzPartial(f *testing.F) {
	head := record{slot: 1, ordinal: 2, length: 2, reject: true, crc: 0x93f7f4ab}.append(nil)
	f.Add(append(head, "{}"...), int64(0))
	f.Fuzz(func(t *testing.T, b []byte, synced int64) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "s.partial"), b, 0o644); err != nil {
			t.Fatal(err)
		}
		j, _, err := openJournal(dir, "build")
		if err != nil {
			t.Fatal(err)
		}
		if err := j.add(entry{Partial: "s.partial", Bytes: synced}); err != nil {
			t.Fatal(err)
		}
		j.close()
		all, held := openTest(t, dir, 4)
		_, have, err := writeInto(all)
		if err != nil && !errors.Is(err, errDamagedPartial) {
			t.Fatal(err)
		}
		for slot := range have {
			if _, ok := held[slot]; have[slot] && !ok {
				t.Fatalf("slot %d came from nowhere", slot)
			}
		}
	})
}

// Whatever an archive calls its members, a name that is looked up lies below the root.
func FuzzMemberName(f *testing.F) {
	for _, s := range []string{"train/n000001/0001_01.jpg", "./train/x", "../x", "/etc/passwd", `..\x`, "a/../../x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if got := cleanMember(name); got != "" && (!filepath.IsLocal(got) || got != filepath.ToSlash(filepath.Clean(got))) {
			t.Fatalf("%q gives %q", name, got)
		}
	})
}
